#include "core/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"

namespace heed {
namespace {

constexpr int64_t kMost = INT32_MAX;

}  // namespace

Shape::Shape(std::span<const int64_t> sizes) {
  require(sizes.size() <= kMaxRank, "shape: expected at most {} axes, got {}", kMaxRank,
          sizes.size());
  for (const int64_t size : sizes) {
    require(size >= 0, "shape: expected sizes >= 0, got [{}]", fmt::join(sizes, ", "));
    require(size <= kMost, "shape: expected at most {} elements, got [{}]", kMost,
            fmt::join(sizes, ", "));
    sizes_[static_cast<size_t>(rank_++)] = static_cast<int32_t>(size);
  }
  check();
}

// An empty tensor too: strides are products of sizes and must not overflow.
void Shape::check() const {
  int64_t n = 1;
  for (int a = 0; a < rank_; ++a) {
    n *= std::max<int64_t>((*this)[a], 1);
    require(n <= kMost, "shape: expected at most {} elements, got {}", kMost, *this);
  }
}

Shape Shape::changed(int axis, int64_t size) const {
  require(size >= 0 && size <= kMost, "shape: expected a size in [0, {}], got {}", kMost, size);
  Shape s = *this;
  s.sizes_[static_cast<size_t>(axis)] = static_cast<int32_t>(size);
  if (size > (*this)[axis]) s.check();
  return s;
}

Shape Shape::without(int axis) const {
  Shape s = first(axis);
  for (int a = axis + 1; a < rank_; ++a)
    s.sizes_[static_cast<size_t>(s.rank_++)] = sizes_[static_cast<size_t>(a)];
  return s;
}

Shape Shape::first(int axes) const {
  Shape s = *this;
  s.rank_ = axes;
  std::fill(s.sizes_.begin() + axes, s.sizes_.end(), 0);
  return s;
}

Shape Shape::inserted(int axis, int64_t size) const {
  std::array<int64_t, kMaxRank + 1> s{};
  std::copy_n(sizes_.begin(), axis, s.begin());
  s[static_cast<size_t>(axis)] = size;
  std::copy(sizes_.begin() + axis, sizes_.begin() + rank_, s.begin() + axis + 1);
  return Shape(std::span<const int64_t>(s.data(), static_cast<size_t>(rank_ + 1)));
}

std::string to_text(const Shape& s) {
  return fmt::format("[{}]", fmt::join(s.sizes(), ", "));
}

int wrap_axis(std::string_view op, int axis, int rank) {
  require(axis >= -rank && axis < rank, "{}: expected an axis in [{}, {}), got {}", op, -rank, rank,
          axis);
  return axis < 0 ? axis + rank : axis;
}

Shape broadcast_shape(std::string_view op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  std::array<int64_t, kMaxRank> sizes{};
  for (int k = 0; k < rank; ++k) {  // k counts from the innermost axis
    const int64_t na = k < a.rank() ? a.back(k) : 1, nb = k < b.rank() ? b.back(k) : 1;
    require(na == nb || na == 1 || nb == 1,
            "{}: expected shapes that broadcast, got {} and {}: axis {} is {} against {}", op, a, b,
            -1 - k, na, nb);
    sizes[static_cast<size_t>(rank - 1 - k)] = na == 1 ? nb : na;
  }
  return Shape(std::span<const int64_t>(sizes.data(), static_cast<size_t>(rank)));
}

}  // namespace heed
