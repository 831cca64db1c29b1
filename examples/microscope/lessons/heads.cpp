// Lesson 7: the mean of the heads' weights is not what a model computes.
#include <algorithm>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/multi_head.h"

namespace heed::microscope {
namespace {

constexpr int64_t kSize = 4, kHeads = 2, kPart = kSize / kHeads;

// Two heads with given weights over two positions, each with values of its own: c = [c_1; c_2].
struct Mixed {
  Numbers mean_map, context;
  double loss;
};
Mixed mixed(const Numbers& first, const Numbers& second) {
  const Tensor v1 = Tensor::of({{1, 0}, {-1, 2}}, f64), v2 = Tensor::of({{0.5, 1}, {2, -1}}, f64);
  const Tensor out = Tensor::of({{1, -0.5, 0.25, 1}, {0.5, 1, -1, 0.5}}, f64);  // W_O [2, 4]
  const Tensor c = concat({matmul(matrix(first, 1), v1), matmul(matrix(second, 1), v2)}, 1);
  Numbers mean_map(first.size());
  for (size_t j = 0; j < mean_map.size(); ++j) mean_map[j] = (first[j] + second[j]) / 2;
  return {mean_map, c.to_vector(), loss_a(linear(c, out, {})).item()};
}

void same_mean(Findings& found) {
  const Mixed apart = mixed({1, 0}, {0, 1}), even = mixed({0.5, 0.5}, {0.5, 0.5});
  found.tables.push_back(
      {{"Two pairs of heads", "两组注意力头"},
       {{"mean of a", "a 的平均"}, "c", "L"},
       {{"(1,0) (0,1)", {cells(apart.mean_map), cells(apart.context), cell(apart.loss)}},
        {"(1/2,1/2) (1/2,1/2)", {cells(even.mean_map), cells(even.context), cell(even.loss)}}}});
  found.truths.push_back(
      equals({"the mean maps are the same", "平均图相同"}, apart.mean_map, even.mean_map, 0));
  found.truths.push_back(at_least({"the contexts are not", "上下文不同"},
                                  largest_gap(apart.context, even.context), 0.1));
  found.truths.push_back(
      at_least({"the losses are not", "损失不同"}, std::abs(apart.loss - even.loss), 0.1));
}

// Self-attention of three positions, and the loss of the first one's output.
Trace run_layer(const MultiHead& layer, const Tensor& x, const Tensor& readout) {
  return record_run("heads", [&](Recording& recording) {
    Tape& tape = *Tape::active();
    recording.input(x);
    tape.name(x, "X");
    tape.keep_grad(layer.in_proj_weight), tape.keep_grad(layer.out_proj.weight);
    tape.name(layer.in_proj_weight, "W_in"), tape.name(layer.out_proj.weight, "W_O");
    const SelfAttended r = layer.self(x);
    const Tensor y = named(r.y, "y");
    return loss_a(matmul_nt(select(y, 1, 0), readout));
  });
}

// The heads' contexts side by side, the input of W_O: its gradient.
Numbers contexts_gradient(const Trace& t) {
  const int weight = t.find("W_O");
  for (const TraceOp& op : t.ops)
    if (op.in.size() > 1 && op.in[1] == weight)
      return t.tensors[static_cast<size_t>(op.in[0])].grad;
  return {};
}

// Rows of W_in that make head `head`'s queries, keys and values.
Numbers projections_gradient(const Trace& t, int64_t head) {
  const Numbers all = grad_of(t, "W_in");
  Numbers rows;
  for (int64_t which = 0; which < 3; ++which)
    for (int64_t i = 0; i < kPart * kSize; ++i)
      rows.push_back(all[static_cast<size_t>((which * kSize + head * kPart) * kSize + i)]);
  return rows;
}

void layer(Rng rng, Findings& found) {
  MultiHead heads({.query = kSize, .heads = kHeads}, rng);
  to(heads, f64);
  const Tensor x = normal_leaf({1, 3, kSize}, rng),
               readout = Tensor::normal({2, kSize}, 0, 1, rng, f64);
  found.trace = run_layer(heads, x, readout);
  const Numbers received = contexts_gradient(*found.trace), dy = grad_of(*found.trace, "y");
  const Numbers w = heads.out_proj.weight.to_vector();
  Numbers expected(static_cast<size_t>(3 * kSize), 0.0);  // W_O^T dy, position by position
  for (size_t t = 0; t < 3; ++t)
    for (size_t i = 0; i < kSize; ++i)
      for (size_t o = 0; o < kSize; ++o)
        expected[t * kSize + i] += w[o * kSize + i] * dy[t * kSize + o];
  found.truths.push_back(
      at_most({"head i receives W_O[i]^T dy: the largest gap", "第 i 个头得到 W_O[i]^T dy：最大差"},
              largest_gap(received, expected), 1e-14));
  double* weight = heads.out_proj.weight.mutable_data<double>();
  for (int64_t o = 0; o < kSize; ++o)
    for (int64_t i = 0; i < kPart; ++i) weight[o * kSize + i] = 0;  // the block of head 0
  const Trace blocked = run_layer(heads, x, readout);
  Table table{{"|gradient| of a head's W_q, W_k, W_v", "各头的 W_q、W_k、W_v 的梯度大小"},
              {{"W_O as drawn", "W_O 随机"}, {"block of head 1 set to 0", "头 1 的块置 0"}},
              {}};
  for (int64_t h = 0; h < kHeads; ++h)
    table.rows.push_back({{"head " + std::to_string(h + 1), "头 " + std::to_string(h + 1)},
                          {cell(norm(projections_gradient(*found.trace, h))),
                           cell(norm(projections_gradient(blocked, h)))}});
  found.tables.push_back(std::move(table));
  found.truths.push_back(
      exactly_zero({"block of W_O = 0: that head's q, k and v", "W_O 的块为 0：该头的 q、k、v"},
                   projections_gradient(blocked, 0)));
  found.truths.push_back(at_least({"the other head's still learn", "另一个头仍在学习"},
                                  norm(projections_gradient(blocked, 1)), 1e-6));
}

// A model that does average its heads: each gets the same, dc/H.
void averaged(Findings& found) {
  const Tensor c1 = leaf64({{1, 0}}), c2 = leaf64({{0, 2}});
  Tape tape;
  const Tensor c = tape.keep_grad(mean(stack({{c1, c2}}, 0), {0}));
  tape.backward(loss_a(c));
  const Numbers dc = tape.grad(c).to_vector();
  Numbers share(dc);
  for (double& v : share) v /= kHeads;
  found.truths.push_back(
      equals({"heads that are averaged: dL/dc_1 = dc/H", "真正取平均时：dL/dc_1 = dc/H"},
             tape.grad(c1).to_vector(), share, 1e-16));
  found.truths.push_back(equals("dL/dc_2 = dc/H", tape.grad(c2).to_vector(), share, 1e-16));
}

Findings run(const Settings& settings) {
  Findings found;
  same_mean(found);
  layer(Rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15))), found);
  averaged(found);
  return found;
}

}  // namespace

Lesson heads_lesson() {
  return {
      "heads",
      {"Is the average head what the model uses?", "模型用的是平均的注意力头吗？"},
      {"Pictures of attention often show the mean of the heads' weights. The model never computes "
       "that "
       "mean: each head mixes its own values, and W_O reads the contexts side by side. Two "
       "settings "
       "with the same mean map can give different outputs and different losses.\n"
       "Backward, head i receives W_O[i]^T dy, its own block of W_O. Where that block is 0 the "
       "head's "
       "queries, keys and values get exactly nothing, whatever its map looks like. Only if a model "
       "really averages its H heads does each receive the same dc/H.",
       "注意力图常常画出各头权重的平均。模型从不计算这个平均：每个头混合自己的值，W_O "
       "并排读取各头的"
       "上下文。平均图相同的两种情形，输出和损失可以不同。\n"
       "反向时，第 i 个头得到 W_O[i]^T dy，即 W_O 中属于它的那一块。若这一块为 "
       "0，无论它的图是什么样，"
       "该头的查询、键和值都恰好得不到任何梯度。只有真正对 H 个头取平均的模型，才给每个头同样的 "
       "dc/H。"},
      {"First table: one mean, two contexts. Second: a head that is drawn but not read.",
       "第一张表：同一个平均，两种上下文。第二张表：看得见却没有被读取的头。"},
      {{"seed", {"Seed of the numbers", "随机种子"}, "3"}},
      run};
}

}  // namespace heed::microscope
