// Products of matrices that are too small for any preparation. Included by what is compiled once
// per instruction set, and for f64 by core/blas.cpp; hence everything here has internal linkage.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "core/gemm.h"

namespace {

template <class T>
struct TinyTypes {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
};

// One number, or four that lie `step` apart.
template <class T>
inline void read(const T* x, int64_t, T& one) {
  one = *x;
}
template <class T, class Four>
inline void read(const T* x, int64_t step, Four& four) {
  if (step == 1)
    std::memcpy(&four, x, sizeof four);
  else
    four = Four{x[0], x[step], x[2 * step], x[3 * step]};
}

// sum += x y, rounded once where the CPU can, as the larger products do.
template <class T, class V>
inline void add_multiple(T x, const V& y, V& sum) {
  sum += x * y;
}
#if defined(__FMA__)
inline void add_multiple(float x, const __m128& y, __m128& sum) {
  sum = _mm_fmadd_ps(_mm_set1_ps(x), y, sum);
}
inline void add_multiple(float x, float y, float& sum) {
  sum = __builtin_fmaf(x, y, sum);
}
#endif

// Rows I of a product, and one column or four (V). By itself, so that nothing is prepared for
// blocks of other sizes that may follow; rows are counted by constants, so that sums stay in
// registers.
template <class V, class T, size_t... I>
[[gnu::noinline]] void tiny_block(const heed::Gemm<T>& g, int64_t i, int64_t j,
                                  std::index_sequence<I...>) {
  const int64_t a_i = g.ta ? 1 : g.lda, a_l = g.ta ? g.lda : 1;
  const int64_t b_l = g.tb ? 1 : g.ldb, b_j = g.tb ? g.ldb : 1;
  const T *x = g.a + i * a_i, *y = g.b + j * b_j;
  V sum[sizeof...(I)] = {(static_cast<void>(I), V{})...}, row;
  for (int64_t l = g.k; l > 0; --l, x += a_l, y += b_l) {
    read(y, b_j, row);
    (add_multiple(x[static_cast<int64_t>(I) * a_i], row, sum[I]), ...);
  }
  if (const T* d = g.d; d) {
    d += i * g.ldd + j;
    ((read(d + static_cast<int64_t>(I) * g.ldd, 1, row), sum[I] += row), ...);
  }
  T* c = g.c + i * g.ldc + j;
  const int64_t step = g.ldc;
  (std::memcpy(c + static_cast<int64_t>(I) * step, &sum[I], sizeof(V)), ...);
}
template <class V, class T>
inline void tiny_columns(const heed::Gemm<T>& g, int64_t j) {
  int64_t i = 0;
  for (; i + 4 <= g.m; i += 4) tiny_block<V>(g, i, j, std::make_index_sequence<4>{});
  for (; i < g.m; ++i) tiny_block<V>(g, i, j, std::make_index_sequence<1>{});
}
template <class T>
void tiny_gemm(const heed::Gemm<T>& g) {
  int64_t j = 0;
  for (; j + 4 <= g.n; j += 4) tiny_columns<typename TinyTypes<T>::Four>(g, j);
  for (; j < g.n; ++j) tiny_columns<T>(g, j);
}

}  // namespace
