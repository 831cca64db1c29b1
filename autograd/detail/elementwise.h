// What the elementwise ops share: the shape rule of two operands, the forward loop, and the loop
// that adds to a gradient. Private to autograd/.
#pragma once
#include <string_view>

#include "autograd/ops.h"
#include "core/loops.h"

namespace heed::elementwise {

// Shape rule of all binary ops.
inline Shape binary_shape(std::string_view op, const Tensor& a, const Tensor& b) {
  require_defined(op, "a", a);
  require_defined(op, "b", b);
  require_same_dtype(op, a, b);
  return broadcast_shape(op, a.shape(), b.shape());
}

// f applied to every element, in the tensor's dtype.
template <class F>
Tensor apply(std::string_view op, const Tensor& x, F f) {
  require_defined(op, "x", x);
  return dispatch(x.dtype(), op,
                  [&]<class T>() { return map<T>(x, [&](T v) { return T(f(v)); }); });
}
template <class F>
Tensor apply(std::string_view op, const Tensor& a, const Tensor& b, F f) {
  const Shape shape = binary_shape(op, a, b);
  return dispatch(a.dtype(), op, [&]<class T>() {
    return zip<T>(shape, a, b, [&](T u, T v) { return T(f(u, v)); });
  });
}

// dx += f(a, b), elementwise over the output's shape, to which the input may have been stretched.
template <class F>
void accumulate(GradFlow& flow, int i, const Tensor& a, const Tensor& b, F f) {
  if (!flow.wants(i)) return;
  const Shape& shape = flow.dy().shape();
  dispatch(a.dtype(), "backward", [&]<class T>() {
    const auto g = [&](T u, T v) { return T(f(u, v)); };
    if (flow.shape(i) != shape)
      flow.add(i, zip<T>(shape, a, b, g));
    else if (flow.has_dx(i))
      zip_add<T>(flow.dx(i), a, b, g);
    else
      zip_set<T>(flow.first_dx(i), a, b, g);
  });
}

// dx += f(a, dy) of an op with one input, whose gradient may take the place of dy.
template <class F>
void accumulate(GradFlow& flow, const Tensor& a, F f) {
  if (flow.has_dx(0)) return accumulate(flow, 0, a, flow.dy(), f);
  Tensor& dx = flow.over_dy();
  dispatch(a.dtype(), "backward",
           [&]<class T>() { zip_set<T>(dx, a, flow.dy(), [&](T u, T v) { return T(f(u, v)); }); });
  flow.add(0, std::move(dx));
}

}  // namespace heed::elementwise
