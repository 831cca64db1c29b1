#include "examples/microscope/why.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"

namespace heed::microscope {
namespace {

constexpr double kCancel = 1e-12;    // of the terms' sizes: what is left when they cancel
constexpr double kSmall = 1e-6;      // of the gradients that arrive: what counts as small
constexpr double kRounding = 1e-15;  // of the largest gradient of the same tensor

struct Asker {
  const Trace& t;
  Session session;
  int deepest = 64;  // how far an answer is followed

  const TraceTensor& tensor(int i) const { return t.tensors[at(i)]; }

  std::string name(int i) const {
    const std::string& n = tensor(i).name;
    return n.empty() ? fmt::format("#{}", i) : harmless(n);
  }
  std::string name(int i, size_t place) const { return name(i) + place_of(tensor(i), place); }

  static int64_t last_axis(const TraceTensor& x) { return x.shape.empty() ? 1 : x.shape.back(); }

  // ---- what goes into a gradient ----

  std::vector<WhyTerm> terms_of(int x, size_t index) const {
    std::vector<WhyTerm> all;
    for (size_t k = 0; k < t.ops.size(); ++k) {
      const TraceOp& op = t.ops[k];
      if (op.bwd < 0) continue;
      for (size_t slot = 0; slot < op.in.size(); ++slot) {
        if (op.in[slot] != x) continue;
        for (size_t o = 0; o < op.out.size(); ++o) {
          const TraceTensor& y = tensor(op.out[o]);
          if (!y.has_grad()) continue;
          const Numbers column = session.jacobian_column(
              static_cast<int>(k), static_cast<int>(slot), index, static_cast<int>(o));
          for (size_t r = 0; r < column.size(); ++r)
            all.push_back(
                {static_cast<int>(k), static_cast<int>(slot), op.out[o], r, column[r], y.grad[r]});
        }
      }
    }
    return all;
  }

  // The op after `x` of this name that x is input `slot` of, or -1.
  template <class F>
  int user(int x, F fits) const {
    for (size_t k = 0; k < t.ops.size(); ++k)
      for (size_t slot = 0; slot < t.ops[k].in.size(); ++slot)
        if (t.ops[k].in[slot] == x && fits(t.ops[k], slot)) return static_cast<int>(k);
    return -1;
  }

  bool kept(const TraceOp& op, size_t index) const {
    const auto mask = op.attrs.find("mask");
    return mask == op.attrs.end() || index >= mask->size() || (*mask)[index] != 0;
  }

  // ---- the rules ----

  bool masked(Why& w) const {
    const TraceTensor& x = tensor(w.tensor);
    const auto masks = [](const TraceOp& op, size_t slot) {
      return slot == 0 && op.attrs.contains("mask");
    };
    int k = user(w.tensor, masks);
    if (k < 0 && x.producer >= 0 && t.ops[at(x.producer)].attrs.contains("mask")) k = x.producer;
    if (k < 0 || kept(t.ops[at(k)], w.index)) return false;
    if (w.gradient != 0 && !std::isnan(w.gradient) && t.ops[at(k)].in[0] == w.tensor) return false;
    w.rule = "masked";
    w.en = fmt::format(
        "{} is masked, or outside the window: op {} ({}) leaves it out, so what it "
        "is changes nothing. Its gradient is exactly 0.",
        name(w.tensor, w.index), k, t.ops[at(k)].op);
    w.zh = fmt::format(
        "{} 被屏蔽或在窗口之外：运算 {}（{}）不使用它，它的值不影响任何结果，梯度恰好为 0。",
        name(w.tensor, w.index), k, t.ops[at(k)].op);
    return true;
  }

  bool cut(Why& w) const {
    const TraceTensor& x = tensor(w.tensor);
    if (x.grad_state != "cut") return false;
    w.rule = "cut";
    w.en = fmt::format(
        "The value of {} goes on only through a place where the gradient ends: {}. "
        "There is no gradient, which is not the same as 0.",
        name(w.tensor), harmless(x.cut));
    w.zh =
        fmt::format("{} 的值只通过一个梯度在此终止的地方继续（{}）。没有梯度，这与梯度为 0 不同。",
                    name(w.tensor), harmless(x.cut));
    return true;
  }

  bool not_reached(Why& w) const {
    const TraceTensor& x = tensor(w.tensor);
    if (x.has_grad()) return false;
    w.rule = "not_reached";
    if (x.grad_state == "no_grad") {
      const bool ids = x.dtype == "i64";
      w.en = fmt::format("{} is {}: no gradient is computed for it.", name(w.tensor),
                         ids ? "a list of integers (cut: index)" : "a constant");
      w.zh = fmt::format("{} 是{}，不为它计算梯度。", name(w.tensor),
                         ids ? "整数索引（cut: index）" : "常量");
      return true;
    }
    w.en = fmt::format(
        "{} does not depend on {}: there is no path between them, so no gradient "
        "arrives (which is not the same as 0).",
        name(t.seed), name(w.tensor));
    w.zh = fmt::format("{} 不依赖 {}：两者之间没有路径，因此没有梯度到达（这与梯度为 0 不同）。",
                       name(t.seed), name(w.tensor));
    return true;
  }

  // Everything that arrives is 0: followed to where something that is not 0 still arrives.
  bool incoming_zero(Why& w) {
    if (w.gradient != 0 || w.tensor == t.seed) return false;
    const auto through = [](const WhyTerm& v) { return v.derivative != 0; };
    const auto zero = [](const WhyTerm& v) { return v.derivative == 0 || v.incoming == 0; };
    const auto first = std::find_if(w.terms.begin(), w.terms.end(), through);
    if (first == w.terms.end() || !std::all_of(w.terms.begin(), w.terms.end(), zero)) return false;
    w.rule = "incoming_zero";
    w.source = first->after, w.source_index = first->place;
    if (deepest-- > 0) {
      const Why above = ask(w.source, w.source_index);
      w.because = above.rule == "incoming_zero" ? above.because : above.rule;
      if (above.rule == "incoming_zero")
        w.source = above.source, w.source_index = above.source_index;
    }
    w.en = fmt::format("The gradient that arrives is 0 already: dL/d{} = 0 ({}).",
                       name(w.source, w.source_index), w.because);
    w.zh = fmt::format("到达这里的梯度已经是 0：dL/d{} = 0（{}）。", name(w.source, w.source_index),
                       w.because);
    return true;
  }

  bool small(const Why& w) const {
    double most = 0;
    for (const WhyTerm& v : w.terms) most = std::max(most, std::abs(v.incoming));
    return std::abs(w.gradient) <= kSmall * most;
  }

  // A score whose weight is exactly 0 though it is kept, or a value with such a weight.
  bool underflow(Why& w) const {
    if (w.gradient != 0) return false;
    const auto softmax = [](const TraceOp& op, size_t) { return op.op == "softmax"; };
    int weights = -1;
    size_t place = w.index;
    if (const int k = user(w.tensor, softmax); k >= 0) {
      weights = t.ops[at(k)].out[0];
      if (tensor(weights).value[place] != 0) return false;
    } else if (const int m = user(w.tensor,
                                  [&](const TraceOp& op, size_t slot) {
                                    return op.op == "matmul" && slot == 1 && op.in[0] >= 0 &&
                                           tensor(op.in[0]).producer >= 0 &&
                                           t.ops[at(tensor(op.in[0]).producer)].op == "softmax";
                                  });
               m >= 0) {
      weights = t.ops[at(m)].in[0];
      const TraceTensor &v = tensor(w.tensor), &a = tensor(weights);
      const auto row = static_cast<size_t>(last_axis(v)), n = static_cast<size_t>(last_axis(a));
      if (row == 0 || n == 0) return false;
      place = w.index / row % n;
      for (size_t i = place; i < a.value.size(); i += n)
        if (a.value[i] != 0) return false;
    } else {
      return false;
    }
    w.rule = "underflow";
    w.source = weights, w.source_index = place;
    w.en = fmt::format(
        "Its weight {} is exactly 0: its score is so far below the largest that e^x "
        "is too small for a number of this kind. A weight of 0 passes nothing on.",
        name(weights, place));
    w.zh = fmt::format(
        "它的权重 {} 恰好为 0：分数比最大值低太多，e^x 小到无法用这种浮点数表示。权重为 0 "
        "就不传递任何梯度。",
        name(weights, place));
    return true;
  }

  bool saturated(Why& w) const {
    if (!small(w)) return false;
    for (size_t k = 0; k < t.ops.size(); ++k) {
      const TraceOp& op = t.ops[k];
      if (std::find(op.in.begin(), op.in.end(), w.tensor) == op.in.end()) continue;
      const TraceTensor& y = tensor(op.out[0]);
      double factor = 1;
      if (op.op == "softmax") {
        const auto n = static_cast<size_t>(last_axis(y)), row = w.index / n * n;
        size_t best = row;
        for (size_t i = row; i < row + n; ++i)
          if (y.value[i] > y.value[best]) best = i;
        factor = 0;
        for (size_t i = row; i < row + n; ++i) factor += i == best ? 0 : y.value[i];
      } else if (op.op == "tanh") {
        factor = 1 - y.value[w.index] * y.value[w.index];
      } else if (op.op == "sigmoid") {
        factor = y.value[w.index] * (1 - y.value[w.index]);
      } else if (op.op == "relu") {
        factor = y.value[w.index] > 0 ? 1 : 0;
      } else if (op.op == "additive_score") {
        factor = 0;
        for (const TraceSaved& s : op.saved)
          if (s.name == "u")
            for (const double u : tensor(s.tensor).value) factor = std::max(factor, 1 - u * u);
      } else {
        continue;
      }
      if (factor >= kSaturated) continue;
      w.rule = "saturated";
      w.source = op.out[0], w.factor = factor;
      w.en = fmt::format(
          "Op {} ({}) is saturated there: {} is {:.3e}, and the gradient is "
          "multiplied with it.",
          k, op.op, op.op == "softmax" ? "1 - the largest weight" : "its derivative", factor);
      w.zh = fmt::format("运算 {}（{}）在这里饱和：{}为 {:.3e}，梯度要乘以它。", k, op.op,
                         op.op == "softmax" ? "1 − 最大权重" : "导数", factor);
      return true;
    }
    return false;
  }

  // Whether what is added to `x` reaches a softmax by ops that are linear in it.
  int shifted_softmax(int x) const {
    static const std::set<std::string> kLinear{"add",    "sub",       "reshape",   "linear",
                                               "matmul", "matmul_nt", "matmul_tn", "scale",
                                               "slice",  "select",    "concat",    "permute"};
    for (int left = 16; left > 0; --left) {
      int next = -1;
      for (size_t k = 0; k < t.ops.size() && next < 0; ++k) {
        const TraceOp& op = t.ops[k];
        if (op.bwd < 0 || std::find(op.in.begin(), op.in.end(), x) == op.in.end()) continue;
        if (op.op == "softmax") return static_cast<int>(k);
        if (kLinear.contains(op.op)) next = op.out[0];
      }
      if (next < 0) return -1;
      x = next;
    }
    return -1;
  }

  bool cancel(Why& w) const {
    double size = 0, sum = 0;
    int several = 0;
    for (const WhyTerm& v : w.terms) {
      size += std::abs(v.value()), sum += v.value();
      several += v.value() != 0 ? 1 : 0;
    }
    if (several < 2 || !(std::abs(sum) <= kCancel * size) ||
        !(std::abs(w.gradient) <= kCancel * size))
      return false;
    w.rule = "cancel";
    const int softmax = shifted_softmax(w.tensor);
    w.shift = softmax >= 0;
    w.en = fmt::format("{} terms of sizes up to {:.6g} cancel: their sum is {:.3e}.", several,
                       largest(w.terms), w.gradient);
    w.zh = fmt::format("{} 项（最大 {:.6g}）互相抵消：总和为 {:.3e}。", several, largest(w.terms),
                       w.gradient);
    if (!w.shift) return true;
    w.en += fmt::format(
        " It adds the same to all scores of a row, and op {} (softmax) does not see "
        "that: shift invariance, sum of dL/de = 0.",
        softmax);
    w.zh += fmt::format(
        "它给一行中所有分数加上相同的数，而 softmax（运算 {}）对此不变：平移不变性，dL/de 之和为 "
        "0。",
        softmax);
    return true;
  }

  static double largest(const std::vector<WhyTerm>& terms) {
    double most = 0;
    for (const WhyTerm& v : terms) most = std::max(most, std::abs(v.value()));
    return most;
  }

  // Multiplied with weights that are all 0, as the head that W_O ignores.
  bool dead_weight(Why& w) const {
    if (w.gradient != 0 || w.terms.empty()) return false;
    const auto passes = [](const WhyTerm& v) { return v.derivative != 0; };
    if (std::any_of(w.terms.begin(), w.terms.end(), passes)) return false;
    for (const WhyTerm& v : w.terms) {
      const TraceOp& op = t.ops[at(v.op)];
      const bool product = op.op == "linear" || op.op.starts_with("matmul") || op.op == "mul";
      if (!product || v.slot > 1) continue;
      w.rule = "dead_weight";
      w.source = op.in[at(1 - v.slot)];
      w.en = fmt::format(
          "All weights of {} that it is multiplied with (op {}, {}) are 0: nothing "
          "after this place sees it.",
          name(w.source), v.op, op.op);
      w.zh = fmt::format("它在运算 {}（{}）中乘以的 {} 的权重全部为 0：之后没有任何地方用到它。",
                         v.op, op.op, name(w.source));
      return true;
    }
    return false;
  }

  bool rounding(Why& w) const {
    double scale = 0;
    for (const double g : tensor(w.tensor).grad) scale = std::max(scale, std::abs(g));
    if (w.gradient == 0 || !(std::abs(w.gradient) < kRounding * scale)) return false;
    w.rule = "rounding";
    w.en = fmt::format(
        "{:.3e} is less than {:.0e} of the largest gradient of {} ({:.6g}): what is "
        "left is rounding error.",
        w.gradient, kRounding, name(w.tensor), scale);
    w.zh = fmt::format("{:.3e} 小于 {} 最大梯度（{:.6g}）的 {:.0e}：剩下的只是舍入误差。",
                       w.gradient, name(w.tensor), scale, kRounding);
    return true;
  }

  // The first op, forward or else backward, that made a number that is none of numbers that are.
  bool nan_origin(Why& w) const {
    const double value = tensor(w.tensor).value[w.index];
    if (std::isfinite(w.gradient) && !std::isnan(value)) return false;
    for (const Json& d : diags_of(t))
      if (d["kind"] == "nan_origin") return origin(w, d["tensor"], "forward", "前向");
    const auto finite = [](double v) { return std::isfinite(v); };
    for (const TraceContribution& c : t.contribs) {
      const auto bad = std::find_if_not(c.value.begin(), c.value.end(), finite);
      if (bad == c.value.end()) continue;
      w.source_index = static_cast<size_t>(bad - c.value.begin());
      return origin(w, c.tensor, "backward", "反向", c.op);
    }
    return false;
  }

  bool origin(Why& w, int made, const char* pass, const char* pass_zh, int op = -1) const {
    w.rule = "nan_origin";
    w.source = made;
    if (op < 0) {
      op = tensor(made).producer;
      const Numbers& v = tensor(made).value;
      w.source_index = static_cast<size_t>(
          std::find_if_not(v.begin(), v.end(), [](double x) { return std::isfinite(x); }) -
          v.begin());
    }
    const auto sizes = [&](const TraceOp& o) {
      std::string all;
      for (const int i : o.in)
        if (i >= 0) {
          double most = 0;
          for (const double v : tensor(i).value) most = std::max(most, std::abs(v));
          all += fmt::format("{}{} (largest {:.3g})", all.empty() ? "" : ", ", name(i), most);
        }
      return all;
    };
    const TraceOp& o = t.ops[at(op)];
    w.en = fmt::format("The first number that is none was made by op {} ({}), {}: {}, of {}.", op,
                       o.op, pass, name(made, w.source_index), sizes(o));
    w.zh = fmt::format("第一个非有限数由运算 {}（{}，{}）产生：{}，其输入为 {}。", op, o.op,
                       pass_zh, name(made, w.source_index), sizes(o));
    return true;
  }

  Why ask(int x, size_t index) {
    const TraceTensor& t_x = tensor(x);
    Why w;
    w.tensor = x, w.index = index;
    w.gradient = t_x.has_grad() ? t_x.grad[index] : std::nan("");
    if (masked(w) || cut(w) || not_reached(w)) return w;
    w.terms = terms_of(x, index);
    if (incoming_zero(w) || underflow(w) || saturated(w) || cancel(w) || dead_weight(w) ||
        rounding(w) || nan_origin(w))
      return w;
    w.rule = "ordinary";
    w.en = fmt::format("Nothing stands out: dL/d{} = {:.12g}, the sum of {} terms.", name(x, index),
                       w.gradient, w.terms.size());
    w.zh = fmt::format("没有异常：dL/d{} = {:.12g}，共 {} 项之和。", name(x, index), w.gradient,
                       w.terms.size());
    return w;
  }
};

}  // namespace

Why why(const Trace& trace, int tensor, size_t index) {
  require(tensor >= 0 && at(tensor) < trace.tensors.size() &&
              index < trace.tensors[at(tensor)].value.size(),
          "why: expected a place of a tensor of this trace");
  Asker asker{trace, Session(trace)};
  return asker.ask(tensor, index);
}

}  // namespace heed::microscope
