// Lesson 5: one position instead of a mean over all, and what stands in for its gradient.
#include <fmt/format.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/hard_attention.h"

namespace heed::microscope {
namespace {

Tensor values() {
  return Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64);
}

Tensor chosen(int64_t position) {
  return Tensor::ids(std::vector<int64_t>{position}, {1});
}

// L_j: the loss of example A when the context is h_j.
Numbers losses() {
  Numbers all;
  for (int64_t j = 0; j < 3; ++j)
    all.push_back(loss_a(matmul(one_hot(chosen(j), 3, f64), values())).item());
  return all;
}

// The surrogate of REINFORCE for the position j; its gradient is the estimate.
Tensor reinforce_loss(const Tensor& e, int64_t j, double baseline) {
  const Tensor loss = loss_a(matmul(one_hot(chosen(j), 3, f64), values()));
  return add(loss,
             reinforce_terms(loss, log_probability(e, {}, chosen(j)), entropy(e, {}), baseline));
}

Tensor straight_loss(const Tensor& e) {
  const Tensor a = named(softmax(e), "a");
  const Tensor hard = one_hot(best_positions(detach(a)), 3, f64);
  return loss_a(named(matmul(named(straight_through(a, hard), "choice"), values()), "c"));
}

Tensor gumbel_loss(const Tensor& e, double temperature, uint64_t key) {
  const Tensor a = named(gumbel_softmax(e, {}, temperature, key), "a");
  return loss_a(named(matmul(a, values()), "c"));
}

// Estimates by position, their mean under a, and the trace of their covariance.
struct Estimator {
  Numbers mean = Numbers(3, 0.0);
  double variance = 0;
};
Estimator reinforce(const Tensor& e, const Numbers& a, double baseline) {
  Estimator r;
  std::vector<Numbers> each;
  for (int64_t j = 0; j < 3; ++j) {
    each.push_back(gradient([&] { return reinforce_loss(e, j, baseline); }, e));
    for (size_t k = 0; k < 3; ++k) r.mean[k] += a[static_cast<size_t>(j)] * each.back()[k];
  }
  for (size_t j = 0; j < 3; ++j) {
    Numbers away(3);
    for (size_t k = 0; k < 3; ++k) away[k] = each[j][k] - r.mean[k];
    r.variance += a[j] * dot(away, away);
  }
  return r;
}

Trace trace_of_kind(const std::string& kind, double temperature, uint64_t key) {
  const Tensor q = leaf64({{1, 0.5}}), h = leaf(values());
  return record_run("hard", [&](Recording& recording) {
    Tape& tape = *Tape::active();
    recording.input(q), recording.input(h);
    tape.name(q, "q"), tape.name(h, "H");
    const Tensor e = named(matmul_nt(q, h), "e");
    if (kind == "reinforce") {
      const Tensor a = named(softmax(e), "a");
      const int64_t j = drawn_positions(detach(a), key).to_ids()[0];
      recording.cut(a, "sample");
      return reinforce_loss(e, j, 0);
    }
    if (kind == "st") return straight_loss(e);
    if (kind == "gumbel") return gumbel_loss(e, temperature, key);
    const Tensor a = named(softmax(e), "a");
    const Tensor choice = one_hot(best_positions(detach(a)), 3, f64);
    recording.cut(a, "argmax");
    return loss_a(named(matmul(choice, h), "c"));
  });
}

// The choice by argmax: nothing comes back, and nothing would.
void by_argmax(const Tensor& e, Findings& found) {
  const Trace t = trace_of_kind("argmax", 1, 1);
  found.truths.push_back(is({"argmax: dL/de", "argmax：dL/de"}, state_of(t, "e"), "cut: argmax"));
  Numbers differences;
  const auto loss = [&](const Numbers& scores) {
    return loss_a(matmul(one_hot(best_positions(softmax(matrix(scores, 1))), 3, f64), values()))
        .item();
  };
  const Numbers at = e.to_vector();
  for (size_t k = 0; k < 3; ++k) {
    Numbers up = at, down = at;
    up[k] += 1e-6;
    down[k] -= 1e-6;
    differences.push_back(loss(up) - loss(down));
  }
  found.truths.push_back(
      exactly_zero({"argmax: differences of L", "argmax：L 的差分"}, differences));
}

Findings run(const Settings& settings) {
  const double temperature = settings.number("tau", 1e-3, 1e3);
  const auto key = static_cast<uint64_t>(settings.number("seed", 0, 1e15));
  Findings found;
  const Tensor e = leaf64({{1, 0.5, -0.5}});
  const Numbers a = softmax(e).to_vector(), l = losses();
  const auto expected = [&] {  // E[L], as a function of e
    return heed::sum(mul(softmax(e), matrix(l, 1)));
  };
  const double mean_loss = expected().item();
  const Numbers exact = gradient(expected, e);
  Table table{{"Example A with c = h_J: what reaches e", "例 A，c = h_J：e 得到什么"},
              {"dL/de", {"kind", "性质"}, {"total variance", "总方差"}},
              {}};
  table.rows.push_back({{"exact, of E[L]", "E[L] 的精确梯度"}, {cells(exact), "", ""}});
  if (settings.has("hard", "argmax")) {
    table.rows.push_back({"argmax", {"(cut: argmax)", cell({"none", "无"}), ""}});
    by_argmax(e, found);
  }
  if (settings.has("hard", "reinforce")) {
    const Estimator plain = reinforce(e, a, 0), based = reinforce(e, a, mean_loss);
    table.rows.push_back({{"REINFORCE, mean", "REINFORCE，均值"},
                          {cells(plain.mean), cell({"unbiased", "无偏"}), cell(plain.variance)}});
    table.rows.push_back({{"REINFORCE, baseline E[L]", "REINFORCE，基线 E[L]"},
                          {cells(based.mean), cell({"unbiased", "无偏"}), cell(based.variance)}});
    found.truths.push_back(
        equals("L_j", l, {1.407605964444, 0.680269670642, 1.023909056180}, 1e-12));
    found.truths.push_back(equals("E[L]", mean_loss, 1.119702267221, 1e-12));
    const Numbers truth{0.157353589309, -0.145671448943, -0.011682140367};
    found.truths.push_back(equals({"exact dE[L]/de", "精确的 dE[L]/de"}, exact, truth, 1e-12));
    found.truths.push_back(
        equals({"REINFORCE, enumerated", "REINFORCE，逐项枚举"}, plain.mean, truth, 1e-12));
    found.truths.push_back(
        equals({"REINFORCE with baseline, enumerated", "REINFORCE 加基线，逐项枚举"}, based.mean,
               truth, 1e-12));
    found.truths.push_back(
        equals({"its total variance", "总方差"}, plain.variance, 0.579131, 5e-7));
    found.truths.push_back(
        equals({"with baseline E[L]", "基线为 E[L] 时"}, based.variance, 0.018851, 5e-7));
  }
  if (settings.has("hard", "st")) {
    const Numbers st = gradient([&] { return straight_loss(e); }, e);
    table.rows.push_back(
        {{"straight-through", "直通估计"}, {cells(st), cell({"biased", "有偏"}), cell(0)}});
    found.truths.push_back(equals({"straight-through", "直通估计"}, st,
                                  {0.356920516762, -0.209647613339, -0.147272903422}, 1e-12));
    found.truths.push_back(at_least({"straight-through is biased: its gap to the exact gradient",
                                     "直通估计有偏：与精确梯度之差"},
                                    largest_gap(st, exact), 0.05));
  }
  if (settings.has("hard", "gumbel")) {
    const auto f = [&] { return gumbel_loss(e, temperature, key); };
    const NamedLeaf leaves[] = {{"e", e}};
    const GradCheckReport r = gradcheck(f, leaves);
    table.rows.push_back({fmt::format("Gumbel-softmax, tau = {:g}", temperature),
                          {cells(gradient(f, e)), cell({"biased", "有偏"}), ""}});
    found.truths.push_back(
        at_most({"Gumbel-softmax, noise frozen: error of the check over what is allowed",
                 "Gumbel-softmax，噪声固定：检查误差与容许值之比"},
                r.error, 1));
  }
  found.tables.push_back(std::move(table));
  found.trace = trace_of_kind(settings.words("hard").at(0), temperature, key);
  return found;
}

}  // namespace

Lesson hard_lesson() {
  return {
      "hard",
      {"Where is hard attention's gradient?", "硬注意力的梯度在哪里？"},
      {"Hard attention takes one position J instead of the mean over all: c = h_J. J jumps, so it "
       "has "
       "no derivative; what one wants to lower is E[L] = sum_j a_j L_j.\n"
       "argmax: no gradient to the scores. Not 0: none is computed, the graph is cut there.\n"
       "REINFORCE draws J and sends (L - b) d ln a_J/de. Its mean over J is the exact gradient "
       "of E[L], for any baseline b; a b near E[L] takes away most of its variance.\n"
       "Straight-through goes back as if c had been the mean: a gradient of something else than "
       "E[L], so biased.\n"
       "Gumbel-softmax relaxes the draw; for its noise held fixed it is an ordinary function, and "
       "its gradient is exact for that function, though biased for E[L].",
       "硬注意力不取全体的均值，而只取一个位置 J：c = h_J。J 是跳变的，没有导数；真正要降低的是 "
       "E[L] = Σ_j a_j L_j。\n"
       "argmax：分数得不到梯度。不是 0，而是没有计算，图在那里断开。\n"
       "REINFORCE 抽取 J，传回 (L - b) d ln a_J/de。对任意基线 b，它对 J 的均值都等于 E[L] "
       "的精确梯度；"
       "b 接近 E[L] 时方差大幅下降。\n"
       "直通估计在反向时假装 c 是均值：那是别的函数的梯度，所以有偏。\n"
       "Gumbel-softmax 把抽样松弛；噪声固定时它是普通函数，其梯度对该函数精确，对 E[L] 有偏。"},
      {"The row of REINFORCE equals the exact one, the row of straight-through does not. The two "
       "variances.",
       "REINFORCE 一行等于精确梯度，直通估计一行不等。再比较两个方差。"},
      {{"hard",
        {"Kinds; the trace is of the first", "种类；轨迹记录第一种"},
        "argmax,reinforce,st,gumbel",
        {"argmax", "reinforce", "st", "gumbel"}},
       {"tau", {"Temperature of Gumbel-softmax", "Gumbel-softmax 的温度"}, "0.5"},
       {"seed", {"Seed of the noise", "噪声的种子"}, "5"}},
      run};
}

}  // namespace heed::microscope
