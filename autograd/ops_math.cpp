// Elementwise operations. The binary ones broadcast; GradFlow::add takes the sums back.
#include <cmath>
#include <numbers>

#include "autograd/ops.h"
#include "core/loops.h"
#include "core/vector_math.h"

namespace heed {
namespace {

// Shape rule of all binary ops.
Shape binary_shape(std::string_view op, const Tensor& a, const Tensor& b) {
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

// dx += f(a, b), elementwise, for an input whose shape is that of the output.
template <class F>
void accumulate(GradFlow& flow, int i, const Tensor& a, const Tensor& b, F f) {
  if (!flow.wants(i)) return;
  Tensor& dx = flow.dx(i);
  dispatch(a.dtype(), "backward",
           [&]<class T>() { zip_add<T>(dx, a, b, [&](T u, T v) { return T(f(u, v)); }); });
}

// An array function over all elements of x: exp, tanh, sigmoid.
template <class F>
Tensor array_map(std::string_view op, const Tensor& x, F f) {
  require_defined(op, "x", x);
  const Tensor in = dense(x);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch(x.dtype(), op, [&]<class T>() { f(x.numel(), in.data<T>(), y.mutable_data<T>()); });
  return y;
}

// Adds to an input that may have been stretched: straight into dx when it was not.
template <class F>
void accumulate_broadcast(GradFlow& flow, int i, const Shape& shape, const Tensor& a,
                          const Tensor& b, F f) {
  if (!flow.wants(i)) return;
  if (flow.shape(i) == shape) return accumulate(flow, i, a, b, f);
  dispatch(a.dtype(), "backward", [&]<class T>() {
    flow.add(i, zip<T>(shape, a, b, [&](T u, T v) { return T(f(u, v)); }));
  });
}

}  // namespace

// ---- add, sub, mul, div ----

struct Add {
  static constexpr OpInfo info{.name = "add",
                               .inputs = {"a", "b"},
                               .forward = "y = a + b",
                               .backward = {"da += dy", "db += dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    flow.add(0, flow.dy());
    flow.add(1, flow.dy());
  }
};

Tensor add(const Tensor& a, const Tensor& b) {
  return record(Add{}, apply("add", a, b, [](auto u, auto v) { return u + v; }), a, b);
}

struct Sub {
  static constexpr OpInfo info{.name = "sub",
                               .inputs = {"a", "b"},
                               .forward = "y = a - b",
                               .backward = {"da += dy", "db -= dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    flow.add(0, flow.dy());
    accumulate_broadcast(flow, 1, flow.dy().shape(), flow.dy(), flow.dy(),
                         [](auto g, auto) { return -g; });
  }
};

Tensor sub(const Tensor& a, const Tensor& b) {
  return record(Sub{}, apply("sub", a, b, [](auto u, auto v) { return u - v; }), a, b);
}

struct Mul {
  static constexpr OpInfo info{.name = "mul",
                               .inputs = {"a", "b"},
                               .forward = "y = a * b",
                               .backward = {"da += b * dy", "db += a * dy"}};
  Saved a, b;
  void saved(SavedVisitor& see) const { see("a", a), see("b", b); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    const auto times = [](auto u, auto g) { return u * g; };
    accumulate_broadcast(flow, 0, dy.shape(), *b, dy, times);
    accumulate_broadcast(flow, 1, dy.shape(), *a, dy, times);
  }
};

Tensor mul(const Tensor& a, const Tensor& b) {
  return record(Mul{a, b}, apply("mul", a, b, [](auto u, auto v) { return u * v; }), a, b);
}

struct Div {
  static constexpr OpInfo info{.name = "div",
                               .inputs = {"a", "b"},
                               .forward = "y = a / b",
                               .backward = {"da += dy / b", "db -= y / b * dy"}};
  Saved b, y;
  void saved(SavedVisitor& see) const { see("b", b), see("y", y); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    accumulate_broadcast(flow, 0, dy.shape(), *b, dy, [](auto v, auto g) { return g / v; });
    if (!flow.wants(1)) return;
    const Tensor ratio = apply("div", *y, *b, [](auto q, auto v) { return q / v; });
    accumulate_broadcast(flow, 1, dy.shape(), ratio, dy, [](auto r, auto g) { return -r * g; });
  }
};

Tensor div(const Tensor& a, const Tensor& b) {
  const Tensor y = apply("div", a, b, [](auto u, auto v) { return u / v; });
  return record(Div{b, y}, y, a, b);
}

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
    accumulate_broadcast(flow, 0, dy.shape(), apply("maximum", *a, *b, share), dy, times);
    accumulate_broadcast(flow, 1, dy.shape(), apply("maximum", *b, *a, share), dy, times);
  }
};

Tensor maximum(const Tensor& a, const Tensor& b) {
  return record(Maximum{a, b}, apply("maximum", a, b, [](auto u, auto v) { return u > v ? u : v; }),
                a, b);
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
    accumulate_broadcast(flow, 0, dy.shape(), *condition, dy,
                         [](auto c, auto g) { return c != 0 ? g : 0; });
    accumulate_broadcast(flow, 1, dy.shape(), *condition, dy,
                         [](auto c, auto g) { return c != 0 ? 0 : g; });
  }
};

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  require(condition.defined() && condition.dtype() == i64,
          "where: expected an i64 condition (0: take b), got {}", to_text(condition, 0));
  const Shape shape = broadcast_shape("where", binary_shape("where", a, b), condition.shape());
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

// ---- unary ----

struct Neg {
  static constexpr OpInfo info{
      .name = "neg", .inputs = {"x"}, .forward = "y = -x", .backward = {"dx -= dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, flow.dy(), flow.dy(), [](auto g, auto) { return -g; });
  }
};

Tensor neg(const Tensor& x) {
  return record(Neg{}, apply("neg", x, [](auto v) { return -v; }), x);
}

struct Scale {
  static constexpr OpInfo info{.name = "scale",
                               .inputs = {"x"},
                               .forward = "y = factor * x",
                               .backward = {"dx += factor * dy"}};
  double factor;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, flow.dy(), flow.dy(),
               [f = factor](auto g, auto) { return static_cast<decltype(g)>(f) * g; });
  }
};

Tensor scale(const Tensor& x, double factor) {
  return record(
      Scale{factor},
      apply("scale", x, [factor](auto v) { return static_cast<decltype(v)>(factor) * v; }), x);
}

struct Exp {
  static constexpr OpInfo info{
      .name = "exp", .inputs = {"x"}, .forward = "y = e^x", .backward = {"dx += y * dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *y, flow.dy(), [](auto v, auto g) { return v * g; });
  }
};

Tensor exp(const Tensor& x) {
  const Tensor y = array_map("exp", x, [](auto n, auto* in, auto* out) { vexp(n, in, out); });
  return record(Exp{y}, y, x);
}

struct Log {
  static constexpr OpInfo info{
      .name = "log", .inputs = {"x"}, .forward = "y = ln x", .backward = {"dx += dy / x"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *x, flow.dy(), [](auto v, auto g) { return g / v; });
  }
};

Tensor log(const Tensor& x) {
  return record(Log{x}, apply("log", x, [](auto v) { return std::log(v); }), x);
}

struct Sqrt {
  static constexpr OpInfo info{
      .name = "sqrt", .inputs = {"x"}, .forward = "y = x^(1/2)", .backward = {"dx += dy / (2 y)"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *y, flow.dy(), [](auto v, auto g) { return g / (2 * v); });
  }
};

Tensor sqrt(const Tensor& x) {
  const Tensor y = apply("sqrt", x, [](auto v) { return std::sqrt(v); });
  return record(Sqrt{y}, y, x);
}

struct Square {
  static constexpr OpInfo info{
      .name = "square", .inputs = {"x"}, .forward = "y = x^2", .backward = {"dx += 2 x * dy"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *x, flow.dy(), [](auto v, auto g) { return 2 * v * g; });
  }
};

Tensor square(const Tensor& x) {
  return record(Square{x}, apply("square", x, [](auto v) { return v * v; }), x);
}

struct Tanh {
  static constexpr OpInfo info{.name = "tanh",
                               .inputs = {"x"},
                               .forward = "y = tanh x",
                               .backward = {"dx += (1 - y^2) * dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *y, flow.dy(), [](auto v, auto g) { return (1 - v * v) * g; });
  }
};

Tensor tanh(const Tensor& x) {
  const Tensor y = array_map("tanh", x, [](auto n, auto* in, auto* out) { vtanh(n, in, out); });
  return record(Tanh{y}, y, x);
}

struct Sigmoid {
  static constexpr OpInfo info{.name = "sigmoid",
                               .inputs = {"x"},
                               .forward = "y = 1 / (1 + e^-x)",
                               .backward = {"dx += y * (1 - y) * dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *y, flow.dy(), [](auto v, auto g) { return v * (1 - v) * g; });
  }
};

Tensor sigmoid(const Tensor& x) {
  const Tensor y =
      array_map("sigmoid", x, [](auto n, auto* in, auto* out) { vsigmoid(n, in, out); });
  return record(Sigmoid{y}, y, x);
}

struct Relu {
  static constexpr OpInfo info{.name = "relu",
                               .inputs = {"x"},
                               .forward = "y = max(x, 0)",
                               .backward = {"dx += [x > 0] dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *y, flow.dy(), [](auto v, auto g) { return v > 0 ? g : 0; });
  }
};

Tensor relu(const Tensor& x) {
  const Tensor y = apply("relu", x, [](auto v) { return v < 0 ? 0 : v; });  // NaN stays NaN
  return record(Relu{y}, y, x);
}

struct Gelu {
  static constexpr OpInfo info{.name = "gelu",
                               .inputs = {"x"},
                               .forward = "y = x * Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2",
                               .backward = {"dx += (Phi(x) + x * phi(x)) * dy"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  template <class T>
  static T normal_cdf(T v) {
    return T(0.5) * std::erfc(-v / std::numbers::sqrt2_v<T>);
  }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *x, flow.dy(), [](auto v, auto g) {
      using T = decltype(v);
      const T density = std::exp(-v * v / 2) / std::sqrt(2 * std::numbers::pi_v<T>);
      return (normal_cdf(v) + v * density) * g;
    });
  }
};

Tensor gelu(const Tensor& x) {
  return record(Gelu{x}, apply("gelu", x, [](auto v) { return v * Gelu::normal_cdf(v); }), x);
}

struct Abs {
  static constexpr OpInfo info{
      .name = "abs", .inputs = {"x"}, .forward = "y = |x|", .backward = {"dx += sign(x) * dy"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *x, flow.dy(), [](auto v, auto g) { return v > 0 ? g : v < 0 ? -g : 0; });
  }
};

Tensor abs(const Tensor& x) {
  return record(Abs{x}, apply("abs", x, [](auto v) { return std::abs(v); }), x);
}

struct Clamp {
  static constexpr OpInfo info{.name = "clamp",
                               .inputs = {"x"},
                               .forward = "y = min(max(x, low), high)",
                               .backward = {"dx += [low <= x <= high] dy"}};
  Saved x;
  double low, high;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, 0, *x, flow.dy(),
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

// ---- masked_fill ----

struct MaskedFill {
  static constexpr OpInfo info{.name = "masked_fill",
                               .inputs = {"x"},
                               .forward = "y = x where kept, else value",
                               .backward = {"dx += dy where kept"},
                               .may_be_infinite = true};
  Mask mask;
  void saved(SavedVisitor&) const {}
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
  return record(MaskedFill{mask}, y, x);
}

}  // namespace heed
