#include "examples/translate/text.h"

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::translate {
namespace {

constexpr std::string_view kSpace = "▁";
constexpr std::string_view kEscapedSpace = "\\▁";

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> tokens;
  constexpr std::string_view kBlank = " \t";
  for (size_t begin = line.find_first_not_of(kBlank); begin != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
    tokens.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlank, end);
  }
  return tokens;
}

std::vector<std::string> characters(std::string_view line) {
  std::vector<std::string> tokens;
  for (size_t i = 0; i < line.size();) {
    const size_t bytes = decode_utf8(line, i).bytes;
    const std::string_view c = line.substr(i, bytes);
    tokens.emplace_back(c == " " ? kSpace : c == kSpace ? kEscapedSpace : c);
    i += bytes;
  }
  return tokens;
}

}  // namespace

Tokeniser parse_tokeniser(std::string_view name) {
  if (name == "char") return Tokeniser::chars;
  require(name == "whitespace", "tokeniser: expected whitespace or char, got \"{}\"", name);
  return Tokeniser::whitespace;
}

std::string_view name_of(Tokeniser tokeniser) {
  return tokeniser == Tokeniser::chars ? "char" : "whitespace";
}

std::vector<std::string> tokenise(std::string_view line, Tokeniser tokeniser) {
  return tokeniser == Tokeniser::chars ? characters(line) : words(line);
}

std::string join(std::span<const std::string> tokens, Tokeniser tokeniser) {
  std::string line;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (tokeniser == Tokeniser::chars) {
      line += token == kSpace ? " " : token == kEscapedSpace ? kSpace : std::string_view(token);
    } else {
      if (i) line += ' ';
      line += token;
    }
  }
  return line;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = line.find(separator);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

}  // namespace heed::translate
