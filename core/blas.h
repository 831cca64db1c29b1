// Matrix products, by cblas or by heed's own f32 kernel where that is faster, on tensors whose
// outer axes may be strided. Only this file and blas_core.cpp know that there is a BLAS. Both run
// at one thread: parallelism is across shards of the batch (docs/design.md).
#pragma once
#include <string>

#include "core/tensor.h"

namespace heed {

/// c[m,n] = alpha * op(a)[m,k] op(b)[k,n] + beta * c, row-major with leading dimensions, op(x) = x
/// or x transposed. Any of m, n, k may be 0.
template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// y [m, n] = x [m, k] w [n, k]^T + bias [n] in every row; without a bias where it is null.
template <class T>
void affine(int64_t m, int64_t n, int64_t k, const T* x, int64_t ldx, const T* w, int64_t ldw,
            const T* bias, T* y, int64_t ldy);

/// A tensor [..., n] seen as rows of n with one step between rows (what BLAS calls the leading
/// dimension), while that tensor lives.
struct Matrix {
  const Tensor* of;
  int64_t rows = 0, cols = 0, step = 0;
  Tensor copy{};  // dense, where no single step exists; it is then read in place of `of`
  template <class T>
  const T* data() const {
    return (copy.defined() ? copy : *of).data<T>();
  }
};
Matrix as_matrix(const Tensor& x);
Matrix as_matrix(Tensor&& x) = delete;

/// c [m, n] = beta c + a^T b over all rows of a [..., m] and b [..., n]; c is dense, and not read
/// where beta is 0.
void add_product_into(Tensor& c, const Tensor& a, const Tensor& b, int beta = 1);

/// BLAS's own account of itself: configuration, kernel ("core type") and threads.
std::string blas_config();
std::string blas_core();
int blas_threads();

}  // namespace heed
