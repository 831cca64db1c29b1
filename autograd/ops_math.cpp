// Elementwise operations. The binary ones broadcast; GradFlow::add takes the sums back.
#include <cmath>
#include <numbers>

#include "autograd/detail/elementwise.h"
#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

using elementwise::accumulate, elementwise::apply;

namespace {

// An array function over all elements of x: exp, tanh, sigmoid.
template <class F>
Tensor array_map(std::string_view op, const Tensor& x, F f) {
  require_defined(op, "x", x);
  if (!x.dense()) return array_map(op, clone(x), f);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch(x.dtype(), op, [&]<class T>() { f(x.numel(), x.data<T>(), y.mutable_data<T>()); });
  return y;
}

}  // namespace

// ---- add, sub, mul, div ----

struct Add {
  static constexpr OpInfo info{.name = "add",
                               .inputs = {"a", "b"},
                               .forward = "y = a + b",
                               .backward = {"da += dy", "db += dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const { flow.pass_dy({0, 1}); }
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
    accumulate(flow, 1, flow.dy(), flow.dy(), [](auto g, auto) { return -g; });
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
    accumulate(flow, 0, *b, dy, times);
    accumulate(flow, 1, *a, dy, times);
  }
};

Tensor mul(const Tensor& a, const Tensor& b) {
  return record(Mul{{a, requires_grad(b)}, {b, requires_grad(a)}},
                apply("mul", a, b, [](auto u, auto v) { return u * v; }), a, b);
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
    accumulate(flow, 0, *b, dy, [](auto v, auto g) { return g / v; });
    if (!flow.wants(1)) return;
    const Tensor ratio = apply("div", *y, *b, [](auto q, auto v) { return q / v; });
    accumulate(flow, 1, ratio, dy, [](auto r, auto g) { return -r * g; });
  }
};

Tensor div(const Tensor& a, const Tensor& b) {
  const Tensor y = apply("div", a, b, [](auto u, auto v) { return u / v; });
  return record(Div{b, {y, requires_grad(b)}}, y, a, b);
}

// ---- unary ----

struct Neg {
  static constexpr OpInfo info{
      .name = "neg", .inputs = {"x"}, .forward = "y = -x", .backward = {"dx -= dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    accumulate(flow, flow.dy(), [](auto g, auto) { return -g; });
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
  void attributes(AttributeVisitor& see) const { see("factor", factor); }
  void backward(GradFlow& flow) const {
    accumulate(flow, flow.dy(),
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
    accumulate(flow, *y, [](auto v, auto g) { return v * g; });
  }
};

Tensor exp(const Tensor& x) {
  return record_output<Exp>(
      array_map("exp", x, [](auto n, auto* in, auto* out) { vexp(n, in, out); }), x);
}

struct Log {
  static constexpr OpInfo info{
      .name = "log", .inputs = {"x"}, .forward = "y = ln x", .backward = {"dx += dy / x"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, *x, [](auto v, auto g) { return g / v; });
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
    accumulate(flow, *y, [](auto v, auto g) { return g / (2 * v); });
  }
};

Tensor sqrt(const Tensor& x) {
  return record_output<Sqrt>(apply("sqrt", x, [](auto v) { return std::sqrt(v); }), x);
}

struct Square {
  static constexpr OpInfo info{
      .name = "square", .inputs = {"x"}, .forward = "y = x^2", .backward = {"dx += 2 x * dy"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    accumulate(flow, *x, [](auto v, auto g) { return 2 * v * g; });
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
    accumulate(flow, *y, [](auto v, auto g) { return (1 - v * v) * g; });
  }
};

Tensor tanh(const Tensor& x) {
  return record_output<Tanh>(
      array_map("tanh", x, [](auto n, auto* in, auto* out) { vtanh(n, in, out); }), x);
}

struct Sigmoid {
  static constexpr OpInfo info{.name = "sigmoid",
                               .inputs = {"x"},
                               .forward = "y = 1 / (1 + e^-x)",
                               .backward = {"dx += y * (1 - y) * dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, *y, [](auto v, auto g) { return v * (1 - v) * g; });
  }
};

Tensor sigmoid(const Tensor& x) {
  return record_output<Sigmoid>(
      array_map("sigmoid", x, [](auto n, auto* in, auto* out) { vsigmoid(n, in, out); }), x);
}

struct Relu {
  static constexpr OpInfo info{.name = "relu",
                               .inputs = {"x"},
                               .forward = "y = max(x, 0)",
                               .backward = {"dx += [x > 0] dy"}};
  Saved y;
  void saved(SavedVisitor& see) const { see("y", y); }
  void backward(GradFlow& flow) const {
    accumulate(flow, *y, [](auto v, auto g) { return v > 0 ? g : 0; });
  }
};

Tensor relu(const Tensor& x) {
  // NaN stays NaN
  return record_output<Relu>(apply("relu", x, [](auto v) { return v < 0 ? 0 : v; }), x);
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
    accumulate(flow, *x, [](auto v, auto g) {
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
    accumulate(flow, *x, [](auto v, auto g) { return v > 0 ? g : v < 0 ? -g : 0; });
  }
};

Tensor abs(const Tensor& x) {
  return record(Abs{x}, apply("abs", x, [](auto v) { return std::abs(v); }), x);
}

}  // namespace heed
