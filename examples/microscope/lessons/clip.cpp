// Lesson 12: clipping by norm shortens the step, clipping by value turns it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/rng.h"
#include "core/scope.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "optim/clip.h"

namespace heed::microscope {
namespace {

constexpr int64_t kHidden = 3, kSteps = 6;

// A simple recurrence h_t = tanh(W h_{t-1} + U x_t) of six steps, with a loss far from its goal.
struct Net {
  Tensor w, u, x, goal;
};
Net net_of(Rng rng) {
  return {normal_leaf({kHidden, kHidden}, rng, 0.8), normal_leaf({kHidden, 2}, rng, 0.8),
          Tensor::normal({kSteps, 2}, 0, 1, rng, f64),
          Tensor::normal({1, kHidden}, 0, 3, rng, f64)};
}

Tensor loss_of(const Net& n) {
  Tensor h = Tensor::zeros({1, kHidden}, f64);
  for (int64_t t = 0; t < kSteps; ++t) {
    const Scope scope("step", t);
    h = tanh(add(matmul_nt(h, n.w), matmul_nt(slice(n.x, 0, t, t + 1), n.u)));
  }
  return heed::sum(square(h - n.goal));
}

Numbers flat(const Gradients& all, const Net& n) {
  Numbers v = all.find(n.w)->to_vector();
  const Numbers u = all.find(n.u)->to_vector();
  v.insert(v.end(), u.begin(), u.end());
  return v;
}

struct Clipped {
  Numbers before, after;
  double norm_told = 0;
};
Clipped clipped(const Net& n, const std::string& how, double limit) {
  Tape tape;
  tape.backward(loss_of(n));
  Gradients all = tape.gradients();
  Clipped c;
  c.before = flat(all, n);
  if (how == "norm")
    c.norm_told = clip_global_norm(all, limit);
  else
    clip_value(all, limit);
  c.after = flat(all, n);
  return c;
}

// Every time step's contribution to dL/dW clipped by itself, against their sum clipped once.
void by_step(const Net& n, double limit, Findings& found) {
  found.trace = record_run("clip", [&](Recording&) {
    Tape& tape = *Tape::active();
    tape.keep_grad(n.w), tape.keep_grad(n.u);
    tape.name(n.w, "W"), tape.name(n.u, "U");
    return named(loss_of(n), "L");
  });
  const Trace& t = *found.trace;
  const int weight = t.find("W");
  Numbers steps(kHidden * kHidden, 0.0);
  for (const TraceContribution& c : t.contribs) {
    if (c.tensor != weight) continue;
    const double factor = std::min(1.0, limit / std::max(norm(c.value), 1e-300));
    for (size_t i = 0; i < steps.size(); ++i) steps[i] += factor * c.value[i];
  }
  Numbers once = grad_of(t, "W");
  const double factor = std::min(1.0, limit / norm(once));
  for (double& v : once) v *= factor;
  found.truths.push_back(
      at_least({"dL/dW clipped at each time step: its distance from clipping once",
                "逐时间步裁剪 dL/dW：与一次裁剪的距离"},
               largest_gap(steps, once), 1e-3));
  found.truths.push_back(at_least({"and the angle between them, degrees", "两者的夹角（度）"},
                                  std::acos(cosine(steps, once)) * 180 / std::numbers::pi, 0.1));
}

Findings run(const Settings& settings) {
  Findings found;
  const Net n = net_of(Rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15))));
  Table table{{"The gradient of all parameters together", "全部参数合在一起的梯度"},
              {{"length before", "裁剪前长度"},
               {"after", "裁剪后"},
               {"cosine", "余弦"},
               {"angle, degrees", "夹角（度）"}},
              {}};
  for (const std::string& rule : settings.words("clip")) {
    const size_t colon = rule.find(':');
    const std::string how = rule.substr(0, colon);
    double limit = 0;
    try {
      limit = std::stod(rule.substr(colon == std::string::npos ? rule.size() : colon + 1));
    } catch (const std::exception&) {
    }
    require((how == "norm" || how == "value") && limit > 0,
            "--clip: expected norm:C or value:C with C > 0, got '{}'", rule);
    const Clipped c = clipped(n, how, limit);
    const double turn = cosine(c.before, c.after);
    table.rows.push_back({rule,
                          {cell(norm(c.before)), cell(norm(c.after)), cell(turn),
                           cell(std::acos(std::min(1.0, turn)) * 180 / std::numbers::pi)}});
    if (how == "norm") {
      const double factor = std::min(1.0, limit / norm(c.before));
      Numbers scaled = c.before;
      for (double& v : scaled) v *= factor;
      found.truths.push_back(
          at_most({rule + ": gap to min(1, c/|g|) g", rule + "：与 min(1, c/|g|) g 之差"},
                  largest_gap(c.after, scaled), 1e-14 * limit));
      found.truths.push_back(equals({rule + ": cosine", rule + "：余弦"}, turn, 1, 1e-15));
      found.truths.push_back(
          at_most({rule + ": length", rule + "：长度"}, norm(c.after), limit * (1 + 1e-12)));
      const Clipped loose = clipped(n, how, 2 * norm(c.before));
      found.truths.push_back(is({rule + ": with c above |g| nothing changes, to the bit",
                                 rule + "：c 大于 |g| 时逐位不变"},
                                same_bits(loose.before, loose.after) ? "yes" : "no", "yes"));
      by_step(n, limit, found);
    } else {
      found.truths.push_back(at_most({rule + ": cosine", rule + "：余弦"}, turn, 0.999));
      found.truths.push_back(
          at_most({rule + ": largest number", rule + "：最大的数"}, largest(c.after), limit));
    }
  }
  found.tables.push_back(std::move(table));
  return found;
}

}  // namespace

Lesson clip_lesson() {
  return {
      "clip",
      {"Does clipping turn the step?", "裁剪会改变更新方向吗？"},
      {"Clipping by norm multiplies every gradient by one factor, min(1, c/|g|), where |g| is the "
       "length "
       "of all of them together (Pascanu, Mikolov & Bengio 2013). The direction stays, and a "
       "gradient "
       "shorter than c is not touched.\n"
       "Clipping by value limits each number by itself: large ones are cut and small ones stay, so "
       "that "
       "the step turns.\n"
       "Clip once, after everything was added up. The length of a sum is not the sum of lengths: "
       "clipping what each time step contributes gives another vector.",
       "按范数裁剪：全部梯度乘以同一个因子 min(1, c/|g|)，|g| "
       "是所有梯度合在一起的长度（Pascanu、Mikolov "
       "与 Bengio，2013）。方向不变，短于 c 的梯度原样保留。\n"
       "按值裁剪：逐个限制每个数，大的被截断，小的不变，于是方向改变。\n"
       "应当在全部相加之后裁剪一次。和的长度不等于长度之和：逐时间步裁剪各自的贡献，得到的是另一个"
       "向量。"},
      {"The cosine: 1 by norm, less by value.", "余弦：按范数为 1，按值小于 1。"},
      {{"clip", {"norm:C and value:C", "norm:C 与 value:C"}, "norm:1,value:0.1"},
       {"seed", {"Seed of the numbers", "随机种子"}, "2"}},
      run};
}

}  // namespace heed::microscope
