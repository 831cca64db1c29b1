// Whole-tensor kernels without gradients that several parts of the library share.
#pragma once
#include "core/tensor.h"

namespace heed {

/// y += x over their broadcast shape. Where x is smaller it is stretched; where y is smaller the
/// sum over the stretched axes is added (this is how every gradient is un-broadcast). Exactly one
/// of them may be the smaller along an axis.
void add_into(Tensor& y, const Tensor& x);

/// y = x, same shape, either strided.
void copy_into(Tensor& y, const Tensor& x);

/// y *= factor, in place.
void scale_in_place(Tensor& y, double factor);

/// Sum of squares in double precision.
double sum_of_squares(const Tensor& x);

/// Flat index (row-major) of the first NaN or infinity, or -1.
int64_t first_non_finite(const Tensor& x);

}  // namespace heed
