// Lesson B3: a weight is no importance.
#include <fmt/format.h>

#include <cmath>

#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

// Jain & Wallace 2019; Serrano & Smith 2019.
Findings run(const Settings&) {
  const Numbers effects{-0.183577300664, 0.203737528498, 0.087851314642};
  Findings found;
  found.trace = run_case(example_a());
  const Trace& t = *found.trace;
  const Numbers a = value_of(t, "a"), g = grad_of(t, "a"), de = grad_of(t, "e");
  const double loss = value_of(t, "L")[0];
  Table table{{"Example A, position by position", "例 A，逐个位置"},
              {"a", "dL/da", "a dL/da", "dL/de", {"L without it - L", "去掉后 L 的变化"}},
              {}};
  Numbers measured;
  int agree = 0;
  for (size_t j = 0; j < 3; ++j) {
    Json without = example_a();
    without["mask"] = {1, 1, 1};
    without["mask"][j] = 0;
    measured.push_back(value_of(run_case(without), "L")[0] - loss);
    table.rows.push_back(
        {fmt::format("{}", j + 1),
         {cell(a[j]), cell(g[j]), cell(a[j] * g[j]), cell(de[j]), cell(measured[j])}});
    // a dL/da > 0: the position raises the loss, so that without it the loss falls.
    agree += a[j] * g[j] * measured[j] < 0 ? 1 : 0;
  }
  found.tables.push_back(std::move(table));
  found.truths.push_back(
      equals({"L without each position - L", "去掉每个位置后 L 的变化"}, measured, effects, 1e-12));
  found.truths.push_back(at_least({"the largest weight is that of position 1", "位置 1 的权重最大"},
                                  a[0], std::max(a[1], a[2])));
  found.truths.push_back(equals({"positions where the sign of a dL/da tells the sign of the effect",
                                 "a dL/da 的符号与效果相符的位置数"},
                                agree, 3, 0));
  return found;
}

}  // namespace

Lesson not_importance_lesson() {
  return {
      "not-importance",
      {"Is a large weight an important word?", "权重大的词就重要吗？"},
      {"A weight says how much of a value is mixed in, not what that does to the loss. What a "
       "position does is measured by taking it away: mask it, let softmax share its weight among "
       "the others, and look at the loss.\n"
       "In example A the largest weight, 0.547 at position 1, is harmful: without that position "
       "the "
       "loss falls. The gradient knew: a dL/da is positive there and negative at the two others, "
       "whose removal raises the loss.",
       "权重说明一个值被混入多少，并不说明它对损失的作用。一个位置的作用要靠去掉它来测量：遮蔽它，"
       "让 "
       "softmax 把它的权重分给其余位置，再看损失。\n"
       "在例 A 中，最大的权重（位置 "
       "1，0.547）是有害的：去掉它损失反而下降。梯度早已表明这一点：那里 "
       "a dL/da 为正，而另外两个位置为负，去掉它们损失上升。"},
      {"The first and the last column side by side; then the sign of the third.",
       "对照第一列和最后一列，再看第三列的符号。"},
      {},
      run};
}

}  // namespace heed::microscope
