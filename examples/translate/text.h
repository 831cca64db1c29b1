// From the bytes of a file to lines, and from a line to tokens and back. It never changes the text:
// no normalisation, no case folding, no clean-up of punctuation.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::translate {

/// How a line is cut into tokens.
enum class Tokeniser {
  /// At runs of ASCII spaces and tabs. Every other space (no-break, ideographic, ...) stays inside
  /// its token, so `join` gives the line back up to runs of spaces and tabs.
  whitespace,
  /// One token for each code point. A space is the token "▁" (U+2581); a "▁" of the text is the
  /// token "\▁". All other tokens are the code point itself, so `join` gives back every byte.
  chars,
};

/// The tokeniser of this name ("whitespace", "char"); throws std::invalid_argument on another.
Tokeniser parse_tokeniser(std::string_view name);
/// The name that `parse_tokeniser` reads.
std::string_view name_of(Tokeniser tokeniser);

/// The tokens of one line.
std::vector<std::string> tokenise(std::string_view line, Tokeniser tokeniser);
/// The line that these tokens stand for.
std::string join(std::span<const std::string> tokens, Tokeniser tokeniser);

/// The lines of a text. Only "\n" ends a line, and a "\r" just before it belongs to the line end;
/// U+2028, U+0085, vertical tab and form feed are text. A byte order mark at the start is dropped.
/// The views point into `text`.
std::vector<std::string_view> split_lines(std::string_view text);

/// The parts of a line between occurrences of `separator`: one more than there are separators.
std::vector<std::string_view> split(std::string_view line, char separator);

}  // namespace heed::translate
