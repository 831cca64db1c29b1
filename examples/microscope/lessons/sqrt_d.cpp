// Lesson 1: why dot products are divided by sqrt(d).
#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr int64_t kKeys = 10;

struct Spread {
  double variance = 0, jacobian = 0, weight = 0;  // means over the draws
};

// Random queries and keys: the variance of q . k, the size of the softmax's Jacobian J, the largest
// weight. Ten copies of one row of scores with the unit cotangents give all rows of J at once.
Spread spread_of(int64_t d, bool scaled, int64_t draws, Rng rng) {
  Tensor units = Tensor::zeros({kKeys, kKeys}, f64);
  for (int64_t i = 0; i < kKeys; ++i) units.mutable_data<double>()[i * kKeys + i] = 1;
  const Tensor copies = Tensor::full({kKeys, 1}, 1, f64);
  Spread s;
  for (int64_t n = 0; n < draws; ++n) {
    const Tensor q = Tensor::normal({1, d}, 0, 1, rng, f64);
    const Tensor products = matmul_nt(q, Tensor::normal({kKeys, d}, 0, 1, rng, f64));
    const Tensor e =
        leaf(scaled ? scale(products, 1 / std::sqrt(static_cast<double>(d))) : products);
    Tape tape;
    const Tensor tiled = tape.keep_grad(matmul(copies, e));  // [10, 10]
    const Tensor a = softmax(tiled);
    tape.backward(a, units);
    s.jacobian += norm(tape.grad(tiled).to_vector());
    s.weight += max(slice(a, 0, 0, 1)).item();
    s.variance += heed::sum(square(products)).item() / kKeys;
  }
  const auto count = static_cast<double>(draws);
  return {s.variance / count, s.jacobian / count, s.weight / count};
}

Json random_case(int64_t d, bool scaled, Rng rng) {
  const auto row = [&](int64_t n) { return Json(Tensor::normal({n}, 0, 1, rng, f64).to_vector()); };
  Json keys = Json::array(), values = Json::array();
  const Json query = row(d);
  for (int64_t j = 0; j < kKeys; ++j) keys.push_back(row(d));
  for (int64_t j = 0; j < kKeys; ++j) values.push_back(row(2));
  return {{"mechanism", scaled ? "scaled_dot" : "dot"},
          {"query", query},
          {"keys", keys},
          {"values", values},
          {"cotangent", {1, -0.5}}};
}

// dL/dq by the trace against sum_j dL/de_j k_j, the gradient of a plain dot product with the same
// dL/de: the ratio is the scale's own share in the backward pass.
double share_of(const Trace& t) {
  const Numbers de = grad_of(t, "e"), keys = value_of(t, "K"), dq = grad_of(t, "q");
  Numbers plain(dq.size(), 0.0);
  for (size_t j = 0; j < de.size(); ++j)
    for (size_t k = 0; k < dq.size(); ++k) plain[k] += de[j] * keys[j * dq.size() + k];
  return dot(dq, plain) / dot(plain, plain);
}

Findings run(const Settings& settings) {
  const std::vector<int64_t> widths = settings.integers("d", 1, 4096);
  const int64_t draws = settings.integers("draws", 2, 100000).at(0);
  const Rng rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15)));
  Findings found;
  Table table{{"10 random keys, means over the draws", "10 个随机的键，多次抽样的平均"},
              {"Var(q.k)/d", "|J|_F", {"largest weight", "最大权重"}},
              {}};
  Numbers scaled, unscaled;
  for (const bool on : {false, true}) {
    if (!settings.has("scale", on ? "on" : "off")) continue;
    for (const int64_t d : widths) {
      const Spread s = spread_of(d, on, draws, rng.fork(static_cast<uint64_t>(d)));
      const std::string head = "d = " + std::to_string(d);
      const double width = static_cast<double>(d);
      table.rows.push_back({{head + (on ? ", q.k / sqrt(d)" : ", q.k")},
                            {cell(s.variance / width), cell(s.jacobian), cell(s.weight)}});
      (on ? scaled : unscaled).push_back(s.jacobian);
      if (d >= 16)
        found.truths.push_back(
            within("Var(q.k)/d, " + table.rows.back().label.en, s.variance / width, 0.9, 1.1));
    }
  }
  found.tables.push_back(std::move(table));
  const auto place = [&](int64_t d) { return std::find(widths.begin(), widths.end(), d); };
  const auto at = [&](int64_t d) { return static_cast<size_t>(place(d) - widths.begin()); };
  if (place(4) != widths.end() && place(256) != widths.end() && !unscaled.empty())
    found.truths.push_back(
        at_most({"|J|_F unscaled, d = 256 over d = 4", "|J|_F 不缩放，d = 256 与 d = 4 之比"},
                unscaled[at(256)] / unscaled[at(4)], 0.35));
  if (scaled.size() > 1) {
    const auto [low, high] = std::minmax_element(scaled.begin(), scaled.end());
    found.truths.push_back(
        at_most({"|J|_F scaled, its change over all d", "|J|_F 缩放后，随 d 的变化"},
                (*high - *low) / *high, 0.1));
  }
  const bool on = settings.has("scale", "on");
  found.trace = run_case(random_case(widths[0], on, rng.fork("case")));
  found.truths.push_back(equals({"dq over sum_j dL/de_j k_j", "dq 与 Σ_j dL/de_j k_j 之比"},
                                share_of(*found.trace),
                                on ? 1 / std::sqrt(static_cast<double>(widths[0])) : 1, 1e-12));
  return found;
}

}  // namespace

Lesson sqrt_d_lesson() {
  return {
      "sqrt-d",
      {"Why are dot products divided by sqrt(d)?", "点积为什么要除以 sqrt(d)？"},
      {"With q and k of d independent numbers of variance 1, q.k has variance d: scores grow like "
       "sqrt(d). Softmax of large scores puts all weight on one position, and there its Jacobian "
       "J = diag(a) - a a^T is nearly 0: no gradient comes back through the scores.\n"
       "Divided by sqrt(d), scores have variance 1 whatever d is, and J keeps its size. The "
       "division is part of the backward pass too: dq = (1/sqrt(d)) sum_j dL/de_j k_j.",
       "若 q 与 k 的 d 个分量相互独立且方差为 1，则 q.k 的方差为 d，分数随 sqrt(d) "
       "增长。分数很大时，"
       "softmax 把几乎全部权重放在一个位置上，此时它的雅可比矩阵 J = diag(a) - a a^T 接近 "
       "0：梯度无法"
       "经由分数传回。\n"
       "除以 sqrt(d) 之后，无论 d 多大，分数的方差都是 1，J "
       "的大小不变。这个除法同样出现在反向传播中："
       "dq = (1/sqrt(d)) Σ_j dL/de_j k_j。"},
      {"Without the division |J|_F falls from row to row; with it, it stays. Var(q.k)/d is about 1 "
       "for every d.",
       "不除时 |J|_F 逐行下降，除以 sqrt(d) 后保持不变。Var(q.k)/d 对每个 d 都约等于 1。"},
      {{"d", {"Widths d", "宽度 d"}, "4,16,64,256"},
       {"scale", {"With and without the division", "除与不除"}, "on,off", {"on", "off"}},
       {"draws", {"Draws per row", "每行的抽样次数"}, "400"},
       {"seed", {"Seed of the draws", "随机种子"}, "7"}},
      run};
}

}  // namespace heed::microscope
