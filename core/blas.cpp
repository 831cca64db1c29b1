#include "core/blas.h"

#include <cblas.h>

#include <algorithm>
#include <utility>

#include "core/buffer.h"
#include "core/detail/blas_core.h"
#include "core/detail/flush_subnormals.h"
#include "core/simd/tiny_gemm.h"
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

// m n k up to which a product is computed by `tiny_gemm`, empty sums too, and up to which one of a
// single row or column is by `thin`. Larger ones are worth BLAS's preparations.
constexpr int64_t kTiny = 128, kThin = 1 << 14;

// d to where the sums will be, for those who can only add to c.
template <class T>
void set_to_d(const Gemm<T>& g) {
  for (int64_t i = 0; i < g.m && g.d != g.c; ++i) {
    if (g.d)
      std::copy_n(g.d + i * g.ldd, g.n, g.c + i * g.ldc);
    else
      std::fill_n(g.c + i * g.ldc, g.n, T(0));
  }
}

// The products of attention, one query against one sentence, are a row times a matrix, and their
// gradients a column times a row: BLAS spends more on preparing those than on computing them.
// Returns false for every other product.
template <class T>
bool thin(const Gemm<T>& g) {
  if (!g.tb && (g.m == 1 || g.k == 1)) {  // every row of c is a sum of few rows of b
    set_to_d(g);
    for (int64_t i = 0; i < g.m; ++i)
      for (int64_t l = 0; l < g.k; ++l)
        vaxpy(g.n, g.a[g.ta ? l * g.lda + i : i * g.lda + l], g.b + l * g.ldb, g.c + i * g.ldc);
    return true;
  }
  if (g.tb && g.m == 1 && (!g.ta || g.lda == 1)) {  // every element of c is a product of two rows
    for (int64_t j = 0; j < g.n; ++j)
      g.c[j] = vdot(g.k, g.a, g.b + j * g.ldb) + (g.d ? g.d[j] : T(0));
    return true;
  }
  return false;
}

// Whether a product's factors stay in the second cache: whole, or the part of them that is in use
// at a time; few rows are worth no copy of a b that is somewhat larger. But the columns of a large
// a that is transposed are too far apart for the first cache, and many columns of b are worth a
// copy.
bool fits(const Gemm<float>& g) {
  constexpr int64_t kCache = int64_t{1} << 18, kFew = 64, kMany = 256;
  const int64_t a = g.m * g.k, b = g.n * g.k, depth = std::min(g.k, simd::kGemmDepth);
  if (g.ta && g.n >= kMany && 4 * a >= kCache) return false;
  return (a <= kCache && b <= (g.m <= kFew ? 4 * kCache : kCache)) ||
         (2 * g.m * depth < kCache && 2 * g.n * depth < kCache);
}

// heed's own product of matrices (core/simd/gemm.h), which reads factors that fit where they are
// and copies others part by part. Left to BLAS: all, where its vectors are wider than this
// program's; and large factors whose rows are a multiple of 4 KiB apart, and so in one place of the
// first cache.
bool multiply(const Gemm<float>& g) {
  constexpr int64_t kLeast = 3, kSamePlace = 1024;
  static const int other = lanes_of_blas_core(blas_core());
  const int own = vector_table().lanes;
  if (other == 0 || own < other || (g.tb && g.m < kLeast)) return false;
  const bool in_place = fits(g);
  if (!in_place && !g.ta && g.lda % kSamePlace == 0 && own == other) return false;
  const Buffer room = in_place ? Buffer() : Buffer(sizeof(float) * simd::kGemmRoom);
  vector_table().gemm(g, in_place ? nullptr : reinterpret_cast<float*>(room.data()));
  return true;
}

// Not inlined, so that tiny products do not pay for its registers.
template <class T>
[[gnu::noinline]] void larger(const Gemm<T>& g) {
  if (g.m * g.n * g.k <= kThin && thin(g)) return;
  prepare();
  const FlushSubnormals flush;
  if constexpr (std::is_same_v<T, float>)
    if (multiply(g)) return;
  const bool add = g.d != nullptr;
  if (add) set_to_d(g);
  const auto transposed = [](bool t) { return t ? CblasTrans : CblasNoTrans; };
  const auto i32 = [](int64_t v) { return static_cast<int>(v); };
  const auto blas = [] {
    if constexpr (std::is_same_v<T, float>)
      return cblas_sgemm;
    else
      return cblas_dgemm;
  }();
  blas(CblasRowMajor, transposed(g.ta), transposed(g.tb), i32(g.m), i32(g.n), i32(g.k), T(1), g.a,
       i32(g.lda), g.b, i32(g.ldb), add ? T(1) : T(0), g.c, i32(g.ldc));
}

}  // namespace

template <class T>
void gemm(const Gemm<T>& g) {
  if (g.m * g.n * g.k > kTiny) return larger(g);
  if constexpr (std::is_same_v<T, float>)
    vector_table().tiny_gemm(g);
  else
    tiny_gemm(g);
}
template void gemm<float>(const Gemm<float>&);
template void gemm<double>(const Gemm<double>&);

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

void add_product_into(Tensor& c, const Tensor& a, const Tensor& b, bool add) {
  dispatch(c.dtype(), "product", [&]<class T>() {
    const Matrix ma = as_matrix(a), mb = as_matrix(b);
    T* out = c.mutable_data<T>();
    gemm<T>({true, false, ma.cols, mb.cols, ma.rows, ma.data<T>(), ma.step, mb.data<T>(), mb.step,
             out, mb.cols, add ? out : nullptr, mb.cols});
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
