// Tokens and their ids. A vocabulary is built once from the training data, saved beside the model,
// and never grows.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::translate {

inline constexpr int64_t kPad = 0;  ///< fills a batch beyond the end of a sentence
inline constexpr int64_t kUnk = 1;  ///< any token that the vocabulary lacks
inline constexpr int64_t kBos = 2;  ///< begins the decoder's input
inline constexpr int64_t kEos = 3;  ///< ends a sentence
inline constexpr int64_t kSpecials = 4;

/// How often each token occurs.
using TokenCounts = std::map<std::string, int64_t, std::less<>>;
void count_tokens(TokenCounts& counts, std::span<const std::string> tokens);

/// Which tokens a vocabulary keeps.
struct VocabularyOptions {
  int64_t min_count = 1;  ///< rarer tokens become <unk>
  int64_t max_size = 0;   ///< at most this many ids, the four special ones included; 0: no limit
};

/// Ids 0 to 3 are <pad> <unk> <bos> <eos>; the tokens follow by falling count, equal counts by
/// their bytes. The special ids are never the id of a token: a word "<unk>" or "<eos>" of the data
/// is a token like any other, with an id of its own.
class Vocabulary {
 public:
  /// Throws std::invalid_argument if min_count < 1, or max_size is neither 0 nor above four.
  Vocabulary(const TokenCounts& counts, const VocabularyOptions& options);

  /// From the text of a vocabulary file; `path` is for the errors (FileError "path:line: ...").
  static Vocabulary parse(const std::string& path, std::string_view text);
  /// The text of a vocabulary file: one token per line in the order of the ids. A token that reads
  /// like a special one is written with a backslash before it ("\<unk>", then "\\<unk>", ...).
  [[nodiscard]] std::string text() const;

  /// Number of ids, the special ones included.
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  /// The id of a token; kUnk if it has none.
  [[nodiscard]] int64_t id(std::string_view token) const;
  /// The token of an id, "<unk>" and so on for the special ones. Throws std::invalid_argument.
  [[nodiscard]] const std::string& token(int64_t id) const;

  [[nodiscard]] std::vector<int64_t> encode(std::span<const std::string> tokens) const;
  /// The tokens up to the first <eos>; <pad> and <bos> are left out, <unk> reads "<unk>".
  [[nodiscard]] std::vector<std::string> decode(std::span<const int64_t> ids) const;

 private:
  Vocabulary();
  bool add(std::string token);

  std::vector<std::string> tokens_;
  std::map<std::string, int64_t, std::less<>> ids_;
};

/// The share of running tokens that the vocabulary lacks, in [0, 1]; 0 if there are no tokens.
double unknown_share(const Vocabulary& vocabulary, const TokenCounts& counts);

}  // namespace heed::translate
