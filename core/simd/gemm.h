// A matrix product for factors that fit the caches: no copy of a, b read in place (or turned in
// panels where it is transposed), the result kept in registers. BLAS copies both factors before it
// begins, which costs more than the product itself when there are few rows. Included only by
// core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here has
// internal linkage.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace {

// Lanes of a vector, and rows of a block: 2 * kRows accumulators, two vectors of b and one
// broadcast element of a fit the registers (32 of AVX-512, 16 else).
#if defined(__AVX512F__)
constexpr int kLane = 16, kRows = 12;
#elif defined(__AVX2__)
constexpr int kLane = 8, kRows = 6;
#else
constexpr int kLane = 4, kRows = 6;
#endif
constexpr int64_t kPanel = 2 * kLane;  // columns of c that one block computes
constexpr int64_t kDepth = 256;        // rows of b at a time: a panel of them fits the first cache

typedef float Vec __attribute__((vector_size(sizeof(float) * kLane)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) {
  std::memcpy(p, &v, sizeof v);
}
inline Vec all_lanes(float x) {
  return x - Vec{};  // of which no instruction is left, as x - 0 is x, -0 too
}
// x * y + z, rounded once where the CPU can. Spelt out, because a compiler that may fuse a product
// and a sum does so in blocks of some numbers of rows and not in others, and then a row's result
// depends on the rows beside it.
inline Vec multiply_add(Vec x, Vec y, Vec z) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(x, y, z);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(x, y, z);
#elif defined(__FP_FAST_FMAF)
  for (int l = 0; l < kLane; ++l) z[l] = __builtin_fmaf(x[l], y[l], z[l]);
  return z;
#else
  return x * y + z;
#endif
}
// The first n elements, where n <= kLane (the others 0): compilers make masked moves of these.
inline Vec load_first(int64_t n, const float* p) {
  float v[kLane];
  for (int64_t l = 0; l < kLane; ++l) {
    float t = 0.0f;
    if (l < n) t = p[l];
    v[l] = t;
  }
  return load(v);
}
inline void store_first(int64_t n, float* p, Vec y) {
  float v[kLane];
  store(v, y);
  for (int64_t l = 0; l < kLane; ++l)
    if (l < n) p[l] = v[l];
}

struct Block {
  int64_t depth;
  const float* a;
  int64_t a_row, a_col;  // steps from a row, a column of op(a) to the next
  const float* b;        // [depth, V * kLane] with step ldb
  int64_t ldb;
  float* c;  // [R, V * kLane] with step ldc
  int64_t ldc;
  float alpha, beta;
};

// c = alpha * op(a) b + beta * c for R rows and V vectors of columns.
template <int R, int V>
void block(const Block& s) {
  Vec sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Vec{};
  const float *a = s.a, *b = s.b;
  for (int64_t l = 0; l < s.depth; ++l, a += s.a_col, b += s.ldb) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = load(b + v * kLane);
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v)
        sum[r][v] = multiply_add(all_lanes(a[r * s.a_row]), row[v], sum[r][v]);
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      float* c = s.c + r * s.ldc + v * kLane;
      const Vec y = s.alpha * sum[r][v];
      store(c, s.beta == 0.0f ? y : multiply_add(all_lanes(s.beta), load(c), y));
    }
}

using BlockOf = void (*)(const Block&);
template <int V, size_t... I>
BlockOf block_of(int64_t rows, std::index_sequence<I...>) {
  static constexpr BlockOf all[] = {block<static_cast<int>(I) + 1, V>...};
  return all[rows - 1];
}

// low and high together: a[0], b[0], a[1], b[1], ... (clang and g++ spell it differently, and g++
// 11 does not know clang's spelling.)
template <size_t... I>
void riffle(Vec a, Vec b, Vec& low, Vec& high, std::index_sequence<I...>) {
#ifdef __clang__
  low = __builtin_shufflevector(a, b, (I / 2 + (I % 2) * kLane)...);
  high = __builtin_shufflevector(a, b, (I / 2 + kLane / 2 + (I % 2) * kLane)...);
#else
  typedef int Places __attribute__((vector_size(sizeof(Vec))));
  low = __builtin_shuffle(a, b, Places{static_cast<int>(I / 2 + (I % 2) * kLane)...});
  high = __builtin_shuffle(a, b, Places{static_cast<int>(I / 2 + kLane / 2 + (I % 2) * kLane)...});
#endif
}

// to[l][j] = from[j][l] for up to kLane rows and columns of `from`; the columns of `to` that have
// no row are 0. log2(kLane) times, rows i and i + kLane / 2 are riffled into rows 2 i and 2 i + 1.
inline void transpose_tile(int64_t rows, int64_t cols, const float* from, int64_t ld_from,
                           float* to, int64_t ld_to) {
  Vec v[kLane], w[kLane];
  for (int i = 0; i < kLane; ++i) {
    v[i] = Vec{};
    if (i >= rows) continue;
    v[i] = cols == kLane ? load(from + i * ld_from) : load_first(cols, from + i * ld_from);
  }
  for (int width = 1; width < kLane; width *= 2) {
    for (int i = 0; i < kLane / 2; ++i)
      riffle(v[i], v[i + kLane / 2], w[2 * i], w[2 * i + 1], std::make_index_sequence<kLane>{});
    for (int i = 0; i < kLane; ++i) v[i] = w[i];
  }
  for (int i = 0; i < cols; ++i) store(to + i * ld_to, v[i]);
}

// A panel of op(b), [depth, kPanel]: `cols` columns of it, the rest 0.
inline void fill_panel(bool transposed, int64_t depth, int64_t cols, const float* b, int64_t ldb,
                       float* panel) {
  if (!transposed) {
    const int64_t low = cols < kLane ? cols : kLane;
    for (int64_t l = 0; l < depth; ++l) {
      store(panel + l * kPanel, load_first(low, b + l * ldb));
      if (cols > kLane)
        store(panel + l * kPanel + kLane, load_first(cols - kLane, b + l * ldb + kLane));
    }
    return;
  }
  for (int64_t j = 0; j < cols; j += kLane)
    for (int64_t l = 0; l < depth; l += kLane)
      transpose_tile(cols - j < kLane ? cols - j : kLane, depth - l < kLane ? depth - l : kLane,
                     b + j * ldb + l, ldb, panel + l * kPanel + j, kPanel);
}

// One panel of columns of c, all rows. `s` is the block of the first row, for whole panels.
void columns(const Block& s, int64_t m, int64_t cols) {
  alignas(64) float edge[kRows * kPanel];
  const int64_t blocks = (m + kRows - 1) / kRows;
  constexpr auto all = std::make_index_sequence<kRows>{};
  const bool narrow = cols <= kLane, whole = cols == kPanel || cols == kLane;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first = i * m / blocks, rows = (i + 1) * m / blocks - first;
    Block at = s;
    at.a += first * s.a_row;
    at.c += first * s.ldc;
    float* c = at.c;
    if (!whole) at.c = edge, at.ldc = kPanel, at.beta = 0.0f;
    (narrow ? block_of<1>(rows, all) : block_of<2>(rows, all))(at);
    if (whole) continue;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < cols; j += kLane) {
        const int64_t n = cols - j < kLane ? cols - j : kLane;
        float* to = c + r * s.ldc + j;
        const Vec y = load(edge + r * kPanel + j);
        const Vec before = s.beta == 0.0f ? Vec{} : load_first(n, to);
        store_first(n, to, s.beta == 0.0f ? y : multiply_add(all_lanes(s.beta), before, y));
      }
  }
}

void gemm_all(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
              int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  alignas(64) float panel[kDepth * kPanel];
  const int64_t a_row = ta ? 1 : lda, a_col = ta ? lda : 1;
  for (int64_t from = 0; from < k; from += kDepth) {
    const int64_t depth = k - from < kDepth ? k - from : kDepth;
    for (int64_t j = 0; j < n; j += kPanel) {
      const int64_t cols = n - j < kPanel ? n - j : kPanel;
      const float* at = tb ? b + j * ldb + from : b + from * ldb + j;
      const bool copied = tb || (cols != kPanel && cols != kLane);
      if (copied) fill_panel(tb, depth, cols, at, ldb, panel);
      columns({depth, a + from * a_col, a_row, a_col, copied ? panel : at, copied ? kPanel : ldb,
               c + j, ldc, alpha, from == 0 ? beta : 1.0f},
              m, cols);
    }
  }
}

}  // namespace
