// Loops over strided and broadcast tensors, written once. A loop walks the outer axes and hands the
// body one innermost row at a time; the body sees raw pointers and is where the compiler
// vectorises.
#pragma once
#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace heed {

/// Walks N operands over one common shape. Axes that are dense for every operand are merged, so
/// same-shape dense tensors are one long row.
template <int N>
class RowLoop {
 public:
  RowLoop(const Shape& shape, const std::array<const Strides*, N>& strides) {
    empty_ = shape.numel() == 0;
    // Collect axes innermost first, merging an axis into the one inside it where memory allows.
    for (int a = shape.rank() - 1; a >= 0; --a) {
      if (shape[a] == 1) continue;
      std::array<int64_t, N> step;
      for (size_t k = 0; k < N; ++k) step[k] = (*strides[k])[static_cast<size_t>(a)];
      if (rank_ > 0) {
        const auto in = static_cast<size_t>(rank_ - 1);
        bool merge = true;
        for (size_t k = 0; k < N; ++k) merge = merge && step[k] == step_[in][k] * size_[in];
        if (merge) {
          size_[in] *= shape[a];
          continue;
        }
      }
      size_[static_cast<size_t>(rank_)] = shape[a];
      step_[static_cast<size_t>(rank_++)] = step;
    }
  }

  /// Length of a row, and each operand's step along it: 1 contiguous, 0 broadcast, or more where
  /// the tensor's own innermost axis has size 1.
  int64_t inner() const { return rank_ == 0 ? 1 : size_[0]; }
  int64_t inner_step(int k) const { return rank_ == 0 ? 1 : step_[0][static_cast<size_t>(k)]; }

  /// Calls body(offsets) once per row, in row-major order.
  template <class F>
  void run(F&& body) const {
    if (empty_) return;
    std::array<int64_t, N> at{};
    if (rank_ <= 1) return body(at);
    std::array<int64_t, kMaxRank> index{};
    for (;;) {
      body(at);
      size_t a = 1;
      for (; a < static_cast<size_t>(rank_); ++a) {
        for (size_t k = 0; k < N; ++k) at[k] += step_[a][k];
        if (++index[a] < size_[a]) break;
        for (size_t k = 0; k < N; ++k) at[k] -= step_[a][k] * size_[a];
        index[a] = 0;
      }
      if (a == static_cast<size_t>(rank_)) return;
    }
  }

 private:
  int rank_ = 0;
  bool empty_ = false;
  std::array<int64_t, kMaxRank> size_{};  // innermost first
  std::array<std::array<int64_t, N>, kMaxRank> step_{};
};

/// Strides with which `x` is read as if it had `shape` (which it broadcasts to): 0 where stretched.
inline Strides broadcast_strides(const Tensor& x, const Shape& shape) {
  Strides s{};
  for (int k = 0; k < x.rank(); ++k) {
    const auto to = static_cast<size_t>(shape.rank() - 1 - k);
    const auto from = x.rank() - 1 - k;
    const bool stretched = x.shape()[from] == 1 && shape[static_cast<int>(to)] != 1;
    s[to] = stretched ? 0 : x.strides()[static_cast<size_t>(from)];
  }
  return s;
}

/// y[i] = f(x[i]) into a new dense tensor.
template <class T, class F>
Tensor map(const Tensor& x, F f) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const T* in = x.data<T>();
  T* out = y.mutable_data<T>();
  const auto row = [&](T* o, const T* i, int64_t n, int64_t step) {
    if (step == 1) {
      for (int64_t j = 0; j < n; ++j) o[j] = f(i[j]);
    } else {
      for (int64_t j = 0; j < n; ++j) o[j] = f(i[j * step]);
    }
  };
  if (x.dense()) {
    row(out, in, x.numel(), 1);
    return y;
  }
  const RowLoop<2> loop(x.shape(), {&y.strides(), &x.strides()});
  loop.run([&](const auto& at) { row(out + at[0], in + at[1], loop.inner(), loop.inner_step(1)); });
  return y;
}

namespace detail {
// put(o[j], a[j], b[j]) over `y`'s shape; the four common pairs of inner steps have a loop each, so
// that each is vectorised.
template <class T, class Put>
[[gnu::noinline]] void zip_strided(const Tensor& y, T* out, const Tensor& a, const Tensor& b,
                                   Put put) {
  const T *pa = a.data<T>(), *pb = b.data<T>();
  const auto row = [&](T* o, const T* ra, const T* rb, int64_t n, int64_t io, int64_t ia,
                       int64_t ib) {
    if (io == 1 && ia == 1 && ib == 1) {
      for (int64_t j = 0; j < n; ++j) put(o[j], ra[j], rb[j]);
    } else if (io == 1 && ia == 1 && ib == 0) {
      for (int64_t j = 0; j < n; ++j) put(o[j], ra[j], *rb);
    } else if (io == 1 && ia == 0 && ib == 1) {
      for (int64_t j = 0; j < n; ++j) put(o[j], *ra, rb[j]);
    } else {
      for (int64_t j = 0; j < n; ++j) put(o[j * io], ra[j * ia], rb[j * ib]);
    }
  };
  const Shape& shape = y.shape();
  const Strides sa = broadcast_strides(a, shape), sb = broadcast_strides(b, shape);
  const RowLoop<3> loop(shape, {&y.strides(), &sa, &sb});
  loop.run([&](const auto& at) {
    row(out + at[0], pa + at[1], pb + at[2], loop.inner(), loop.inner_step(0), loop.inner_step(1),
        loop.inner_step(2));
  });
}

// The same. Dense tensors of one shape, the most common case, are one row, and that is seen before
// anything about strides is worked out.
template <class T, class Put>
void zip_rows(Tensor& y, const Tensor& a, const Tensor& b, Put put) {
  const Shape& shape = y.shape();
  T* out = y.mutable_data<T>();
  if (!y.dense() || !a.dense() || !b.dense() || a.shape() != shape || b.shape() != shape)
    return zip_strided<T>(y, out, a, b, put);
  const T *pa = a.data<T>(), *pb = b.data<T>();
  const int64_t n = shape.numel();
  for (int64_t j = 0; j < n; ++j) put(out[j], pa[j], pb[j]);
}
}  // namespace detail

/// y[i] = f(a[i], b[i]); a and b broadcast to y's shape. y may be one of them.
template <class T, class F>
void zip_set(Tensor& y, const Tensor& a, const Tensor& b, F f) {
  detail::zip_rows<T>(y, a, b, [&](T& o, T u, T v) { o = f(u, v); });
}

/// The same over the broadcast shape, into a new dense tensor.
template <class T, class F>
Tensor zip(const Shape& shape, const Tensor& a, const Tensor& b, F f) {
  Tensor y = Tensor::empty(shape, a.dtype());
  zip_set<T>(y, a, b, f);
  return y;
}

/// y[i] += f(a[i], b[i]); a and b broadcast to y's shape.
template <class T, class F>
void zip_add(Tensor& y, const Tensor& a, const Tensor& b, F f) {
  detail::zip_rows<T>(y, a, b, [&](T& o, T u, T v) { o += f(u, v); });
}

}  // namespace heed
