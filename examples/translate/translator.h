// A trained translator: network, vocabularies and the way its text was cut, as one directory that
// is all `translate` needs:
//   config.json           format, network sizes, tokenisers, how it was trained
//   source.vocab, target.vocab
//   weights.safetensors   PyTorch's names and shapes
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "examples/translate/batches.h"
#include "examples/translate/text.h"
#include "examples/translate/vocabulary.h"
#include "layers/seq2seq.h"

namespace heed::translate {

/// How lines become tokens, on either side.
struct TextOptions {
  Tokeniser source = Tokeniser::whitespace, target = Tokeniser::whitespace;
  bool lowercase = false;
};

struct Translator {
  TextOptions text;
  Vocabulary source, target;
  Seq2Seq network;
  nlohmann::ordered_json about;  // task, seed, training options: for people and reports

  [[nodiscard]] IdPair encode(std::span<const std::string> src,
                              std::span<const std::string> tgt) const {
    return {source.encode(src), target.encode(tgt)};
  }
};

inline constexpr const char* kModelFormat = "heed-translate/1";

/// Writes the directory (made if missing); config.json comes last, so a directory with one is
/// whole. Throws FileError.
void save_translator(const std::string& directory, Translator& translator);

/// Reads it. Throws FileError that says what is missing, foreign, damaged or of another version.
Translator load_translator(const std::string& directory);

/// Throws FileError, before hours of work, when `directory` cannot be made or written to.
void require_writable(const std::string& directory);

}  // namespace heed::translate
