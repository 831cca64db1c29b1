// Formulas with numbers. Elementwise ops, products and softmax have their own; every other backward
// is the sum of the arriving gradient times a column of the Jacobian, which the op itself gives.
#include "examples/microscope/step/worked.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

constexpr size_t kMostTerms = 6;  // written out; the sum is over all

// A number within a formula.
std::string in_formula(double v, int digits) {
  const std::string text = number_text(v, digits);
  return text.starts_with('-') ? "(" + text + ")" : text;
}

struct Terms {
  std::string text{};
  double sum = 0;
  size_t count = 0;
  void add(const std::string& term, double value) {
    if (count < kMostTerms) text += (count ? " + " : "") + term;
    if (count == kMostTerms) text += " + …";
    sum = count == 0 ? value : sum + value;
    ++count;
  }
  std::string whole() const {
    return count > kMostTerms ? fmt::format("{} ({} terms)", text, count) : text;
  }
};

struct Element {
  std::string text;
  double value;
};

// y from x, and dx from x, y and dy.
struct Unary {
  std::function<std::string(const std::string& x)> forward;
  double (*value)(double x);
  std::function<std::string(const std::string& x, const std::string& y, const std::string& dy)>
      back;
  double (*slope)(double x, double y);
};

using S = const std::string&;
const std::map<std::string, Unary>& unary_ops() {
  static const std::map<std::string, Unary> all{
      {"neg",
       {[](S x) { return "-" + x; }, [](double x) { return -x; }, [](S, S, S g) { return "-" + g; },
        [](double, double) { return -1.0; }}},
      {"exp",
       {[](S x) { return "e^" + x; }, [](double x) { return std::exp(x); },
        [](S, S y, S g) { return y + " · " + g; }, [](double, double y) { return y; }}},
      {"log",
       {[](S x) { return "ln " + x; }, [](double x) { return std::log(x); },
        [](S x, S, S g) { return g + " / " + x; }, [](double x, double) { return 1 / x; }}},
      {"sqrt",
       {[](S x) { return "√" + x; }, [](double x) { return std::sqrt(x); },
        [](S, S y, S g) { return g + " / (2 · " + y + ")"; },
        [](double, double y) { return 1 / (2 * y); }}},
      {"square",
       {[](S x) { return x + "²"; }, [](double x) { return x * x; },
        [](S x, S, S g) { return "2 · " + x + " · " + g; },
        [](double x, double) { return 2 * x; }}},
      {"tanh",
       {[](S x) { return "tanh " + x; }, [](double x) { return std::tanh(x); },
        [](S, S y, S g) { return "(1 - " + y + "²) · " + g; },
        [](double, double y) { return 1 - y * y; }}},
      {"sigmoid",
       {[](S x) { return "1 / (1 + e^-" + x + ")"; },
        [](double x) { return 1 / (1 + std::exp(-x)); },
        [](S, S y, S g) { return y + " · (1 - " + y + ") · " + g; },
        [](double, double y) { return y * (1 - y); }}},
      {"relu",
       {[](S x) { return "max(" + x + ", 0)"; }, [](double x) { return x > 0 ? x : 0.0; },
        [](S x, S, S g) { return "[" + x + " > 0] · " + g; },
        [](double x, double) { return x > 0 ? 1.0 : 0.0; }}},
      {"abs",
       {[](S x) { return "|" + x + "|"; }, [](double x) { return std::abs(x); },
        [](S x, S, S g) { return "sign " + x + " · " + g; },
        [](double x, double) { return x > 0   ? 1.0
                                      : x < 0 ? -1.0
                                              : 0.0; }}},
  };
  return all;
}

// What a product multiplies: y[r, c] = sum_k a[r, k] b[k, c], where the ops store a or b
// transposed.
struct Product {
  size_t rows, inner, columns;
  bool a_turned, b_turned;
  size_t a(size_t r, size_t k) const { return a_turned ? k * rows + r : r * inner + k; }
  size_t b(size_t k, size_t c) const { return b_turned ? c * inner + k : k * columns + c; }
};

struct Worker {
  const Stepper& s;
  int number;
  const Timeline& line = s.line();
  const TraceOp& op = line.op(number);
  const TraceTensor& y = line.tensor(op.out[0]);

  std::string n(double v) const { return in_formula(v, s.digits); }
  const TraceTensor& in(size_t slot) const { return line.tensor(op.in.at(slot)); }
  // A file need not keep what its ops' names promise: every access is checked.
  double dy(size_t k) const { return y.grad.at(k); }
  size_t row_length() const {
    return static_cast<size_t>(y.shape.empty() ? 1 : std::max<int64_t>(y.shape.back(), 1));
  }

  static std::string name(const std::string& label, size_t at, const TraceTensor& t) {
    std::string index;
    for (size_t axis = t.shape.size(); axis-- > 0;) {
      const auto size = static_cast<size_t>(std::max<int64_t>(t.shape[axis], 1));
      if (size > 1) index = std::to_string(at % size) + (index.empty() ? "" : "," + index);
      at /= size;
    }
    return index.empty() ? label : label + "[" + index + "]";
  }

  // The element of a broadcast input that goes with element `k` of y.
  size_t source(const TraceTensor& x, size_t k) const {
    size_t at = 0, stride = 1, rest = k;
    for (size_t i = 0; i < y.shape.size(); ++i) {
      const auto size = static_cast<size_t>(y.shape[y.shape.size() - 1 - i]);
      const size_t index = rest % size;
      rest /= size;
      if (i >= x.shape.size()) continue;
      const auto own = static_cast<size_t>(x.shape[x.shape.size() - 1 - i]);
      if (own > 1) at += index * stride;
      stride *= own;
    }
    return at;
  }

  // Plain matrices only: a batch of products is left to the Jacobian.
  std::optional<Product> product() const {
    const bool linear = op.op == "linear";
    if (!linear && op.op != "matmul" && op.op != "matmul_nt" && op.op != "matmul_tn") return {};
    const TraceTensor &a = in(0), &b = in(1);
    if (b.shape.size() != 2 || a.shape.empty() || y.shape.empty()) return {};
    if (!linear && a.shape.size() != 2) return {};
    const bool a_turned = op.op == "matmul_tn", b_turned = linear || op.op == "matmul_nt";
    const auto columns = static_cast<size_t>(y.shape.back());
    const auto inner = static_cast<size_t>(b.shape[b_turned ? 1 : 0]);
    if (columns == 0 || inner == 0 || y.value.size() < columns) return {};
    return Product{y.value.size() / columns, inner, columns, a_turned, b_turned};
  }

  // ---- forward ----

  std::optional<Element> forward(size_t k) const {
    if (const auto it = unary_ops().find(op.op); it != unary_ops().end()) {
      const double x = in(0).value.at(k);
      return Element{it->second.forward(n(x)), it->second.value(x)};
    }
    if (op.op == "scale") {
      const double f = op.attrs.at("factor").get<double>(), x = in(0).value.at(k);
      return Element{n(f) + " · " + n(x), f * x};
    }
    static const std::map<std::string, std::string> kBinary{
        {"add", " + "}, {"sub", " - "}, {"mul", " · "}, {"div", " / "}};
    if (const auto it = kBinary.find(op.op); it != kBinary.end()) {
      const double a = in(0).value.at(source(in(0), k)), b = in(1).value.at(source(in(1), k));
      const double v = op.op == "add"   ? a + b
                       : op.op == "sub" ? a - b
                       : op.op == "mul" ? a * b
                                        : a / b;
      return Element{n(a) + it->second + n(b), v};
    }
    if (const auto p = product()) {
      const size_t r = k / p->columns, c = k % p->columns;
      Terms terms;
      for (size_t i = 0; i < p->inner; ++i) {
        const double a = in(0).value.at(p->a(r, i)), b = in(1).value.at(p->b(i, c));
        terms.add(n(a) + "·" + n(b), a * b);
      }
      if (op.op == "linear" && op.in.size() > 2 && op.in[2] >= 0)
        terms.add(n(in(2).value.at(c)), in(2).value.at(c));
      return Element{terms.whole(), terms.sum};
    }
    if (op.op == "softmax") return softmax(k);
    return selected(k);
  }

  std::optional<Element> softmax(size_t k) const {
    const size_t columns = row_length();
    const size_t first = k / columns * columns;
    const Json mask = op.attrs.value("mask", Json::array());
    const auto kept = [&](size_t i) { return mask.empty() || mask.at(i) != 0; };
    if (!kept(k)) return Element{s.pick("0 (masked)", "0（被遮蔽）"), 0};
    double largest = -INFINITY;
    for (size_t i = first; i < first + columns; ++i)
      if (kept(i)) largest = std::max(largest, in(0).value.at(i));
    const auto power = [&](size_t i) {
      return "e^(" + number_text(in(0).value.at(i), s.digits) + " - " + n(largest) + ")";
    };
    Terms below;
    for (size_t i = first; i < first + columns; ++i)
      if (kept(i)) below.add(power(i), std::exp(in(0).value.at(i) - largest));
    return Element{power(k) + " / (" + below.whole() + ")",
                   std::exp(in(0).value.at(k) - largest) / below.sum};
  }

  // Ops that pick and add: y[k] = sum_j J[k, j] x[j], and J is the op's own.
  std::optional<Element> selected(size_t k) const {
    static constexpr std::array kLinear{"select", "slice",       "reshape",  "permute",
                                        "concat", "sum",         "mean",     "dropout",
                                        "where",  "masked_fill", "embedding"};
    if (std::find(kLinear.begin(), kLinear.end(), op.op) == kLinear.end()) return {};
    Terms terms;
    for (size_t slot = 0; slot < op.in.size(); ++slot) {
      if (op.in[slot] < 0 || in(slot).dtype == "i64") continue;
      const Numbers row = s.session().jacobian_row(number, static_cast<int>(slot), k);
      for (size_t j = 0; j < row.size(); ++j) {
        if (row[j] == 0) continue;
        const double x = in(slot).value.at(j);
        const std::string at = name(line.label(op.in[slot]), j, in(slot));
        terms.add(row[j] == 1 ? at + " " + n(x) : n(row[j]) + "·" + n(x), row[j] * x);
      }
    }
    if (terms.count == 0) return Element{number_text(y.value.at(k), s.digits), y.value.at(k)};
    return Element{terms.whole(), terms.sum};
  }

  // ---- backward: element j of what is sent to `slot` ----

  Element backward(size_t slot, size_t j) const {
    if (const auto it = unary_ops().find(op.op); it != unary_ops().end()) {
      const double x = in(0).value.at(j);
      return {it->second.back(n(x), n(y.value.at(j)), n(dy(j))),
              it->second.slope(x, y.value.at(j)) * dy(j)};
    }
    if (op.op == "scale") {
      const double f = op.attrs.at("factor").get<double>();
      return {n(f) + " · " + n(dy(j)), f * dy(j)};
    }
    if (op.op == "add" || op.op == "sub" || op.op == "mul" || op.op == "div")
      return binary(slot, j);
    if (const auto p = product()) return of_product(*p, slot, j);
    if (op.op == "softmax") {
      const size_t columns = row_length();
      Terms mean;
      for (size_t i = j / columns * columns; i < (j / columns + 1) * columns; ++i)
        mean.add(n(y.value.at(i)) + "·" + n(dy(i)), y.value.at(i) * dy(i));
      return {
          n(y.value.at(j)) + " · (" + number_text(dy(j), s.digits) + " - (" + mean.whole() + "))",
          y.value.at(j) * (dy(j) - mean.sum)};
    }
    return by_jacobian(slot, j);
  }

  Element binary(size_t slot, size_t j) const {
    Terms terms;
    for (size_t k = 0; k < y.value.size(); ++k) {
      if (source(in(slot), k) != j) continue;
      const double other = in(1 - slot).value.at(source(in(1 - slot), k)), g = dy(k);
      if (op.op == "add" || (op.op == "sub" && slot == 0))
        terms.add(n(g), g);
      else if (op.op == "sub")
        terms.add("-" + n(g), -g);
      else if (op.op == "mul")
        terms.add(n(other) + "·" + n(g), other * g);
      else if (slot == 0)
        terms.add(n(g) + "/" + n(other), g / other);
      else
        terms.add("-" + n(y.value.at(k)) + "/" + n(in(1).value.at(j)) + "·" + n(g),
                  -y.value.at(k) / in(1).value.at(j) * g);
    }
    return {terms.whole(), terms.sum};
  }

  Element of_product(const Product& p, size_t slot, size_t j) const {
    Terms terms;
    const auto term = [&](double other, double g) { terms.add(n(g) + "·" + n(other), g * other); };
    if (slot == 0) {
      const size_t r = p.a_turned ? j % p.rows : j / p.inner,
                   k = p.a_turned ? j / p.rows : j % p.inner;
      for (size_t c = 0; c < p.columns; ++c) term(in(1).value.at(p.b(k, c)), dy(r * p.columns + c));
    } else if (slot == 1) {
      const size_t c = p.b_turned ? j / p.inner : j % p.columns;
      const size_t k = p.b_turned ? j % p.inner : j / p.columns;
      for (size_t r = 0; r < p.rows; ++r) term(in(0).value.at(p.a(r, k)), dy(r * p.columns + c));
    } else {
      for (size_t r = 0; r < p.rows; ++r)
        terms.add(n(dy(r * p.columns + j)), dy(r * p.columns + j));
    }
    return {terms.whole(), terms.sum};
  }

  // dx[j] = sum_k dy[k] J[k, j], over every output that a gradient came to.
  Element by_jacobian(size_t slot, size_t j) const {
    Terms terms;
    for (size_t o = 0; o < op.out.size(); ++o) {
      const TraceTensor& out = line.tensor(op.out[o]);
      if (!out.has_grad()) continue;
      const Numbers column =
          s.session().jacobian_column(number, static_cast<int>(slot), j, static_cast<int>(o));
      for (size_t k = 0; k < column.size(); ++k)
        if (column[k] != 0)
          terms.add(n(out.grad.at(k)) + "·" + n(column[k]), out.grad.at(k) * column[k]);
    }
    if (terms.count == 0) return {"0", 0};
    return {terms.whole(), terms.sum};
  }
};

void say(const Stepper& s, const Worked& w, Report& r) {
  r.items.emplace_back(
      Text{.text = " " + w.left + " = " + w.text, .tone = Tone::formula, .indent = 6});
  const double gap = std::abs(w.value - w.stored);
  const bool same = w.value == w.stored || (std::isnan(w.value) && std::isnan(w.stored));
  r.say("   = " + number_text(w.value, s.digits) +
            s.pick(" recomputed; stored ", "（重新计算）；存储值 ") +
            number_text(w.stored, s.digits) +
            (same ? s.pick(", to the bit", "，逐位相同")
                  : s.pick(", apart by ", "，相差 ") + fmt::format("{:.1e}", gap)),
        Tone::dim);
}

}  // namespace

std::optional<Worked> worked_forward(const Stepper& s, int op, size_t at) {
  if (touches_sample(s.line().trace(), s.line().op(op))) return {};
  const Worker w{s, op};
  const auto e = w.forward(at);
  if (!e) return {};
  return Worked{Worker::name(s.line().label(w.op.out[0]), at, w.y), e->text, e->value,
                w.y.value.at(at)};
}

std::optional<Worked> worked_backward(const Stepper& s, int op, int contribution, size_t at) {
  if (touches_sample(s.line().trace(), s.line().op(op))) return {};
  const Worker w{s, op};
  const TraceContribution& c = s.line().contribution(contribution);
  const TraceTensor& x = s.line().tensor(c.tensor);
  const bool plain = w.op.out.size() == 1 && w.y.has_grad();
  const auto slot = static_cast<size_t>(c.slot);
  const Element e = plain ? w.backward(slot, at) : w.by_jacobian(slot, at);
  return Worked{"d" + Worker::name(s.line().label(c.tensor), at, x), e.text, e.value,
                c.value.at(at)};
}

Report worked_report(const Stepper& s, int op, size_t at) {
  Report r;
  r.say(" " + forward_formula(s, op), Tone::formula);
  if (const auto w = worked_forward(s, op, at))
    say(s, *w, r);
  else
    r.say(s.pick(" this op computes more than a line holds; trace --decompose shows its parts",
                 " 该运算一行写不下；用 trace --decompose 可看到各部分"),
          Tone::dim);
  if (s.at == 0 || !s.line().event(s.at).backward) return r;
  for (const std::string& text : backward_formulas(s, op)) r.say(" " + text, Tone::formula);
  for (const int c : s.line().sent_by(op)) {
    const size_t size = s.line().contribution(c).value.size();
    if (size == 0 || hides(s, s.at)) continue;
    if (const auto w = worked_backward(s, op, c, std::min(at, size - 1))) say(s, *w, r);
  }
  return r;
}

}  // namespace heed::microscope::stepper
