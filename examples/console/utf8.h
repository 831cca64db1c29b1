// UTF-8 by code points: decoding, finding the first bad byte, simple lower case, width on a
// terminal. No normalisation, no full case mapping, no grapheme clusters, no locale.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace heed {

/// One decoded code point. Where the bytes are not UTF-8, `valid` is false, `value` is U+FFFD and
/// `bytes` is 1, so that a loop over any bytes moves on and loses nothing.
struct CodePoint {
  char32_t value;
  size_t bytes;
  bool valid;
};

/// The code point that starts at byte `at` (< text.size()). Overlong forms, surrogates, values
/// above U+10FFFF and truncated sequences are not valid (Unicode 15, table 3-7).
CodePoint decode_utf8(std::string_view text, size_t at);

/// Appends a code point as UTF-8.
void append_utf8(std::string& out, char32_t value);

/// Where a text stops being UTF-8.
struct Utf8Error {
  int64_t line, column;  ///< from 1; the column counts code points; a BOM at the start counts none
  size_t byte;           ///< offset from the start of the text
  std::string reason;    ///< "byte 0xC3 begins a sequence that is cut short"
};

/// The first byte of `text` that is not UTF-8, if there is one.
std::optional<Utf8Error> find_invalid_utf8(std::string_view text);

/// Throws FileError "path:line:column: not UTF-8 ..." unless all of `text` is UTF-8.
void check_utf8(const std::string& path, std::string_view text);

/// White space in the sense of Unicode (and of Python's str.split): spaces of any width, tabs,
/// line and paragraph separators.
bool is_space(char32_t c);

/// Lower case, one code point for one, in ASCII, Latin-1, Latin Extended-A, Romanian, Vietnamese,
/// modern Greek and Cyrillic; other letters stay as they are. Adds the number of code points
/// changed to `*changed`.
std::string lowercase(std::string_view text, int64_t* changed = nullptr);

/// Terminal columns of a code point: 2 for East Asian wide and emoji, 0 for combining marks, format
/// and control characters, else 1. (Unicode 14; ambiguous width counts as 1.)
int display_width(char32_t c);
/// Terminal columns of a text: the sum over its code points.
int display_width(std::string_view text);

/// `text` fit for a screen: control characters and bidirectional overrides, which could move the
/// cursor or reorder what stands beside them, become U+FFFD.
std::string printable(std::string_view text);

/// The longest beginning of `text` that fits in `columns`, with an ellipsis where it was cut.
std::string fit_columns(std::string_view text, int columns);

}  // namespace heed
