// Lesson 6: a window that learns where to look.
#include <fmt/format.h>

#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/attention.h"

namespace heed::microscope {
namespace {

Json window(const std::string& mechanism, double p, double reach) {
  Json file = example_a();
  file["mechanism"] = mechanism;
  file["params"] = {{"p", p}, {"D", reach}};
  return file;
}

double loss_at(double p, double reach) {
  return value_of(run_case(window("local_p", p, reach)), "L")[0];
}

// A window one position wide to either side: what lies outside gets nothing, to the bit.
void outside(Findings& found) {
  const Trace t = run_case(window("local_p", 1.25, 1));
  found.truths.push_back(exactly_zero({"p = 1.25, D = 1, position 0 is outside: a, w, dL/de, dL/dh",
                                       "p = 1.25、D = 1，位置 0 在窗外：a、w、dL/de、dL/dh"},
                                      {value_of(t, "a")[0], value_of(t, "w")[0], grad_of(t, "e")[0],
                                       grad_of(t, "H")[0], grad_of(t, "H")[1]}));
}

// At p = 1, D = 1 positions 0 and 2 stand on the edges: a little to either side loses one of them.
void edge(Findings& found) {
  const double eps = 1e-6, at = loss_at(1, 1);
  const double left = (at - loss_at(1 - eps, 1)) / eps, right = (loss_at(1 + eps, 1) - at) / eps;
  const double backward = grad_of(run_case(window("local_p", 1, 1)), "p_t")[0];
  Table table{{"p = 1, D = 1: positions 0 and 2 on the edges of the window",
               "p = 1、D = 1：位置 0 与 2 恰在窗的边上"},
              {"dL/dp"},
              {}};
  table.rows = {{{"backward", "反向传播"}, {cell(backward)}},
                {{"difference to the left", "左差分"}, {cell(left)}},
                {{"difference to the right", "右差分"}, {cell(right)}}};
  found.tables.push_back(std::move(table));
  found.truths.push_back(at_most({"on the edge: |dL/dp| of backward", "在边上：反向传播的 |dL/dp|"},
                                 std::abs(backward), 10));
  found.truths.push_back(at_least({"on the edge: the smaller one-sided difference (nondiff)",
                                   "在边上：较小的单侧差分（不可导）"},
                                  std::min(std::abs(left), std::abs(right)), 1e3));
}

// local-m stands at the target's own position: a number that nobody learns.
void monotone(Findings& found) {
  Rng rng(1);
  Attention layer(
      {.score = Score::dot, .query = 2, .key = 2, .window = Window::local_m, .reach = 1}, rng);
  const Tensor q = leaf64({{1, 0.5}});
  const Tensor h = leaf(reshape(Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64), {1, 3, 2}));
  Tape tape;
  const Attended r = layer(q, layer.memory(h), {.step = 1});
  found.truths.push_back(is({"local-m: p has a gradient", "local-m：p 有梯度吗"},
                            requires_grad(r.position) ? "yes" : "no", "no"));
}

Findings run(const Settings& settings) {
  const double p = settings.number("p", -1e3, 1e3), reach = settings.number("D", 0.5, 1e6);
  const std::string mechanism = settings.words("mech").at(0) == "local-m" ? "local_m" : "local_p";
  Findings found;
  found.trace = run_case(window(mechanism, p, reach));
  const Trace& t = *found.trace;
  const bool learned = mechanism == "local_p";
  Table table{{fmt::format("Example A, positions from 0, p = {:g}, D = {:g}", p, reach),
               fmt::format("例 A，位置从 0 数起，p = {:g}，D = {:g}", p, reach)},
              {"a", "w", "dL/dw", "dL/de"},
              {}};
  const Numbers a = value_of(t, "a"), w = value_of(t, learned ? "w" : "a"), de = grad_of(t, "e"),
                dw = grad_of(t, learned ? "w" : "a");
  for (size_t s = 0; s < 3; ++s)
    table.rows.push_back(
        {fmt::format("{}", s), {cell(a[s]), cell(w[s]), cell(dw[s]), cell(de[s])}});
  found.tables.push_back(std::move(table));
  if (learned) {
    const double eps = 1e-6,
                 slope = (loss_at(p + eps, reach) - loss_at(p - eps, reach)) / (2 * eps);
    const double dp = grad_of(t, "p_t")[0];
    double by_formula = 0;  // sum of dL/dw w (s - p) / sigma^2
    for (size_t s = 0; s < 3; ++s)
      by_formula += dw[s] * w[s] * (static_cast<double>(s) - p) / (reach * reach / 4);
    found.tables.push_back({{"The middle p", "中心 p"},
                            {"dL/dp", {"by differences", "差分"}, "-dL/dp"},
                            {{"p", {cell(dp), cell(slope), dp > 0 ? "<-" : "->"}}}});
    found.truths.push_back(
        equals({"dL/dp against its formula", "dL/dp 与公式"}, dp, by_formula, 1e-15));
    if (p == 1.25 && reach == 2) {
      found.truths.push_back(
          equals("w", w, {0.250228543346, 0.321299809637, 0.092053936691}, 1e-12));
      found.truths.push_back(
          equals({"sum of w, not 1", "w 之和，不是 1"}, sum(w), 0.663582289675, 1e-12));
      found.truths.push_back(equals("L", value_of(t, "L")[0], 0.903844580002, 1e-12));
      found.truths.push_back(equals("dL/dp", dp, -0.007317788119, 1e-12));
      found.truths.push_back(
          equals({"dL/dp by differences", "差分得到的 dL/dp"}, slope, -0.007317788, 1e-9));
    }
  }
  monotone(found);
  outside(found);
  edge(found);
  return found;
}

}  // namespace

Lesson local_p_lesson() {
  return {
      "local-p",
      {"Can the model learn where to look?", "模型能学会看哪里吗？"},
      {"Local attention (Luong, Pham & Manning 2015) looks at a window [p - D, p + D]. local-m "
       "puts p "
       "at the target's own position: a constant, nothing to learn. local-p predicts p and "
       "multiplies "
       "the softmax by exp(-(s - p)^2 / (2 sigma^2)), sigma = D/2, without renormalising. The "
       "Gaussian is smooth in p, so p has a gradient: dL/dp = sum_s dL/dw_s w_s (s - p)/sigma^2.\n"
       "The edges of the window are not smooth: as p moves, a position drops in or out at once. No "
       "gradient knows of it, and a difference taken across an edge measures a jump; there the "
       "check must say that L is not differentiable.",
       "局部注意力（Luong、Pham 与 Manning，2015）只看窗口 [p - D, p + D]。local-m 令 p "
       "为目标词自己的位置："
       "常数，无可学习。local-p 预测 p，并把 softmax 乘以 exp(-(s - p)^2 / (2 sigma^2))，sigma = "
       "D/2，"
       "不再归一化。高斯函数对 p 光滑，所以 p 有梯度：dL/dp = Σ_s dL/dw_s w_s (s - p)/sigma^2。\n"
       "窗口的边缘并不光滑：p "
       "移动时，一个位置会突然进出。梯度对此一无所知，跨过边缘的差分量到的是跳变；"
       "在那里检查必须报告不可导。"},
      {"The arrow is the direction in which p should move. Then the last table: backward gives a "
       "small "
       "number where the two differences explode.",
       "箭头是 p 应当移动的方向。再看最后一张表：反向传播给出一个小数值，而两侧的差分都爆炸。"},
      {{"mech", {"The window", "窗口"}, "local-p", {"local-p", "local-m"}},
       {"p", {"Its middle, positions from 0", "中心，位置从 0 数起"}, "1.25"},
       {"D", {"Its reach to either side", "向两侧的范围"}, "2"}},
      run};
}

}  // namespace heed::microscope
