// A trained translator: network, vocabularies and the way its text was cut, as one directory that
// is all `translate` needs:
//   config.json           format, network sizes, tokenisers, how it was trained
//   source.vocab, target.vocab
//   weights.safetensors   PyTorch's names and shapes
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "examples/translate/batches.h"
#include "examples/translate/network.h"
#include "examples/translate/text.h"
#include "examples/translate/vocabulary.h"

namespace heed::translate {

/// How lines become tokens, on either side.
struct TextOptions {
  Tokeniser source = Tokeniser::whitespace, target = Tokeniser::whitespace;
  bool lowercase = false;
};

struct Translator {
  TextOptions text;
  Vocabulary source, target;
  Network network;
  nlohmann::ordered_json about;  // task, seed, training options: for people and reports

  [[nodiscard]] IdPair encode(std::span<const std::string> src,
                              std::span<const std::string> tgt) const {
    return {source.encode(src), target.encode(tgt)};
  }
};

inline constexpr const char* kModelFormat = "heed-translate/2";

/// Writes the directory (made if missing). A model that is there is replaced when everything has
/// been written, config.json last, so a directory with one is whole. Throws FileError.
void save_translator(const std::string& directory, Translator& translator);

/// Reads it. Throws FileError that says what is missing, foreign, damaged or of another version.
Translator load_translator(const std::string& directory);

/// A folder to write in. It is made at once, with its parents, so that an error comes before hours
/// of work; those made are removed at the end unless something has been put there.
class OutputFolder {
 public:
  /// Throws FileError when the folder cannot be made or written to.
  explicit OutputFolder(const std::string& path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

 private:
  OutputFolder() = default;
  std::vector<std::filesystem::path> made_;  // innermost first
};

}  // namespace heed::translate
