#include "examples/translate/vocabulary.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/translate/text.h"

namespace heed::translate {
namespace {

constexpr std::string_view kSpecialTokens[] = {"<pad>", "<unk>", "<bos>", "<eos>"};

// Whether `line` is a special token behind any number of backslashes.
bool reads_special(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of('\\'), line.size()));
  return std::ranges::find(kSpecialTokens, line) != std::end(kSpecialTokens);
}

}  // namespace

void count_tokens(TokenCounts& counts, std::span<const std::string> tokens) {
  for (const std::string& token : tokens) ++counts[token];
}

Vocabulary::Vocabulary() : tokens_(std::begin(kSpecialTokens), std::end(kSpecialTokens)) {}

bool Vocabulary::add(std::string token) {
  if (!ids_.try_emplace(token, size()).second) return false;
  tokens_.push_back(std::move(token));
  return true;
}

Vocabulary::Vocabulary(const TokenCounts& counts, const VocabularyOptions& options) : Vocabulary() {
  require(options.min_count >= 1, "vocabulary: expected a minimum count of at least 1, got {}",
          options.min_count);
  require(options.max_size == 0 || options.max_size > kSpecials,
          "vocabulary: expected a size above {} (the special tokens take {}) or 0 for no limit, "
          "got {}",
          kSpecials, kSpecials, options.max_size);
  std::vector<std::pair<std::string, int64_t>> ranked;
  for (const auto& [token, count] : counts)
    if (count >= options.min_count) ranked.emplace_back(token, count);
  // The map yields them by their bytes, and a stable sort keeps that order among equals.
  std::ranges::stable_sort(ranked, std::greater<>(), &std::pair<std::string, int64_t>::second);
  for (auto& [token, count] : ranked) {
    if (size() == options.max_size) break;
    add(std::move(token));
  }
}

Vocabulary Vocabulary::parse(const std::string& path, std::string_view text) {
  check_utf8(path, text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::vector<std::string_view> lines = split(text, '\n');
  Vocabulary vocabulary;
  for (size_t i = 0; i < lines.size() || i < kSpecials; ++i) {
    const std::string place = fmt::format("{}:{}", path, i + 1);
    if (i < kSpecials) {
      const std::string_view line = i < lines.size() ? lines[i] : "";
      if (line != kSpecialTokens[i])
        fail_file(place,
                  "expected \"{}\", got \"{}\"; is this a vocabulary file with LF line ends?",
                  kSpecialTokens[i], printable(line));
      continue;
    }
    if (lines[i].empty()) fail_file(place, "expected a token, got an empty line");
    const bool escaped = reads_special(lines[i]);
    if (escaped && lines[i][0] != '\\')
      fail_file(place, "special token \"{}\" again; a word that reads so is written \"\\{}\"",
                lines[i], lines[i]);
    if (!vocabulary.add(std::string(lines[i].substr(escaped ? 1 : 0))))
      fail_file(place, "token \"{}\" occurs twice; each token has one line", printable(lines[i]));
  }
  return vocabulary;
}

std::string Vocabulary::text() const {
  std::string out;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (i >= kSpecials && reads_special(tokens_[i])) out += '\\';
    out += tokens_[i];
    out += '\n';
  }
  return out;
}

int64_t Vocabulary::id(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? kUnk : found->second;
}

const std::string& Vocabulary::token(int64_t id) const {
  require(id >= 0 && id < size(), "vocabulary: expected an id in 0..{}, got {}", size() - 1, id);
  return tokens_[static_cast<size_t>(id)];
}

std::vector<int64_t> Vocabulary::encode(std::span<const std::string> tokens) const {
  std::vector<int64_t> ids;
  ids.reserve(tokens.size());
  for (const std::string& token : tokens) ids.push_back(id(token));
  return ids;
}

std::vector<std::string> Vocabulary::decode(std::span<const int64_t> ids) const {
  std::vector<std::string> tokens;
  for (const int64_t id : ids) {
    if (id == kEos) break;
    if (id != kPad && id != kBos) tokens.push_back(token(id));
  }
  return tokens;
}

double unknown_share(const Vocabulary& vocabulary, const TokenCounts& counts) {
  int64_t unknown = 0, all = 0;
  for (const auto& [token, count] : counts) {
    all += count;
    if (vocabulary.id(token) == kUnk) unknown += count;
  }
  return all ? static_cast<double>(unknown) / static_cast<double>(all) : 0.0;
}

}  // namespace heed::translate
