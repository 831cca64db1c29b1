// Layer norm of one row, for both precisions: sums are the caller's. Internal linkage, because
// core/simd/kernels.cpp is compiled once per instruction set.
#pragma once
#include <cmath>
#include <cstdint>

namespace {

// norm = (x - mean x) / sqrt(var x + eps), y = gain norm + bias; returns 1 / sqrt(...).
template <class T, class Sum, class Dot>
T layer_norm_row(int64_t n, const T* x, const T* gain, const T* bias, T eps, T* norm, T* y, Sum sum,
                 Dot dot) {
  const auto size = static_cast<T>(n);
  const T mean = sum(n, x) / size;
  for (int64_t i = 0; i < n; ++i) norm[i] = x[i] - mean;
  const T inverse = 1 / std::sqrt(dot(n, norm, norm) / size + eps);
  for (int64_t i = 0; i < n; ++i) {
    norm[i] *= inverse;
    y[i] = norm[i] * gain[i] + bias[i];
  }
  return inverse;
}

// dx = (g - mean g - norm mean(g norm)) * inverse, g = gain dy. dx may be dy, which is read first.
template <class T, class Sum, class Dot>
void layer_norm_backward_row(int64_t n, const T* norm, T inverse, const T* gain, const T* dy, T* dx,
                             Sum sum, Dot dot) {
  const auto size = static_cast<T>(n);
  for (int64_t i = 0; i < n; ++i) dx[i] = gain[i] * dy[i];
  const T mean = sum(n, dx) / size, along = dot(n, dx, norm) / size;
  for (int64_t i = 0; i < n; ++i) dx[i] = (dx[i] - mean - norm[i] * along) * inverse;
}

}  // namespace
