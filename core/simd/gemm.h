// Matrix products whose sums stay in registers, in two ways that add up the same numbers in the
// same order. In place, for factors that fit the caches: a is read where it is, and so is b, or it
// is turned in panels where it is transposed; BLAS copies both factors before it begins, which
// costs more than the product itself when there are few rows. Copied, for larger ones. Included
// only by core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here
// has internal linkage.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "core/simd/riffle.h"
#include "core/simd/table.h"

namespace {

using Gemm = heed::Gemm<float>;

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
// Rows of b at a time: a panel of them fits the first cache.
constexpr int64_t kDepth = heed::simd::kGemmDepth;
constexpr int64_t kWide = 512;  // columns of b, if copied: kDepth rows of them fit the second
static_assert(kDepth * (kWide + kRows) <= heed::simd::kGemmRoom);

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
// The first n elements, where n <= kLane (the others 0).
inline Vec load_first(int64_t n, const float* p) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
  float v[kLane];
  for (int64_t l = 0; l < kLane; ++l) {
    float t = 0.0f;
    if (l < n) t = p[l];
    v[l] = t;
  }
  return load(v);
#endif
}
inline void store_first(int64_t n, float* p, Vec y) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), y);
#else
  float v[kLane];
  store(v, y);
  for (int64_t l = 0; l < kLane; ++l)
    if (l < n) p[l] = v[l];
#endif
}

// What is multiplied for one block of c, and where its R rows and V vectors of columns go.
struct Factors {
  int64_t depth;
  const float* a;
  int64_t a_row, a_col;  // steps from a row, a column of op(a) to the next
  const float* b;        // [depth, V * kLane] with step ldb
  int64_t ldb;
};
struct Target {
  const float* d;  // like c, or null
  int64_t ldd;
  float* c;  // [R, (V - 1) * kLane + last] with step ldc
  int64_t ldc, last;
};

// c = op(a) b + d for R rows and V vectors of columns. I counts the R * V sums: with constant
// places all of them stay in registers, where loops over them would begin in memory. The rows of a
// are reached from every fourth of them: a pointer or a step for each is more than there are
// registers for, and fetching it from elsewhere takes the place of a multiplication.
template <int R, int V, size_t... I>
inline void sum_block(const Factors& s, const Target& t, std::index_sequence<I...>) {
  constexpr auto row = [](size_t i) { return static_cast<int64_t>(i) / V; };
  constexpr auto col = [](size_t i) { return static_cast<int64_t>(i) % V; };
  constexpr int64_t kFourths = (R + 3) / 4;
  const float *a[kFourths], *b = s.b;
  for (int64_t f = 0; f < kFourths; ++f) a[f] = s.a + 4 * f * s.a_row;
  const int64_t step = s.a_row, step3 = 3 * s.a_row;
  const auto element = [&](int64_t r) {
    const float* at = a[r / 4];
    return r % 4 == 0 ? at[0] : r % 4 == 1 ? at[step] : r % 4 == 2 ? at[2 * step] : at[step3];
  };
  Vec start[V] = {};  // one row for all of them, or nothing
  if (t.d && t.ldd == 0)
    for (int v = 0; v < V; ++v)
      start[v] = v < V - 1 ? load(t.d + v * kLane) : load_first(t.last, t.d + v * kLane);
  Vec sum[R * V] = {start[col(I)]...};
  for (int64_t l = 0; l < s.depth; ++l, b += s.ldb) {
    Vec at[V];
    for (int v = 0; v < V; ++v) at[v] = load(b + v * kLane);
    ((sum[I] = multiply_add(all_lanes(element(row(I))), at[col(I)], sum[I])), ...);
    for (int64_t f = 0; f < kFourths; ++f) a[f] += s.a_col;
  }
  // Read here, because no register was left for them before, and once, because a store to c could
  // change them as far as a compiler can see.
  const int64_t last = t.last, ldc = t.ldc, ldd = t.ldd;
  const float* const d = t.d;
  float* const c = t.c;
  const auto put = [=](int64_t r, int64_t v, Vec y) {
    const bool whole = v < V - 1 || last == kLane;
    float* to = c + r * ldc + v * kLane;
    if (d && ldd != 0) {
      const float* from = d + r * ldd + v * kLane;
      y += whole ? load(from) : load_first(last, from);
    }
    whole ? store(to, y) : store_first(last, to, y);
  };
  (put(row(I), col(I), sum[I]), ...);
}
template <int R, int V>
void block(const Factors& s, const Target& t) {
  sum_block<R, V>(s, t, std::make_index_sequence<static_cast<size_t>(R) * V>{});
}

using BlockOf = void (*)(const Factors&, const Target&);
template <int V, size_t... I>
BlockOf block_of(int64_t rows, std::index_sequence<I...>) {
  static constexpr BlockOf all[] = {block<static_cast<int>(I) + 1, V>...};
  return all[rows - 1];
}

// Rows i and i + kLane / 2 are riffled into rows 2 i and 2 i + 1.
template <size_t... I>
inline void riffle_rows(Vec (&v)[kLane], std::index_sequence<I...>) {
  Vec w[kLane];
  (riffle(v[I], v[I + kLane / 2], w[2 * I], w[2 * I + 1], std::make_index_sequence<kLane>{}), ...);
  ((v[2 * I] = w[2 * I], v[2 * I + 1] = w[2 * I + 1]), ...);
}

// to[l][j] = from[j][l] for up to kLane rows and columns of `from`; what has no row or column there
// is anything. Riffled log2(kLane) times; all rows stay in registers, as I counts them.
template <bool Whole, size_t... I>
inline void transpose_tile(int64_t rows, int64_t cols, const float* from, int64_t ld_from,
                           float* to, std::index_sequence<I...>) {
  const auto row = [=](int64_t i) {
    const float* at = from + (i < rows ? i : 0) * ld_from;
    return Whole ? load(at) : load_first(cols, at);
  };
  Vec v[kLane] = {row(static_cast<int64_t>(I))...};
  for (int width = 1; width < kLane; width *= 2)
    riffle_rows(v, std::make_index_sequence<kLane / 2>{});
  (store(to + static_cast<int64_t>(I) * kPanel, v[I]), ...);
}

// A panel of op(b), [depth, kPanel]: `cols` columns of it, the rest anything. Not inlined: its
// registers are no concern of products that copy nothing.
__attribute__((noinline)) void fill_panel(bool transposed, int64_t depth, int64_t cols,
                                          const float* b, int64_t ldb, float* panel) {
  if (!transposed) {
    const int64_t low = cols < kLane ? cols : kLane;
    for (int64_t l = 0; l < depth; ++l) {
      store(panel + l * kPanel, load_first(low, b + l * ldb));
      if (cols > kLane)
        store(panel + l * kPanel + kLane, load_first(cols - kLane, b + l * ldb + kLane));
    }
    return;
  }
  constexpr auto all = std::make_index_sequence<kLane>{};
  for (int64_t j = 0; j < cols; j += kLane)
    for (int64_t l = 0; l < depth; l += kLane) {
      const int64_t rows = cols - j < kLane ? cols - j : kLane;
      const float* at = b + j * ldb + l;
      float* to = panel + l * kPanel + j;
      if (depth - l >= kLane)
        transpose_tile<true>(rows, kLane, at, ldb, to, all);
      else
        transpose_tile<false>(rows, depth - l, at, ldb, to, all);
    }
}

// The block of c at row i, column j, of what the columns `from` ... of op(a) add to it: the first
// ones to d, the others to what is there by then.
inline void run_block(const Gemm& g, int64_t i, int64_t rows, int64_t j, int64_t cols, int64_t from,
                      const Factors& s) {
  constexpr auto all = std::make_index_sequence<kRows>{};
  const bool narrow = cols <= kLane, first = from == 0;
  float* const c = g.c + i * g.ldc + j;
  const Target t{.d = !first ? c
                      : g.d  ? g.d + i * g.ldd + j
                             : nullptr,
                 .ldd = first ? g.ldd : g.ldc,
                 .c = c,
                 .ldc = g.ldc,
                 .last = narrow ? cols : cols - kLane};
  (narrow ? block_of<1>(rows, all) : block_of<2>(rows, all))(s, t);
}

// std::min may be emitted as a function that all instruction sets share.
inline int64_t least(int64_t x, int64_t y) {
  return x < y ? x : y;
}

// Asks for columns first <= l < last of some rows of op(a), before they are needed.
inline void fetch(bool ta, int64_t rows, int64_t first, int64_t last, const float* a, int64_t lda) {
  constexpr int64_t kLine = 16;
  if (ta)
    for (int64_t l = first; l < last; ++l) __builtin_prefetch(a + l * lda + rows - 1, 0, 2);
  else
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t l = first; l < last; l += kLine) __builtin_prefetch(a + r * lda + l, 0, 2);
}

// Asks for the part of c that a block will end in, before it is multiplied.
inline void fetch_result(const float* c, int64_t ldc, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, c += ldc) {
    __builtin_prefetch(c, 1);
    __builtin_prefetch(c + cols / 2, 1);
    __builtin_prefetch(c + cols - 1, 1);
  }
}

// Factors that fit the caches, where they are; but b in panels where it is turned.
void in_place(const Gemm& g) {
  constexpr int64_t kWait = 64;  // fewer columns of a are multiplied before c could come
  alignas(64) float panel[kDepth * kPanel];
  const int64_t a_row = g.ta ? 1 : g.lda, a_col = g.ta ? g.lda : 1;
  const int64_t blocks = (g.m + kRows - 1) / kRows;
  for (int64_t from = 0; from < g.k; from += kDepth) {
    const int64_t depth = least(kDepth, g.k - from);
    for (int64_t j = 0; j < g.n; j += kPanel) {
      const int64_t cols = least(kPanel, g.n - j);
      const float* b = g.tb ? g.b + j * g.ldb + from : g.b + from * g.ldb + j;
      const bool turned = g.tb || (cols != kPanel && cols != kLane);
      if (turned) fill_panel(g.tb, depth, cols, b, g.ldb, panel);
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t i = block * g.m / blocks, next = (block + 1) * g.m / blocks;
        if (depth >= kWait) fetch_result(g.c + i * g.ldc + j, g.ldc, next - i, cols);
        run_block(g, i, next - i, j, cols, from,
                  {.depth = depth,
                   .a = g.a + i * a_row + from * a_col,
                   .a_row = a_row,
                   .a_col = a_col,
                   .b = turned ? panel : b,
                   .ldb = turned ? kPanel : g.ldb});
      }
    }
  }
}

// Rows of the transposed a, one block of them in the order of use: [depth, kRows].
void fill_rows(int64_t rows, int64_t depth, const float* a, int64_t lda, float* to) {
  if (rows == kRows)  // a number that is known here: two moves instead of a call
    for (int64_t l = 0; l < depth; ++l)
      std::memcpy(to + l * kRows, a + l * lda, sizeof(float) * kRows);
  else
    for (int64_t l = 0; l < depth; ++l)
      std::memcpy(to + l * kRows, a + l * lda, sizeof(float) * static_cast<size_t>(rows));
}

// `room` for kDepth * (kWide + kRows) numbers: panels of b, then rows of a where it is transposed.
void copied(const Gemm& g, float* room) {
  const int64_t a_row = g.ta ? 1 : g.lda, a_col = g.ta ? g.lda : 1;
  float* const turned = room + kDepth * kWide;
  for (int64_t left = 0; left < g.n; left += kWide) {
    const int64_t right = least(left + kWide, g.n);
    for (int64_t from = 0; from < g.k; from += kDepth) {
      const int64_t depth = least(kDepth, g.k - from);
      for (int64_t j = left; j < right; j += kPanel)
        fill_panel(g.tb, depth, least(kPanel, right - j),
                   g.tb ? g.b + j * g.ldb + from : g.b + from * g.ldb + j, g.ldb,
                   room + (j - left) * kDepth);
      for (int64_t i = 0; i < g.m; i += kRows) {
        const int64_t rows = least(kRows, g.m - i), next = least(kRows, g.m - i - rows);
        const int64_t share = depth * kPanel / (right - left) + 1;  // of the next rows, per panel
        const float* a = g.a + i * a_row + from * a_col;
        if (g.ta) fill_rows(rows, depth, a, g.lda, turned);
        for (int64_t j = left; j < right; j += kPanel) {
          const int64_t cols = least(kPanel, right - j), at = (j - left) / kPanel * share;
          if (next > 0) fetch(g.ta, next, at, least(at + share, depth), a + rows * a_row, g.lda);
          fetch_result(g.c + i * g.ldc + j, g.ldc, rows, cols);
          run_block(g, i, rows, j, cols, from,
                    {.depth = depth,
                     .a = g.ta ? turned : a,
                     .a_row = a_row,
                     .a_col = g.ta ? kRows : a_col,
                     .b = room + (j - left) * kDepth,
                     .ldb = kPanel});
        }
      }
    }
  }
}

void gemm_all(const Gemm& product, float* room) {
  if (room)
    copied(product, room);
  else
    in_place(product);
}

}  // namespace
