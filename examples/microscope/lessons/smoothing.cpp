// Lesson 11: where label smoothing ends the push.
#include <fmt/format.h>

#include <cmath>

#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr int64_t kClasses = 5, kTarget = 2, kPad = 0;

Tensor loss_of(const Tensor& z, const std::vector<int64_t>& targets, double eps) {
  return cross_entropy(z, Tensor::ids(targets, {static_cast<int64_t>(targets.size())}),
                       {.ignore = kPad, .label_smoothing = eps});
}

Numbers slope(const Tensor& z, const std::vector<int64_t>& targets, double eps) {
  return gradient([&] { return loss_of(z, targets, eps); }, z);
}

Numbers target_of(double eps) {
  Numbers y(kClasses, eps / kClasses);
  y[kTarget] += 1 - eps;
  return y;
}

// Logits whose softmax is the smoothed target itself.
Tensor at_the_goal(double eps) {
  return leaf(log(matrix(target_of(eps), 1)));
}

// Logits with the target's `gap` above all others, the wrong classes' share of the push.
double push_of_others(double gap) {
  Numbers z(kClasses, 0.0);
  z[kTarget] = gap;
  Numbers dz = slope(leaf(matrix(z, 1)), {kTarget}, 0);
  dz[kTarget] = 0;
  return sum(dz);
}

Findings run(const Settings& settings) {
  Findings found;
  const Tensor z = leaf64({{0.5, -1, 2, 0, 1}});
  const Numbers p = softmax(z).to_vector();
  for (const double eps : settings.numbers("ls", 0, 0.999)) {
    const Numbers y = target_of(eps), dz = slope(z, {kTarget}, eps);
    Table table{{fmt::format("eps = {:g}, V = 5, target class 2, class 0 is the pad", eps),
                 fmt::format("eps = {:g}，V = 5，目标类 2，类 0 为填充", eps)},
                {"p", {"target y", "目标 y"}, "dL/dz"},
                {}};
    Numbers expected;
    for (size_t v = 0; v < p.size(); ++v) {
      table.rows.push_back({fmt::format("{}", v), {cell(p[v]), cell(y[v]), cell(dz[v])}});
      expected.push_back(p[v] - y[v]);
    }
    found.tables.push_back(std::move(table));
    const std::string head = fmt::format("eps = {:g}: ", eps);
    found.truths.push_back(at_most(head + "|dz - (p - y)|", largest_gap(dz, expected), 1e-15));
    found.truths.push_back(at_most(head + "|sum of dz|", std::abs(sum(dz)), 1e-15));
    if (eps > 0)
      found.truths.push_back(at_most(
          {head + "|dz| where p_y = 1 - eps + eps/V", head + "p_y = 1 - eps + eps/V 处的 |dz|"},
          largest(slope(at_the_goal(eps), {kTarget}, eps)), 1e-15));
    if (eps == 0.1) {
      found.truths.push_back(equals({"eps = 0.1: the goal p", "eps = 0.1：终点 p"},
                                    softmax(at_the_goal(eps)).to_vector(),
                                    {0.02, 0.02, 0.92, 0.02, 0.02}, 1e-12));
      // The pad is a class like the others: it keeps its eps/V. A target that is the pad counts
      // for nothing: its row is exactly 0, and the mean is over the other rows.
      found.truths.push_back(equals(
          {"eps = 0.1: dz of the pad class is p - eps/V", "eps = 0.1：填充类的 dz 为 p - eps/V"},
          dz[kPad], p[kPad] - 0.02, 1e-15));
    }
    if (eps == 0)
      for (const double gap : {10.0, 30.0, 700.0})
        found.truths.push_back(at_least({head + fmt::format("push left at a gap of {:g}", gap),
                                         head + fmt::format("分差 {:g} 时剩下的推力", gap)},
                                        push_of_others(gap), 0x1p-1074));
    const Tensor two = leaf64({{0.5, -1, 2, 0, 1}, {1, 2, 3, 4, 5}});
    const Numbers both = slope(two, {kTarget, kPad}, eps);
    found.truths.push_back(
        exactly_zero({head + "dz of a row whose target is the pad", head + "目标为填充的行的 dz"},
                     part(both, kClasses, 2 * kClasses)));
    found.truths.push_back(equals(
        {head + "the other row is that of the sentence alone", head + "另一行与单独计算时相同"},
        part(both, 0, kClasses), dz, 0));
    if (!found.trace || eps > 0)
      found.trace = record_run("smoothing", [&](Recording& recording) {
        recording.input(z);
        Tape::active()->name(z, "z");
        return named(loss_of(z, {kTarget}, eps), "L");
      });
  }
  return found;
}

}  // namespace

Lesson smoothing_lesson() {
  return {
      "smoothing",
      {"Where does the push stop?", "推力在哪里停止？"},
      {"The gradient of cross-entropy after a softmax is dz = p - y: a push that moves probability "
       "to "
       "the target, and sums to 0.\n"
       "With a one-hot y it never stops: p_y = 1 needs an infinite logit. Label smoothing takes "
       "y = (1 - eps) onehot + eps/V instead (Szegedy et al. 2016); the push is 0 at p = y, where "
       "p_y = 1 - eps + eps/V, and beyond it points back.\n"
       "heed spreads eps over all V classes, the pad among them; a target that is the pad is not "
       "counted and its row is exactly 0.",
       "softmax 之后交叉熵的梯度是 dz = p - y：把概率推向目标，各分量之和为 0。\n"
       "y 为 one-hot 时它永不停止：p_y = 1 需要无穷大的 logit。标签平滑（Szegedy 等，2016）改用 "
       "y = (1 - eps) onehot + eps/V；p = y 时推力为 0，即 p_y = 1 - eps + "
       "eps/V，越过之后方向相反。\n"
       "heed 把 eps 分给全部 V 个类，包括填充类；目标为填充的位置不计入，其行恰好为 0。"},
      {"Compare dL/dz with p - y column by column; at a gap of 700 the push is 1e-304 and still "
       "not 0.",
       "逐列比较 dL/dz 与 p - y；分差为 700 时推力只有 1e-304，仍不为 0。"},
      {{"ls", {"Smoothing eps", "平滑系数 eps"}, "0,0.1"}},
      run};
}

}  // namespace heed::microscope
