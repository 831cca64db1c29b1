// Shapes and their arithmetic: plain values, no heap.
#pragma once
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace heed {

/// Most axes a tensor can have: [batch, head, target, source, feature].
inline constexpr int kMaxRank = 5;

using Strides = std::array<int32_t, kMaxRank>;  // in elements; small, for tensors are copied a lot

/// The sizes of a tensor's axes, outermost first. Rank 0 is a scalar. Every size is >= 0 and the
/// number of elements fits in 2^31 - 1 (BLAS counts in 32 bits); otherwise std::invalid_argument.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);
  /// The first axes of this shape.
  Shape first(int axes) const;

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[static_cast<size_t>(axis)]; }
  /// Size of an axis counted from the end: back(0) is the innermost.
  int64_t back(int k = 0) const { return (*this)[rank_ - 1 - k]; }
  /// Number of elements; 1 for a scalar.
  int64_t numel() const {
    int64_t n = 1;
    for (int a = 0; a < rank_; ++a) n *= (*this)[a];
    return n;
  }
  /// This shape with axis `axis` set to `size`, removed, or inserted.
  Shape with(int axis, int64_t size) const {
    return size == (*this)[axis] ? *this : changed(axis, size);
  }
  Shape without(int axis) const;
  Shape inserted(int axis, int64_t size) const;
  std::span<const int32_t> sizes() const { return {sizes_.data(), static_cast<size_t>(rank_)}; }

  bool operator==(const Shape& o) const {  // three words at once: compilers make others a memcmp
    return ((word(0) ^ o.word(0)) | (word(1) ^ o.word(1)) | (word(2) ^ o.word(2))) == 0;
  }

 private:
  void check() const;
  Shape changed(int axis, int64_t size) const;
  uint64_t word(size_t k) const {
    uint64_t w;
    std::memcpy(&w, reinterpret_cast<const std::byte*>(this) + k * sizeof w, sizeof w);
    return w;
  }

  std::array<int32_t, kMaxRank> sizes_{};
  int32_t rank_ = 0;
};

static_assert(sizeof(Shape) == 24);  // all of which operator== sees

/// "[2, 3]"; "[]" for a scalar.
std::string to_text(const Shape& s);

/// Strides of a dense row-major tensor. (`set_`: into their place, for a copy of what was just
/// written in small pieces has to wait for these. Returns the number of elements.)
inline int64_t set_dense_strides(const Shape& s, Strides& strides) {
  strides = {};
  int64_t step = 1;
  for (int a = s.rank() - 1; a >= 0; --a) {
    strides[static_cast<size_t>(a)] = static_cast<int32_t>(step);
    step *= s[a];
  }
  return step;
}
inline Strides dense_strides(const Shape& s) {
  Strides strides;
  set_dense_strides(s, strides);
  return strides;
}

/// `axis` in [-rank, rank) as [0, rank); throws std::invalid_argument naming `op`.
int wrap_axis(std::string_view op, int axis, int rank);

/// The shape two operands broadcast to: axes aligned at the innermost, size 1 stretches.
/// Throws std::invalid_argument with both shapes and the axis that does not fit.
Shape broadcast_shape(std::string_view op, const Shape& a, const Shape& b);

}  // namespace heed

/// So that an error text costs nothing until it is needed: "{}" with a Shape.
template <>
struct fmt::formatter<heed::Shape> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const heed::Shape& s, Context& context) const {
    return fmt::formatter<std::string>::format(heed::to_text(s), context);
  }
};
