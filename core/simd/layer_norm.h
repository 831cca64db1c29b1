// Layer norm, for both precisions: sums are the caller's. Some rows take turns, because in each a
// sum has to be there before the next loop can begin. Internal linkage, because
// core/simd/kernels.cpp is compiled once per instruction set.
#pragma once
#include <cmath>
#include <cstdint>

namespace {

constexpr int64_t kTurns = 4;

// norm = (x - mean x) / sqrt(var x + eps), y = gain norm + bias, inverse = 1 / sqrt(...), for rows
// of n numbers.
template <class T, class Sum, class Dot>
void layer_norm_rows(int64_t rows, int64_t n, const T* x, const T* gain, const T* bias, T eps,
                     T* norm, T* y, T* inverse, Sum sum, Dot dot) {
  const auto size = static_cast<T>(n);
  while (rows > 0) {
    const int64_t turns = rows < kTurns ? rows : kTurns;
    T mean[kTurns];
    for (int64_t r = 0; r < turns; ++r) mean[r] = sum(n, x + r * n) / size;
    for (int64_t r = 0; r < turns; ++r) {
      T* const to = norm + r * n;
      for (int64_t i = 0; i < n; ++i) to[i] = x[r * n + i] - mean[r];
      inverse[r] = 1 / std::sqrt(dot(n, to, to) / size + eps);
    }
    for (int64_t r = 0; r < turns; ++r) {
      const T factor = inverse[r];
      for (int64_t i = r * n, j = 0; j < n; ++i, ++j) {
        norm[i] *= factor;
        y[i] = norm[i] * gain[j] + bias[j];
      }
    }
    rows -= turns, x += turns * n, norm += turns * n, y += turns * n, inverse += turns;
  }
}

// dx = (g - mean g - norm mean(g norm)) * inverse, g = gain dy. dx may be dy, which is read first.
template <class T, class Sum, class Dot>
void layer_norm_backward_rows(int64_t rows, int64_t n, const T* norm, const T* inverse,
                              const T* gain, const T* dy, T* dx, Sum sum, Dot dot) {
  const auto size = static_cast<T>(n);
  while (rows > 0) {
    const int64_t turns = rows < kTurns ? rows : kTurns;
    T mean[kTurns], along[kTurns];
    for (int64_t r = 0; r < turns; ++r) {
      T* const to = dx + r * n;
      for (int64_t i = 0; i < n; ++i) to[i] = gain[i] * dy[r * n + i];
      mean[r] = sum(n, to) / size;
      along[r] = dot(n, to, norm + r * n) / size;
    }
    for (int64_t r = 0; r < turns; ++r)
      for (int64_t i = r * n; i < (r + 1) * n; ++i)
        dx[i] = (dx[i] - mean[r] - norm[i] * along[r]) * inverse[r];
    rows -= turns, norm += turns * n, dy += turns * n, dx += turns * n, inverse += turns;
  }
}

}  // namespace
