// Elementwise operations that choose between values: no arithmetic, the gradient follows the
// choice.
#include "autograd/detail/elementwise.h"
#include "autograd/ops.h"

namespace heed {

using elementwise::accumulate, elementwise::apply;

// ---- maximum, where ----

struct Maximum {
  static constexpr OpInfo info{
      .name = "maximum",
      .inputs = {"a", "b"},
      .forward = "y = max(a, b)",
      .backward = {"da += [a > b] dy + [a = b] dy / 2", "db += [b > a] dy + [a = b] dy / 2"}};
  Saved a, b;
  void saved(SavedVisitor& see) const { see("a", a), see("b", b); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    const auto share = [](auto u, auto v) { return u > v ? 1.0 : u == v ? 0.5 : 0.0; };
    const auto times = [](auto w, auto g) { return w * g; };
    accumulate(flow, 0, apply("maximum", *a, *b, share), dy, times);
    accumulate(flow, 1, apply("maximum", *b, *a, share), dy, times);
  }
};

Tensor maximum(const Tensor& a, const Tensor& b) {
  return record(Maximum{a, b},
                apply("maximum", a, b, [](auto u, auto v) { return u > v || u != u ? u : v; }), a,
                b);
}

struct Where {
  static constexpr OpInfo info{.name = "where",
                               .inputs = {"a", "b"},
                               .forward = "y = a where condition, else b",
                               .backward = {"da += dy where condition", "db += dy elsewhere"}};
  Saved condition;  // 1 or 0, in the inputs' dtype
  void saved(SavedVisitor& see) const { see("condition", condition); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    accumulate(flow, 0, *condition, dy, [](auto c, auto g) { return c != 0 ? g : 0; });
    accumulate(flow, 1, *condition, dy, [](auto c, auto g) { return c != 0 ? 0 : g; });
  }
};

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  require(condition.defined() && condition.dtype() == i64,
          "where: expected an i64 condition (0: take b), got {}", condition);
  const Shape shape =
      broadcast_shape("where", elementwise::binary_shape("where", a, b), condition.shape());
  const Tensor c = cast(condition, a.dtype());
  // A chosen value is copied, never multiplied by 0 or 1: the other side may be infinite.
  Tensor y = dispatch(a.dtype(), "where", [&]<class T>() {
    Tensor out = zip<T>(shape, b, c, [](T v, T) { return v; });
    const Tensor take = zip<T>(shape, a, c, [](T u, T) { return u; });
    const Tensor when = zip<T>(shape, c, c, [](T u, T) { return u; });
    T* o = out.mutable_data<T>();
    const T *t = take.data<T>(), *w = when.data<T>();
    for (int64_t i = 0; i < out.numel(); ++i)
      if (w[i] != 0) o[i] = t[i];
    return out;
  });
  return record(Where{c}, y, a, b);
}

// ---- clamp, masked_fill ----

struct Clamp {
  static constexpr OpInfo info{.name = "clamp",
                               .inputs = {"x"},
                               .forward = "y = min(max(x, low), high)",
                               .backward = {"dx += [low <= x <= high] dy"}};
  Saved x;
  double low, high;
  void saved(SavedVisitor& see) const { see("x", x); }
  void attributes(AttributeVisitor& see) const { see("low", low), see("high", high); }
  void backward(GradFlow& flow) const {
    accumulate(flow, *x,
               [lo = low, hi = high](auto v, auto g) { return v >= lo && v <= hi ? g : 0; });
  }
};

Tensor clamp(const Tensor& x, double low, double high) {
  require(low <= high, "clamp: expected low <= high, got {} and {}", low, high);
  const Tensor y = apply("clamp", x, [low, high](auto v) {
    using T = decltype(v);
    return v < low ? static_cast<T>(low) : v > high ? static_cast<T>(high) : v;
  });
  return record(Clamp{x, low, high}, y, x);
}

struct MaskedFill {
  static constexpr OpInfo info{.name = "masked_fill",
                               .inputs = {"x"},
                               .forward = "y = x where kept, else value",
                               .backward = {"dx += dy where kept"},
                               .may_be_infinite = true};
  Mask mask;
  double value;
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const { see("mask", mask), see("value", value); }
  void backward(GradFlow& flow) const {
    const Tensor dy = dense(flow.dy());
    Tensor& dx = flow.dx(0);
    dispatch(dy.dtype(), "masked_fill", [&]<class T>() {
      each_kept<T>(mask, dy, dx.mutable_data<T>(), [](T& to, T g, bool kept) {
        if (kept) to += g;
      });
    });
  }
  template <class T, class F>
  static void each_kept(const Mask& mask, const Tensor& from, T* to, F f) {
    const int64_t n = from.shape().back(), rows = n == 0 ? 0 : from.numel() / n;
    const T* in = from.data<T>();
    for (int64_t r = 0; r < rows; ++r) {
      const Mask::Row row = mask.row(from.shape(), r);
      for (int64_t j = 0; j < n; ++j) f(to[r * n + j], in[r * n + j], row[j]);
    }
  }
};

Tensor masked_fill(const Tensor& x, const Mask& mask, double value) {
  require_defined("masked_fill", "x", x);
  require(x.rank() >= 1, "masked_fill: expected at least one axis, got a scalar");
  mask.check("masked_fill", x.shape());
  const Tensor in = dense(x);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch(x.dtype(), "masked_fill", [&]<class T>() {
    MaskedFill::each_kept<T>(mask, in, y.mutable_data<T>(), [value](T& to, T v, bool kept) {
      to = kept ? v : static_cast<T>(value);
    });
  });
  return record(MaskedFill{mask, value}, y, x);
}

}  // namespace heed
