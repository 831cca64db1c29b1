// Pictures as PNG files, without compression: small ones, of few pixels.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace heed::microscope {

using Rgb = std::array<uint8_t, 3>;

/// Pixels in rows from the top, each from the left.
struct Picture {
  size_t width, height;
  std::vector<Rgb> pixels;
  Picture(size_t w, size_t h, Rgb all) : width(w), height(h), pixels(w * h, all) {}
  void fill(size_t left, size_t top, size_t w, size_t h, Rgb colour);
};

/// The bytes of a PNG file (W3C, Portable Network Graphics, 3rd edition): 8 bits each of red, green
/// and blue, in stored blocks (RFC 1951, 3.2.4).
std::string png(const Picture& picture);

}  // namespace heed::microscope
