// Lesson 2: a softmax that is sure of itself passes nothing back.
#include <fmt/format.h>

#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr double kRounding = 0x1p-53;

// Example A with every score multiplied by beta.
Json sharpened(double beta) {
  Json file = example_a();
  file["query"] = {beta * 1, beta * 0.5};
  return file;
}

// How much rounding may leave of sum_j dL/de_j, which is 0.
double rounding_of(const Trace& t) {
  const Numbers a = value_of(t, "a"), g = grad_of(t, "a");
  double size = 0;
  for (size_t j = 0; j < a.size(); ++j) size += std::abs(a[j] * g[j]);
  return static_cast<double>(a.size() + 4) * kRounding * size;
}

// What is known of example A to six digits.
struct Known {
  double beta, largest_de;
};
constexpr Known kKnown[] = {{1, 0.179297}, {4, 0.123763}, {16, 4.30821e-4}, {64, 1.62794e-14}};

void sharpen(const Settings& settings, Findings& found) {
  Table table{{"Example A, all scores multiplied by beta", "例 A，全部分数乘以 beta"},
              {"a", "1 - max a", "max |dL/de|", "|J|_F", {"saturated", "饱和"}},
              {}};
  for (const double beta : settings.numbers("beta", 0, 1e6)) {
    const Trace t = run_case(sharpened(beta));
    const Numbers a = value_of(t, "a"), de = grad_of(t, "e");
    const Tensor e = leaf(matrix(value_of(t, "e"), 1));
    const std::vector<Numbers> j = jacobian([&] { return softmax(e); }, e);
    double most = 0;
    for (const double v : a) most = std::max(most, v);
    double others = 0;  // 1 - most would be 0 where the others are below 1e-16
    bool top = false;
    for (const double v : a)
      if (v == most && !top)
        top = true;
      else
        others += v;
    const std::string head = fmt::format("beta = {:g}", beta);
    table.rows.push_back({head,
                          {cells(a), cell(others), cell(largest(de)), cell(frobenius_norm(j)),
                           others < 1e-3 ? "*" : ""}});
    for (const Known& k : kKnown)
      if (k.beta == beta)
        found.truths.push_back(equals("max |dL/de|, " + head, largest(de), k.largest_de,
                                      std::max(5e-6 * k.largest_de, rounding_of(t))));
    found.truths.push_back(at_most({"|sum of dL/de|, " + head, "|dL/de 之和|，" + head},
                                   std::abs(sum(de)), rounding_of(t)));
    Numbers row_sums;
    for (const Numbers& row : j) row_sums.push_back(sum(row));
    found.truths.push_back(at_most("|J 1|, " + head, largest(row_sums), 7 * kRounding));
    found.truths.push_back(at_most("|J|_2, " + head, spectral_norm(j), 0.5 + 1e-12));
    if (!found.trace || beta == 16) found.trace = t;
  }
  found.tables.push_back(std::move(table));
}

// Two positions: a (1 - a) = 1 / (4 cosh^2(g / 2)). Off the diagonal of J stands -a (1 - a) without
// a difference of nearly equal numbers; on the diagonal it is lost bit by bit.
void two_positions(Findings& found) {
  Table table{{"Two positions, scores g and 0", "两个位置，分数为 g 与 0"},
              {"-J[0][1]", "J[0][0]", "1/(4 cosh^2(g/2))"},
              {}};
  for (const double g : {0.0, 2.0, 8.0, 32.0}) {
    const Tensor e = leaf64({{g, 0}});
    const std::vector<Numbers> j = jacobian([&] { return softmax(e); }, e);
    const double truth = 1 / (4 * std::cosh(g / 2) * std::cosh(g / 2));
    const std::string head = fmt::format("g = {:g}", g);
    table.rows.push_back({head, {cell(-j[0][1]), cell(j[0][0]), cell(truth)}});
    found.truths.push_back(equals("a (1 - a), " + head, -j[0][1], truth, 1e-14 * truth));
  }
  found.tables.push_back(std::move(table));
}

double first_zero(DType dtype) {
  for (double x = 0; x > -2000; --x)
    if (exp(Tensor::full({1}, x, dtype)).item() == 0) return x;
  return NAN;
}

void underflow(Findings& found) {
  const auto second = [](double gap) { return softmax(Tensor::of({{0, gap}}, f64)).at({0, 1}); };
  found.truths.push_back(
      at_least({"softmax(0, -745), second weight", "softmax(0, -745) 的第二个权重"}, second(-745),
               0x1p-1074));
  found.truths.push_back(exactly_zero(
      {"softmax(0, -746), second weight", "softmax(0, -746) 的第二个权重"}, {second(-746)}));
  found.truths.push_back(
      equals({"first whole x with exp(x) = 0 in f64", "f64 中使 exp(x) = 0 的第一个整数 x"},
             first_zero(f64), -746, 0));
  found.truths.push_back(
      within({"first whole x with exp(x) = 0 in f32", "f32 中使 exp(x) = 0 的第一个整数 x"},
             first_zero(f32), -105, -103));
}

Findings run(const Settings& settings) {
  Findings found;
  sharpen(settings, found);
  two_positions(found);
  underflow(found);
  return found;
}

}  // namespace

Lesson saturate_lesson() {
  return {
      "saturate",
      {"When does softmax stop teaching?", "softmax 什么时候不再传递梯度？"},
      {"dL/de = J dL/da with J = diag(a) - a a^T. The rows of J sum to 0, so dL/de sums to 0 as "
       "well: softmax can move weight between positions and nothing else. No direction is passed "
       "on by more than 1/2.\n"
       "Let every score grow by a factor beta. The largest weight goes to 1 and J to 0: the "
       "softmax "
       "is saturated. For two positions with scores g apart the factor is a (1 - a) = "
       "1/(4 cosh^2(g/2)), about exp(-g). It is tiny long before it is 0; exactly 0 it becomes "
       "only "
       "where exp itself underflows.",
       "dL/de = J dL/da，其中 J = diag(a) - a a^T。J 的每行之和为 0，因此 dL/de 之和也是 "
       "0：softmax 只能在"
       "位置之间移动权重。任何方向的放大都不超过 1/2。\n"
       "把全部分数乘以 beta：最大的权重趋于 1，J 趋于 0，这就是饱和。两个位置的分数相差 g "
       "时，因子为 "
       "a (1 - a) = 1/(4 cosh^2(g/2))，约为 exp(-g)。它在变成 0 之前早已极小；只有 exp 本身下溢时才"
       "恰好等于 0。"},
      {"1 - max a and max |dL/de| fall together; * marks 1 - max a < 0.001. At g = 32 the diagonal "
       "of J is right to three digits only, for it is a difference of numbers that are nearly 1; "
       "its neighbour is right to all digits.",
       "1 - max a 与 max |dL/de| 同步下降；* 表示 1 - max a < 0.001。g = 32 时 J "
       "的对角元只有三位有效数字"
       "正确，因为它是两个接近 1 的数之差；旁边的非对角元每一位都正确。"},
      {{"beta", {"Factors on the scores", "分数的倍数"}, "1,4,16,64"}},
      run};
}

}  // namespace heed::microscope
