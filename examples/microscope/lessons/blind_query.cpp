// Lesson B1: a linear score does not see the query.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "core/scope.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr int64_t kSource = 3, kSteps = 3, kState = 2, kWidth = 4;

// Three decoder states attend to the same three positions.
struct World {
  Tensor s, h;           // [T, 2], [S, 2]
  Tensor w, b;           // linear: [1, 4], [1]
  Tensor wide, v, bias;  // with tanh: [4, 4], [1, 4], [4]
  Tensor key_bias;       // dot: [2]
};
World world_of(Rng rng) {
  return {normal_leaf({kSteps, kState}, rng), normal_leaf({kSource, 2}, rng),
          normal_leaf({1, 4}, rng),           normal_leaf({1}, rng),
          normal_leaf({kWidth, 4}, rng),      normal_leaf({1, kWidth}, rng),
          normal_leaf({kWidth}, rng),         normal_leaf({2}, rng)};
}

// Scores [1, S] of one state.
Tensor score(const World& n, const std::string& kind, const Tensor& s) {
  if (kind == "key-bias") return matmul_nt(s, add(n.h, n.key_bias));
  const Tensor both = concat({matmul(Tensor::full({kSource, 1}, 1, f64), s), n.h}, 1);  // [S, 4]
  if (kind == "linear") return transpose(linear(both, n.w, n.b));
  return transpose(linear(tanh(linear(both, n.wide, n.bias)), n.v, {}));
}

Trace recorded(const World& n, const std::string& kind) {
  return record_run("blind", [&](Recording& recording) {
    Tape& tape = *Tape::active();
    recording.input(n.h);
    tape.name(n.h, "H");
    const auto use = [&](const Tensor& x, const char* name) {
      tape.keep_grad(x), tape.name(x, name);
    };
    use(n.s, "s");
    if (kind == "linear") use(n.w, "w"), use(n.b, "b");
    if (kind == "tanh") use(n.wide, "W"), use(n.v, "v"), use(n.bias, "b");
    if (kind == "key-bias") use(n.key_bias, "b_key");
    Tensor total;
    for (int64_t t = 0; t < kSteps; ++t) {
      const Scope scope("step", t);
      const Tensor e = named(score(n, kind, slice(n.s, 0, t, t + 1)), fmt::format("e_{}", t + 1));
      const Tensor a = named(softmax(e), fmt::format("a_{}", t + 1));
      const Tensor loss = loss_a(named(matmul(a, n.h), fmt::format("c_{}", t + 1)));
      total = total.defined() ? total + loss : loss;
    }
    return total;
  });
}

// What rounding is measured by: the sum of |a_j dL/da_j| over all steps.
double scale_of(const Trace& t) {
  double size = 0;
  for (int64_t i = 1; i <= kSteps; ++i) {
    const Numbers a = value_of(t, fmt::format("a_{}", i)), g = grad_of(t, fmt::format("a_{}", i));
    for (size_t j = 0; j < a.size(); ++j) size += std::abs(a[j] * g[j]);
  }
  return size;
}

// How much the weights of the steps differ.
double weights_gap(const Trace& t) {
  double most = 0;
  for (int64_t i = 2; i <= kSteps; ++i)
    most = std::max(most, largest_gap(value_of(t, "a_1"), value_of(t, fmt::format("a_{}", i))));
  return most;
}

Findings run(const Settings& settings) {
  const World n = world_of(Rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15))));
  Findings found;
  const Trace linear_score = recorded(n, "linear"), with_tanh = recorded(n, "tanh"),
              key_bias = recorded(n, "key-bias");
  Table table{{"Three decoder states, one source; s acts on L through the scores alone",
               "三个解码器状态，同一个源句；s 只经由分数影响 L"},
              {"a_1", "a_2", "a_3", "max |dL/ds|", {"max |dL/db|", "max |dL/db|"}},
              {}};
  for (const auto& [t, label, bias] :
       {std::tuple(&linear_score, Words("w . [s; h] + b", "w . [s; h] + b"), "b"),
        std::tuple(&key_bias, Words("s . (h + b)", "s . (h + b)"), "b_key"),
        std::tuple(&with_tanh, Words("v . tanh(W [s; h] + b)", "v . tanh(W [s; h] + b)"), "b")})
    table.rows.push_back(
        {label,
         {cells(value_of(*t, "a_1")), cells(value_of(*t, "a_2")), cells(value_of(*t, "a_3")),
          cell(largest(grad_of(*t, "s"))), cell(largest(grad_of(*t, bias)))}});
  found.tables.push_back(std::move(table));
  const double size = scale_of(linear_score), weight = largest(n.w.to_vector());
  found.truths = {
      at_most({"linear: weights of different steps", "线性：各步权重之差"},
              weights_gap(linear_score), 1e-15),
      at_most({"linear: |dL/ds| via the score", "线性：经由分数的 |dL/ds|"},
              largest(grad_of(linear_score, "s")), 1e-15 * size * weight),
      at_most({"linear: |dL/db|", "线性：|dL/db|"}, largest(grad_of(linear_score, "b")),
              1e-15 * size),
      at_most({"a bias on the keys of a dot product: |dL/db_key|", "点积的键偏置：|dL/db_key|"},
              largest(grad_of(key_bias, "b_key")),
              1e-15 * scale_of(key_bias) * largest(n.s.to_vector())),
      at_least({"tanh: weights of different steps", "tanh：各步权重之差"}, weights_gap(with_tanh),
               1e-3),
      at_least({"tanh: |dL/ds| via the score", "tanh：经由分数的 |dL/ds|"},
               largest(grad_of(with_tanh, "s")), 1e-3)};
  const std::string kind = settings.words("score").at(0);
  found.trace = kind == "tanh" ? with_tanh : kind == "key-bias" ? key_bias : linear_score;
  return found;
}

}  // namespace

Lesson blind_query_lesson() {
  return {
      "blind-query",
      {"Can a linear score see the query?", "线性分数看得见查询吗？"},
      {"Some code scores a position by one linear layer on [s; h_j]: e_j = w_s . s + w_h . h_j + "
       "b. The "
       "share of s is the same for every position, and softmax does not change when all scores "
       "move "
       "together. The weights are the same at every decoder step, and no training can change that: "
       "dL/ds = w_s sum_j dL/de_j = 0, as is the gradient of b, and of a bias on the keys of a dot "
       "product.\n"
       "A tanh between two layers, v . tanh(W [s; h_j] + b), makes s and h_j act on each other.",
       "有的代码用一个线性层给 [s; h_j] 打分：e_j = w_s . s + w_h . h_j + b。s "
       "的那一份对每个位置都相同，而全部"
       "分数一起平移时 softmax 不变。所以每个解码步的权重都一样，训练也改变不了：dL/ds = w_s Σ_j "
       "dL/de_j = 0，"
       "b 的梯度以及点积中键偏置的梯度也是 0。\n"
       "在两层之间加上 tanh，v . tanh(W [s; h_j] + b)，s 与 h_j 才能相互作用。"},
      {"Three equal columns in the first row, and gradients that are rounding.",
       "第一行的三列相同，梯度只剩舍入误差。"},
      {{"score",
        {"The score of the trace", "轨迹所用的分数"},
        "linear",
        {"linear", "key-bias", "tanh"}},
       {"seed", {"Seed of the numbers", "随机种子"}, "1"}},
      run};
}

}  // namespace heed::microscope
