#include "examples/microscope/png.h"

#include <algorithm>

namespace heed::microscope {
namespace {

std::string big_endian(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

// CRC-32 of a chunk's type and data.
uint32_t crc(const std::string& bytes) {
  uint32_t c = ~0U;
  for (const char byte : bytes) {
    c ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? 0xedb88320U : 0);
  }
  return ~c;
}

std::string chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<uint32_t>(data.size())) + type + data +
         big_endian(crc(type + data));
}

// RFC 1950: two bytes that say "deflate", blocks that store, and Adler-32 of what they store.
std::string zlib_stored(const std::string& data) {
  constexpr size_t kMostBlock = 65535;
  std::string out = "\x78\x01";
  for (size_t at = 0; at < data.size(); at += kMostBlock) {
    const size_t n = std::min(kMostBlock, data.size() - at);
    const auto low = static_cast<char>(n & 255), high = static_cast<char>(n >> 8);
    out += at + n == data.size() ? '\1' : '\0';
    out += {low, high, static_cast<char>(~low), static_cast<char>(~high)};
    out.append(data, at, n);
  }
  uint32_t a = 1, b = 0;
  for (const char byte : data) {
    a = (a + static_cast<uint8_t>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  return out + big_endian(b << 16 | a);
}

}  // namespace

void Picture::fill(size_t left, size_t top, size_t w, size_t h, Rgb colour) {
  for (size_t y = top; y < std::min(top + h, height); ++y)
    for (size_t x = left; x < std::min(left + w, width); ++x) pixels[y * width + x] = colour;
}

std::string png(const Picture& p) {
  std::string rows;
  rows.reserve(p.height * (1 + 3 * p.width));
  for (size_t y = 0; y < p.height; ++y) {
    rows += '\0';  // no filter
    for (size_t x = 0; x < p.width; ++x)
      for (const uint8_t v : p.pixels[y * p.width + x]) rows += static_cast<char>(v);
  }
  const std::string header = big_endian(static_cast<uint32_t>(p.width)) +
                             big_endian(static_cast<uint32_t>(p.height)) +
                             std::string("\x08\x02\0\0\0", 5);  // 8 bits, RGB
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", zlib_stored(rows)) +
         chunk("IEND", "");
}

}  // namespace heed::microscope
