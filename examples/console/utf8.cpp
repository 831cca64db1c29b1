#include "examples/console/utf8.h"

#include <fmt/format.h>

#include "core/error.h"

namespace heed {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

uint8_t byte_at(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// How many bytes a first byte announces; 0 if no sequence may begin with it.
size_t announced_bytes(uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;  // C0 and C1 could only be overlong
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

// The second byte carries the remaining limits: no overlong form, surrogate or value > U+10FFFF.
bool second_byte_fits(uint8_t first, uint8_t second) {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

std::string why_invalid(std::string_view text, size_t at) {
  const uint8_t first = byte_at(text, at);
  const size_t bytes = announced_bytes(first);
  if (bytes == 0) {
    if (first < 0xC0)
      return fmt::format("byte 0x{:02X} continues a sequence that never began", first);
    return fmt::format("byte 0x{:02X} occurs in no UTF-8 text", first);
  }
  for (size_t i = 1; i < bytes; ++i) {
    if (at + i >= text.size())
      return fmt::format("the text ends inside the sequence that byte 0x{:02X} begins", first);
    const uint8_t next = byte_at(text, at + i);
    if (next < 0x80 || next > 0xBF)
      return fmt::format("byte 0x{:02X} begins a sequence that byte 0x{:02X} cuts short", first,
                         next);
  }
  const char* kind = first == 0xED   ? "a surrogate"
                     : first == 0xF4 ? "a value above U+10FFFF"
                                     : "an overlong form";
  return fmt::format("bytes 0x{:02X} 0x{:02X} begin {}", first, byte_at(text, at + 1), kind);
}

char32_t lower(char32_t c) {
  const auto between = [c](char32_t a, char32_t b) { return c >= a && c <= b; };
  const bool even = c % 2 == 0;
  if (between('A', 'Z')) return c + 32;
  if (c < 0xC0) return c;
  if (between(0xC0, 0xDE)) return c == 0xD7 ? c : c + 32;  // 0xD7 is the multiplication sign
  if (c == 0x130) return 'i';                              // dotted capital I
  if (c == 0x178) return 0xFF;
  // Pairs capital, small: on even code points in some stretches, on odd ones in others.
  if (between(0x100, 0x137) || between(0x14A, 0x177) || between(0x218, 0x21B) ||
      between(0x1EA0, 0x1EFF))
    return even ? c + 1 : c;
  if (between(0x139, 0x148) || between(0x179, 0x17E)) return even ? c : c + 1;
  if (c == 0x386) return 0x3AC;
  if (between(0x388, 0x38A)) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (between(0x38E, 0x38F)) return c + 63;
  if (between(0x391, 0x3AB)) return c == 0x3A2 ? c : c + 32;  // 0x3A2 is not assigned
  if (between(0x400, 0x40F)) return c + 80;
  if (between(0x410, 0x42F)) return c + 32;
  if (c == 0x4C0) return 0x4CF;
  if (between(0x4C1, 0x4CE)) return even ? c : c + 1;
  if (between(0x460, 0x481) || between(0x48A, 0x4BF) || between(0x4D0, 0x52F))
    return even ? c + 1 : c;
  return c;
}

bool moves_cursor_or_text(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 || c == 0x200E ||
         c == 0x200F || c == 0x61C || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

CodePoint decode_utf8(std::string_view text, size_t at) {
  const uint8_t first = byte_at(text, at);
  if (first < 0x80) return {first, 1, true};
  constexpr CodePoint kBad{kReplacement, 1, false};
  const size_t bytes = announced_bytes(first);
  if (bytes == 0 || text.size() - at < bytes || !second_byte_fits(first, byte_at(text, at + 1)))
    return kBad;
  char32_t value = first & (0xFFU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    const uint8_t next = byte_at(text, at + i);
    if ((next & 0xC0) != 0x80) return kBad;
    value = value << 6 | (next & 0x3FU);
  }
  return {value, bytes, true};
}

void append_utf8(std::string& out, char32_t value) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | value >> 6);
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | value >> 18);
    put(0x80 | (value >> 12 & 0x3F));
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

std::optional<Utf8Error> find_invalid_utf8(std::string_view text) {
  int64_t line = 1, column = 1;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (!c.valid) return Utf8Error{line, column, i, why_invalid(text, i)};
    if (c.value == '\n') {
      ++line;
      column = 1;
    } else if (!(i == 0 && c.value == 0xFEFF)) {
      ++column;
    }
    i += c.bytes;
  }
  return std::nullopt;
}

void check_utf8(const std::string& path, std::string_view text) {
  if (const auto bad = find_invalid_utf8(text))
    throw FileError(
        fmt::format("{}:{}:{}: not UTF-8: {} (at byte {} of the file); convert the file first, "
                    "for example with: iconv -f WINDOWS-1252 -t UTF-8",
                    path, bad->line, bad->column, bad->reason, bad->byte));
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string lowercase(std::string_view text, int64_t* changed) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    const char32_t small = c.valid ? lower(c.value) : c.value;
    if (small == c.value) {
      out.append(text.substr(i, c.bytes));  // also keeps bytes that are not UTF-8
    } else {
      append_utf8(out, small);
      if (changed) ++*changed;
    }
    i += c.bytes;
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    append_utf8(out, moves_cursor_or_text(c.value) ? kReplacement : c.value);
    i += c.bytes;
  }
  return out;
}

}  // namespace heed
