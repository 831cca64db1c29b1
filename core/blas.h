// Matrix products, by cblas or by heed's own f32 kernel where that is faster, on tensors whose
// outer axes may be strided. Only this file and blas_core.cpp know that there is a BLAS. Both run
// at one thread: parallelism is across shards of the batch (docs/design.md).
#pragma once
#include <string>

#include "core/gemm.h"
#include "core/tensor.h"

namespace heed {

/// The product that `product` describes.
template <class T>
void gemm(const Gemm<T>& product);

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

/// c [m, n] = a^T b over all rows of a [..., m] and b [..., n], added to c or instead of it; c is
/// dense.
void add_product_into(Tensor& c, const Tensor& a, const Tensor& b, bool add = true);

/// BLAS's own account of itself: configuration, kernel ("core type") and threads.
std::string blas_config();
std::string blas_core();
int blas_threads();

}  // namespace heed
