#include "core/blas.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>

#include "core/buffer.h"
#include "core/detail/blas_core.h"
#include "core/vector_math.h"

#if defined(OPENBLAS_VERSION) || defined(OPENBLAS_CONST)
#define HEED_OPENBLAS 1
#endif

namespace heed {
namespace {

// BLAS threads slow small products down and would fight the shards: one thread, set before use; and
// the kernels that fit the CPU.
void prepare() {
#ifdef HEED_OPENBLAS
  static const bool done = [] {
    openblas_set_num_threads(1);
    choose_blas_core();
    return true;
  }();
  (void)done;
#endif
}

template <class T>
void rescale(int64_t m, int64_t n, T beta, T* c, int64_t ldc) {
  if (beta == T(1)) return;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
}

constexpr int64_t kThin = 1 << 14;  // m n k; larger ones are worth BLAS's preparations

// One number, or four that lie `step` apart.
template <class T>
void read(const T* x, int64_t, T& one) {
  one = *x;
}
template <class T, class Four>
void read(const T* x, int64_t step, Four& four) {
  if (step == 1)
    std::memcpy(&four, x, sizeof four);
  else
    four = Four{x[0], x[step], x[2 * step], x[3 * step]};
}

// Products of so few numbers that a look at how best to do it would take longer; empty sums too.
constexpr int64_t kTiny = 128;  // m n k
template <class T>
void tiny(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, const T* d, int64_t ldd, T* c, int64_t ldc) {
  const int64_t a_i = ta ? 1 : lda, a_l = ta ? lda : 1, b_l = tb ? 1 : ldb, b_j = tb ? ldb : 1;
  // R rows, and one column or four.
  const auto block = [=]<class V, int R>(int64_t i, int64_t j) {
    V sum[R] = {};
    const T *x = a + i * a_i, *y = b + j * b_j;
    for (int64_t l = 0; l < k; ++l, x += a_l, y += b_l) {
      V row;
      read(y, b_j, row);
      for (int r = 0; r < R; ++r) sum[r] += x[r * a_i] * row;
    }
    for (int r = 0; r < R; ++r) {
      sum[r] *= alpha;
      if (V old; beta != T(0)) {
        read(d + (i + r) * ldd + j, 1, old);
        sum[r] += beta * old;
      }
      std::memcpy(c + (i + r) * ldc + j, &sum[r], sizeof sum[r]);
    }
  };
  const auto columns = [=]<class V>(int64_t j) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) block.template operator()<V, 4>(i, j);
    for (; i < m; ++i) block.template operator()<V, 1>(i, j);
  };
  typedef T Four [[gnu::vector_size(4 * sizeof(T))]];
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) columns.template operator()<Four>(j);
  for (; j < n; ++j) columns.template operator()<T>(j);
}

// The products of attention, one query against one sentence, are a row times a matrix, and their
// gradients a column times a row: BLAS spends more on preparing those than on computing them.
// Returns false for every other product.
template <class T>
bool thin(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (!tb && (m == 1 || k == 1)) {  // every row of c is a sum of few rows of b
    rescale(m, n, beta, c, ldc);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t l = 0; l < k; ++l)
        vaxpy(n, alpha * a[ta ? l * lda + i : i * lda + l], b + l * ldb, c + i * ldc);
    return true;
  }
  if (tb && m == 1 && (!ta || lda == 1)) {  // every element of c is a product of two rows
    for (int64_t j = 0; j < n; ++j)
      c[j] = alpha * vdot(k, a, b + j * ldb) + (beta == T(0) ? T(0) : beta * c[j]);
    return true;
  }
  return false;
}

// Floats of one vector of the kernels that BLAS chose; 0: not known.
int blas_lanes() {
  static const int lanes = [] {
    const std::string core = blas_core();
    if (core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids") return 16;
    if (core == "Haswell" || core == "Zen" || core == "Sandybridge") return 8;
    return 0;
  }();
  return lanes;
}

// Whether a product's factors stay in the second cache: whole, or the part of them that is in use
// at a time; few rows are worth no copy of a b that is somewhat larger.
bool fits(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kCache = int64_t{1} << 18, kFew = 64;
  const int64_t depth = std::min(k, simd::kGemmDepth);
  return (m * k <= kCache && n * k <= (m <= kFew ? 4 * kCache : kCache)) ||
         (2 * m * depth < kCache && 2 * n * depth < kCache);
}

// heed's own product of matrices (core/simd/gemm.h), which reads factors that fit where they are
// and copies others part by part. Left to BLAS: all, where its vectors are wider than this
// program's; and large factors whose rows are a multiple of 4 KiB apart, and so in one place of the
// first cache.
bool multiply(const simd::Gemm& g) {
  constexpr int64_t kLeast = 3, kSamePlace = 1024;
  const int own = vector_table().lanes, other = blas_lanes();
  if (other == 0 || own < other || (g.tb && g.m < kLeast)) return false;
  const bool in_place = fits(g.m, g.n, g.k);
  if (!in_place && !g.ta && g.lda % kSamePlace == 0 && own == other) return false;
  const Buffer room = in_place ? Buffer() : Buffer(sizeof(float) * simd::kGemmRoom);
  vector_table().gemm(g, in_place ? nullptr : reinterpret_cast<float*>(room.data()));
  return true;
}

// c = alpha * op(a) op(b) + beta * d as in simd::Gemm; m, n, k > 0.
template <class T>
void larger(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
            const T* b, int64_t ldb, T beta, const T* d, int64_t ldd, T* c, int64_t ldc) {
  const auto put_d = [&] {  // for those who can only add to c
    if (d == c || beta == T(0)) return;
    for (int64_t i = 0; i < m; ++i) std::copy_n(d + i * ldd, n, c + i * ldc);
    d = c;
  };
  if (m * n * k <= kThin) {
    put_d();
    if (thin(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  }
  prepare();
  if constexpr (std::is_same_v<T, float>)
    if (multiply({ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, d, d == c ? ldc : ldd, c, ldc}))
      return;
  put_d();
  const auto transposed = [](bool t) { return t ? CblasTrans : CblasNoTrans; };
  const auto i32 = [](int64_t v) { return static_cast<int>(v); };
  const int la = i32(lda), lb = i32(ldb), lc = i32(ldc);
  if constexpr (std::is_same_v<T, float>) {
    cblas_sgemm(CblasRowMajor, transposed(ta), transposed(tb), i32(m), i32(n), i32(k), alpha, a, la,
                b, lb, beta, c, lc);
  } else {
    cblas_dgemm(CblasRowMajor, transposed(ta), transposed(tb), i32(m), i32(n), i32(k), alpha, a, la,
                b, lb, beta, c, lc);
  }
}

template <class T>
void gemm_onto(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
               const T* b, int64_t ldb, T beta, const T* d, int64_t ldd, T* c, int64_t ldc) {
  const auto product = m * n * k <= kTiny ? tiny<T> : larger<T>;
  product(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, d, ldd, c, ldc);
}

}  // namespace

template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  gemm_onto<T>(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, c, ldc);
}
template void gemm<float>(bool, bool, int64_t, int64_t, int64_t, float, const float*, int64_t,
                          const float*, int64_t, float, float*, int64_t);
template void gemm<double>(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t,
                           const double*, int64_t, double, double*, int64_t);

template <class T>
void affine(int64_t m, int64_t n, int64_t k, const T* x, int64_t ldx, const T* w, int64_t ldw,
            const T* bias, T* y, int64_t ldy) {
  const T beta = bias ? T(1) : T(0);
  gemm_onto<T>(false, true, m, n, k, T(1), x, ldx, w, ldw, beta, bias ? bias : y, 0, y, ldy);
}
template void affine<float>(int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t,
                            const float*, float*, int64_t);
template void affine<double>(int64_t, int64_t, int64_t, const double*, int64_t, const double*,
                             int64_t, const double*, double*, int64_t);

Matrix as_matrix(const Tensor& x) {
  if (x.rank() == 0) return {&x, 1, 1, 1};
  const int64_t cols = x.shape().back();
  const int64_t rows = x.shape().first(x.rank() - 1).numel();
  // One step fits when every outer axis continues the one inside it.
  int64_t step = -1, next = 0;  // -1: no axis with more than one row yet
  for (int a = x.rank() - 2; a >= 0; --a) {
    if (x.shape()[a] == 1) continue;
    if (step < 0) {
      step = x.stride(a);
    } else if (x.stride(a) != next) {
      return {&x, rows, cols, cols, dense(x)};
    }
    next = x.stride(a) * x.shape()[a];
  }
  if (step < 0) step = cols;                                 // a single row
  if (step < cols) return {&x, rows, cols, cols, dense(x)};  // a broadcast axis: BLAS needs rows
  return {&x, rows, cols, step};
}

void add_product_into(Tensor& c, const Tensor& a, const Tensor& b, int beta) {
  dispatch(c.dtype(), "product", [&]<class T>() {
    const Matrix ma = as_matrix(a), mb = as_matrix(b);
    gemm<T>(true, false, ma.cols, mb.cols, ma.rows, T(1), ma.data<T>(), ma.step, mb.data<T>(),
            mb.step, T(beta), c.mutable_data<T>(), mb.cols);
  });
}

#ifdef HEED_OPENBLAS
std::string blas_config() {
  return openblas_get_config();
}
std::string blas_core() {
  return openblas_get_corename();
}
int blas_threads() {
  prepare();
  return openblas_get_num_threads();
}
#else
std::string blas_config() {
  return "cblas (not OpenBLAS)";
}
std::string blas_core() {
  return "unknown";
}
int blas_threads() {
  return 1;
}
#endif

}  // namespace heed
