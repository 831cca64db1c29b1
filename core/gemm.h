// A product of matrices, as data: what heed's own kernels and BLAS are both told.
#pragma once
#include <cstdint>

namespace heed {

/// c [m, n] = op(a) [m, k] op(b) [k, n] + d, op(x) = x or x transposed. All row-major; the rows of
/// each are `ld` elements apart. d is c itself, another matrix, one row for all of them (ldd = 0),
/// or null: then nothing is added, and c is not read. Any of m, n, k may be 0. Subnormal numbers
/// may count as 0.
template <class T>
struct Gemm {
  bool ta, tb;
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T* c;
  int64_t ldc;
  const T* d = nullptr;
  int64_t ldd = 0;
};

}  // namespace heed
