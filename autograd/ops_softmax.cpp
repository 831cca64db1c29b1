// Softmax and its logarithm, over the kept positions of the last axis.
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {
namespace {

// Rows of the last axis, with the shape rule of both ops.
struct Rows {
  Tensor x;  // dense
  int64_t n, count;
  Rows(std::string_view op, const Tensor& in, const Mask& mask) {
    require_defined(op, "x", in);
    require(in.rank() >= 1, "{}: expected at least one axis, got a scalar", op);
    mask.check(op, in.shape());
    x = dense(in);
    n = in.shape().back();
    count = n == 0 ? 0 : in.numel() / n;
  }
};

// Copies the kept positions of a row to the front of `to`, returns how many there are.
template <class T>
int64_t gather(const Mask::Row& row, const T* from, T* to) {
  int64_t kept = 0;
  for (int64_t j = 0; j < row.limit; ++j)
    if (row[j]) to[kept++] = from[j];
  return kept;
}

}  // namespace

struct Softmax {
  static constexpr OpInfo info{.name = "softmax",
                               .inputs = {"x"},
                               .forward = "y = exp(x - max x) / sum exp(x - max x), kept positions",
                               .backward = {"dx += y * (dy - sum(y * dy))"}};  // diag(y) - y y^T
  Saved y;  // [..., n]; 0 at masked positions, which is all that the mask means for backward
  Mask mask;
  void saved(SavedVisitor& see) const { see("y", y); }
  void attributes(AttributeVisitor& see) const { see("mask", mask); }
  void backward(GradFlow& flow) const {
    if (!flow.wants(0)) return;
    const Tensor dy = dense(flow.dy());
    Tensor dx = Tensor::empty(y->shape(), y->dtype());
    const int64_t n = y->shape().back(), rows = n == 0 ? 0 : y->numel() / n;
    dispatch(dy.dtype(), "softmax", [&]<class T>() {
      vsoftmax_backward(rows, n, y->data<T>(), dy.data<T>(), dx.mutable_data<T>());
    });
    flow.add(0, dx);
  }
};

Tensor softmax(const Tensor& x, const Mask& mask) {
  const Rows in("softmax", x, mask);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch(x.dtype(), "softmax", [&]<class T>() {
    const T* from = in.x.data<T>();
    T* to = y.mutable_data<T>();
    if (mask.keeps_first()) {
      const List<int64_t> kept = mask.limits(x.shape());
      return vsoftmax(in.count, in.n, kept.empty() ? nullptr : kept.data(), from, to);
    }
    List<T> packed(static_cast<size_t>(in.n));
    for (int64_t r = 0; r < in.count; ++r, from += in.n, to += in.n) {
      const Mask::Row row = mask.row(x.shape(), r);
      const int64_t kept = gather(row, from, packed.data());
      vsoftmax(1, in.n, &kept, packed.data(), packed.data());
      for (int64_t j = 0, k = 0; j < in.n; ++j)
        to[j] = row[j] ? packed[static_cast<size_t>(k++)] : T(0);
    }
  });
  return record(Softmax{y, mask}, y, x);
}

struct LogSoftmax {
  static constexpr OpInfo info{.name = "log_softmax",
                               .inputs = {"x"},
                               .forward = "y = x - max x - ln sum exp(x - max x), kept positions",
                               .backward = {"dx += dy - exp(y) * sum(dy)"},
                               .may_be_infinite = true};
  Saved y;
  Mask mask;
  void saved(SavedVisitor& see) const { see("y", y); }
  void attributes(AttributeVisitor& see) const { see("mask", mask); }
  void backward(GradFlow& flow) const {
    const Tensor dy = dense(flow.dy());
    Tensor& dx = flow.dx(0);
    const int64_t n = y->shape().back(), rows = n == 0 ? 0 : y->numel() / n;
    dispatch(dy.dtype(), "log_softmax", [&]<class T>() {
      constexpr T kMasked = -std::numeric_limits<T>::infinity();
      T* to = dx.mutable_data<T>();
      for (int64_t r = 0; r < rows; ++r) {
        const T *l = y->data<T>() + r * n, *g = dy.data<T>() + r * n;
        T total = 0;
        for (int64_t j = 0; j < n; ++j)
          if (l[j] != kMasked) total += g[j];
        for (int64_t j = 0; j < n; ++j)
          if (l[j] != kMasked) to[r * n + j] += g[j] - std::exp(l[j]) * total;
      }
    });
  }
};

Tensor log_softmax(const Tensor& x, const Mask& mask) {
  const Rows in("log_softmax", x, mask);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch(x.dtype(), "log_softmax", [&]<class T>() {
    T* out = y.mutable_data<T>();
    List<T> packed(static_cast<size_t>(in.n));
    for (int64_t r = 0; r < in.count; ++r) {
      const T* from = in.x.data<T>() + r * in.n;
      const Mask::Row row = mask.row(x.shape(), r);
      const int64_t kept = gather(row, from, packed.data());
      T top = 0;
      const T log_total = kept == 0 ? T(0) : std::log(vexp_sum(kept, packed.data(), &top));
      for (int64_t j = 0; j < in.n; ++j)
        out[r * in.n + j] =
            row[j] ? from[j] - top - log_total : -std::numeric_limits<T>::infinity();
    }
  });
  return record(LogSoftmax{y, mask}, y, x);
}

}  // namespace heed
