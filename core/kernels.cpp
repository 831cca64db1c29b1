#include "core/kernels.h"

#include <cmath>

#include "core/loops.h"
#include "core/vector_math.h"

namespace heed {

void add_into(Tensor& y, const Tensor& x) {
  require_same_dtype("add_into", y, x);
  const int64_t cols = x.rank() == 0 ? 0 : x.shape().back();
  if (cols > 0 && y.rank() > 0 && y.numel() == cols && y.shape().back() == cols && y.dense() &&
      x.dense())
    return dispatch(y.dtype(), "add_into", [&]<class T>() {
      vadd_rows(x.numel() / cols, cols, x.data<T>(), y.mutable_data<T>());
    });
  const Shape shape = broadcast_shape("add_into", y.shape(), x.shape());
  const Strides sy = broadcast_strides(y, shape), sx = broadcast_strides(x, shape);
  const RowLoop<2> loop(shape, {&sy, &sx});
  const int64_t n = loop.inner(), iy = loop.inner_step(0), ix = loop.inner_step(1);
  dispatch(y.dtype(), "add_into", [&]<class T>() {
    T* out = y.mutable_data<T>();
    const T* in = x.data<T>();
    loop.run([&](const auto& at) {
      T* o = out + at[0];
      const T* i = in + at[1];
      if (iy == 1 && ix == 1) {
        vaxpy(n, T(1), i, o);
      } else if (iy == 0 && ix == 1) {
        *o += vsum(n, i);
      } else {
        for (int64_t j = 0; j < n; ++j) o[j * iy] += i[j * ix];
      }
    });
  });
}

void copy_into(Tensor& y, const Tensor& x) {
  require_same_dtype("copy_into", y, x);
  require_shape("copy_into", "x", x, y.shape());
  const RowLoop<2> loop(y.shape(), {&y.strides(), &x.strides()});
  const int64_t n = loop.inner(), iy = loop.inner_step(0), ix = loop.inner_step(1);
  dispatch(y.dtype(), "copy_into", [&]<class T>() {
    T* out = y.mutable_data<T>();
    const T* in = x.data<T>();
    loop.run([&](const auto& at) {
      for (int64_t j = 0; j < n; ++j) out[at[0] + j * iy] = in[at[1] + j * ix];
    });
  });
}

void scale_in_place(Tensor& y, double factor) {
  dispatch(y.dtype(), "scale", [&]<class T>() {
    T* out = y.mutable_data<T>();
    const T f = static_cast<T>(factor);
    const RowLoop<1> loop(y.shape(), {&y.strides()});
    const int64_t n = loop.inner(), step = loop.inner_step(0);
    loop.run([&](const auto& at) {
      for (int64_t j = 0; j < n; ++j) out[at[0] + j * step] *= f;
    });
  });
}

double sum_of_squares(const Tensor& x) {
  double total = 0;
  const Tensor d = dense(x);
  dispatch(x.dtype(), "sum_of_squares", [&]<class T>() {
    const T* p = d.data<T>();
    constexpr int64_t kBlock = 4096;  // short f32 sums, added up in double
    for (int64_t i = 0; i < d.numel(); i += kBlock) {
      const int64_t n = std::min(kBlock, d.numel() - i);
      total += static_cast<double>(vdot(n, p + i, p + i));
    }
  });
  return total;
}

int64_t first_non_finite(const Tensor& x) {
  if (x.dtype() == i64) return -1;
  const Tensor d = dense(x);
  int64_t found = -1;
  dispatch(x.dtype(), "first_non_finite", [&]<class T>() {
    const T* p = d.data<T>();
    for (int64_t i = 0; i < d.numel(); ++i)
      if (!std::isfinite(p[i])) {
        found = i;
        return;
      }
  });
  return found;
}

}  // namespace heed
