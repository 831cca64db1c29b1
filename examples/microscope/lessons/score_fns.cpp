// Lesson 4: what a score function does to the gradient of the query.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/attention.h"

namespace heed::microscope {
namespace {

constexpr int64_t kWidth = 4, kKeys = 10;

// The layers of the library with shared numbers: concat is additive without a bias.
struct Layers {
  Attention dot, additive, concat, cosine;
};

Layers layers_of(Rng rng) {
  const auto make = [&](Score score) {
    Attention layer({.score = score, .query = kWidth, .key = kWidth, .width = kWidth}, rng);
    to(layer, f64);
    return layer;
  };
  Layers l{make(Score::dot), make(Score::additive), make(Score::concat), make(Score::cosine)};
  l.additive.key.bias = leaf(Tensor::zeros({kWidth}, f64));
  l.concat.weight = leaf(heed::concat({l.additive.query.weight, l.additive.key.weight}, 1));
  l.concat.v = l.additive.v;
  l.cosine.beta = leaf(Tensor::full({1}, 1, f64));
  return l;
}

// Scores [10] and d e_j / d q, a row per position.
struct Slopes {
  Numbers scores;
  std::vector<Numbers> rows;
};

Slopes slopes_of(const Attention& layer, const Tensor& query, const Tensor& keys) {
  const Tensor q = leaf(query);
  const auto f = [&] { return layer.scores(q, layer.memory(keys)); };
  return {f().to_vector(), jacobian(f, q)};
}

double steepest(const Slopes& s) {
  double most = 0;
  for (const Numbers& row : s.rows) most = std::max(most, norm(row));
  return most;
}

std::vector<Numbers> rows_of(const Tensor& x) {
  const Numbers all = x.to_vector();
  const auto width = static_cast<size_t>(x.shape().back());
  std::vector<Numbers> rows;
  for (size_t i = 0; i < all.size(); i += width) rows.push_back(part(all, i, i + width));
  return rows;
}

// Example A with another score.
Trace trace_of_score(const std::string& score) {
  Json file = example_a();
  file["mechanism"] = score;
  const Json wide{{0.5, -0.25, 0.25, 1}, {0.75, 0.5, -0.5, 0.25}};
  if (score == "additive")
    file["params"] = {
        {"W_q", {{0.5, -0.25}, {0.75, 0.5}}}, {"W_k", {{0.25, 1}, {-0.5, 0.25}}}, {"v", {1, -0.5}}};
  if (score == "concat") file["params"] = {{"W", wide}, {"v", {1, -0.5}}};
  if (score == "cosine") file["params"] = {{"beta", 1}};
  return run_case(file);
}

// The largest weight that cosine scores can give: one key along the query, the others against it.
void cosine_cap(const Attention& cosine_score, const Tensor& q, Findings& found) {
  Tensors keys{q};
  for (int64_t j = 1; j < kKeys; ++j) keys.push_back(neg(q));
  const Tensor e = cosine_score.scores(q, cosine_score.memory(stack(keys, 1)));
  found.truths.push_back(
      equals({"cosine: the largest weight there is, 10 keys", "cosine：10 个键时权重的上限"},
             max(softmax(e)).item(), 0.450853060379, 1e-12));
}

void compare(const Layers& l, const Tensor& q1, const Tensor& k1, const Numbers& factors,
             Findings& found) {
  const double bound =
      spectral_norm(rows_of(l.additive.query.weight)) * norm(l.additive.v.to_vector());
  Table table{{"Queries and keys multiplied by t: the largest |d e_j / d q|",
               "查询与键乘以 t：最大的 |d e_j / d q|"},
              {"dot",
               "additive",
               "cosine",
               {"mean 1 - u^2", "1 - u^2 的平均"},
               {"largest weight, cosine", "cosine 的最大权重"}},
              {}};
  Numbers dot_gap, additive_over, concat_gap, perpendicular, weight, open;
  for (const double t : factors) {
    const Tensor q = scale(q1, t), k = scale(k1, t);
    const Slopes by_dot = slopes_of(l.dot, q, k), by_add = slopes_of(l.additive, q, k),
                 by_concat = slopes_of(l.concat, q, k), by_cosine = slopes_of(l.cosine, q, k);
    const Tensor u = tanh(add(l.additive.query(q), l.additive.key(k)));
    open.push_back(1 - mean(square(u)).item());
    dot_gap.push_back(largest_gap(flat(by_dot.rows), k.to_vector()) / t);
    additive_over.push_back(steepest(by_add) - bound);
    concat_gap.push_back(std::max(largest_gap(by_add.scores, by_concat.scores),
                                  largest_gap(flat(by_add.rows), flat(by_concat.rows))));
    for (const Numbers& row : by_cosine.rows) perpendicular.push_back(dot(row, q.to_vector()));
    weight.push_back(max(softmax(matrix(by_cosine.scores, 1))).item());
    table.rows.push_back({fmt::format("t = {:g}", t),
                          {cell(steepest(by_dot)), cell(steepest(by_add)),
                           cell(steepest(by_cosine)), cell(open.back()), cell(weight.back())}});
  }
  found.tables.push_back(std::move(table));
  const double cap =
      std::exp(1.0) / (std::exp(1.0) + static_cast<double>(kKeys - 1) / std::exp(1.0));
  found.truths = {
      at_most({"dot: |d e_j/dq - k_j| over t", "dot：|d e_j/dq - k_j| / t"}, largest(dot_gap),
              1e-14),
      at_most({"additive: largest |d e_j/dq| above |W_q|_2 |v|",
               "additive：|d e_j/dq| 超出 |W_q|_2 |v| 的部分"},
              *std::max_element(additive_over.begin(), additive_over.end()), 1e-12),
      at_most({"concat against additive without a bias: scores and slopes",
               "concat 与无偏置的 additive：分数与斜率之差"},
              largest(concat_gap), 1e-12),
      at_most({"cosine: q . d e_j/dq", "cosine：q . d e_j/dq"}, largest(perpendicular), 1e-13),
      at_most({"cosine: largest weight of 10", "cosine：10 个权重中最大的"}, largest(weight), cap)};
}

// Where every |u| is close to 1 the additive score passes nothing to the query.
void saturated(const Attention& additive, Findings& found) {
  const Tensor q = Tensor::full({1, kWidth}, 1, f64);
  const Tensor key = Tensor::zeros({1, 1, kWidth}, f64);
  const double near = steepest(slopes_of(additive, q, key));
  const double far = steepest(slopes_of(additive, scale(q, 1e4), key));
  found.truths.push_back(at_most({"additive: |de/dq| where |u| -> 1, over that at t = 1",
                                  "additive：|u| -> 1 处的 |de/dq| 与 t = 1 处之比"},
                                 far / near, 1e-6));
}

Findings run(const Settings& settings) {
  const Rng rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15)));
  const Numbers factors = settings.numbers("factor", 1e-3, 1e6);
  const Layers l = layers_of(rng.fork("layers"));
  Rng draw = rng.fork("numbers");
  const Tensor q = Tensor::normal({1, kWidth}, 0, 1, draw, f64);
  const Tensor k = Tensor::normal({1, kKeys, kWidth}, 0, 1, draw, f64);
  Findings found;
  compare(l, q, k, factors, found);
  cosine_cap(l.cosine, q, found);
  saturated(l.additive, found);
  found.trace = trace_of_score(settings.words("score").at(0));
  return found;
}

}  // namespace

Lesson score_fns_lesson() {
  return {
      "score-fns",
      {"Additive or dot: how does the gradient flow?", "加性还是点积：梯度如何流动？"},
      {"dot: d e_j/dq = k_j. What comes back to the query is as long as the keys; multiply queries "
       "and keys by 100 and it grows by 100, as do the scores.\n"
       "additive: d e_j/dq = W_q^T (v * (1 - u_j^2)), u_j = tanh(W_q q + W_k k_j + b). Never "
       "longer "
       "than |W_q|_2 |v|, and next to nothing once every |u| is close to 1: tanh saturates where "
       "dot explodes.\n"
       "concat is additive with W = [W_q W_k] and b = 0, the same numbers.\n"
       "cosine: d e_j/dq is perpendicular to q, for its length changes no score. Without a factor "
       "beta scores stay in [-1, 1], so that no weight of n can exceed e/(e + (n-1)/e).",
       "dot：d e_j/dq = k_j。传回查询的梯度与键一样长；查询和键都乘以 100，它就增大 100 "
       "倍，分数更甚。\n"
       "additive：d e_j/dq = W_q^T (v * (1 - u_j^2))，u_j = tanh(W_q q + W_k k_j + "
       "b)。它的长度不超过 "
       "|W_q|_2 |v|，当所有 |u| 接近 1 时几乎为零：点积爆炸之处，tanh 饱和。\n"
       "concat 就是 W = [W_q W_k]、b = 0 的 additive，数值相同。\n"
       "cosine：d e_j/dq 与 q 垂直，因为 q 的长度不影响分数。没有系数 beta 时分数在 [-1, 1] "
       "之内，n 个"
       "权重中没有一个能超过 e/(e + (n-1)/e)。"},
      {"Read each column downwards: dot grows with t, additive stays below its bound, cosine falls "
       "like 1/t.",
       "逐列向下看：dot 随 t 增长，additive 不超过上界，cosine 按 1/t 下降。"},
      {{"factor", {"Factors t on queries and keys", "查询与键的倍数 t"}, "1,10,100"},
       {"score",
        {"The score of the trace", "轨迹所用的分数"},
        "additive",
        {"dot", "additive", "concat", "cosine"}},
       {"seed", {"Seed of the numbers", "随机种子"}, "4"}},
      run};
}

}  // namespace heed::microscope
