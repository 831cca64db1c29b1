// Lesson 3: three ways to mask a position, and what each leaks.
#include <cmath>

#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

struct Masked {
  Numbers a, de, dk, dv;
  Trace trace;
};

// Example A with keys and values apart, so that both gradients are seen, and position 3 masked.
Masked masked(const std::string& how) {
  const Tensor q = leaf64({{1, 0.5}});
  const Tensor k = leaf64({{1, 0}, {0, 1}, {-1, 1}}), v = leaf64({{1, 0}, {0, 1}, {-1, 1}});
  Masked m;
  m.trace = record_run("mask", [&](Recording& recording) {
    Tape& tape = *Tape::active();
    recording.input(q), recording.input(k), recording.input(v);
    tape.name(q, "q"), tape.name(k, "K"), tape.name(v, "V");
    const Tensor e = named(matmul_nt(q, k), "e");
    const Mask keep = Mask::keep({1, 1, 0});
    Tensor a;
    if (how == "pre") a = softmax(e, keep);
    if (how == "post") a = mul(softmax(e), Tensor::of({{1, 1, 0}}, f64));
    if (how == "add1e9") a = softmax(add(e, Tensor::of({{0, 0, -1e9}}, f64)));
    return loss_a(named(matmul(named(a, "a"), v), "c"));
  });
  m.a = value_of(m.trace, "a");
  m.de = grad_of(m.trace, "e");
  m.dk = part(grad_of(m.trace, "K"), 4, 6);
  m.dv = part(grad_of(m.trace, "V"), 4, 6);
  return m;
}

// dL/de when the weights are multiplied by the mask after the softmax, for the dL/da of example A.
Numbers leak() {
  const Trace plain = run_case(example_a());
  const Tensor e = leaf(matrix(value_of(plain, "e"), 1));
  return gradients(
      [&] {
        return mul(softmax(e), Tensor::of({{1, 1, 0}}, f64));
      },
      {e}, matrix(grad_of(plain, "a"), 1))[0];
}

// A row that keeps nothing, four times.
void nothing_kept(Findings& found) {
  const Mask none = Mask::keep({0, 0, 0});
  const auto scores = [](DType dtype) { return Tensor::of({{1, 0.5, -0.5}}, dtype); };
  const Tensor e = leaf(scores(f64));
  const auto apart = [&] {  // softmax by its definition, of scores to which -inf was added
    const Tensor kept = e + Tensor::full({1, 3}, -INFINITY, f64);
    const Tensor x = exp(kept - detach(max(kept, {-1}, true)));
    return x / heed::sum(x, {-1}, true);
  };
  const auto library = [&] { return softmax(e, none); };
  const Tensor g = Tensor::of({{1, 2, 3}}, f64);
  const auto added = [&](DType dtype) {
    return softmax(add(scores(dtype), Tensor::full({1, 3}, -1e9, dtype))).to_vector();
  };
  const Numbers unmasked = softmax(scores(f64)).to_vector();
  const Numbers f64_added = added(f64), f32_added = added(f32);
  Table table{{"No position kept", "一个位置也不保留"}, {"a", "dL/de"}, {}};
  const Numbers nan = apart().to_vector(), nan_grad = gradients(apart, {e}, g)[0];
  const Numbers ours = library().to_vector(), ours_grad = gradients(library, {e}, g)[0];
  table.rows = {
      {{"-inf added, by the definition", "加 -inf，按定义计算"}, {cells(nan), cells(nan_grad)}},
      {{"-inf, heed's softmax", "-inf，heed 的 softmax"}, {cells(ours), cells(ours_grad)}},
      {{"-1e9 added, f64", "加 -1e9，f64"}, {cells(f64_added), ""}},
      {{"-1e9 added, f32", "加 -1e9，f32"}, {cells(f32_added), ""}}};
  found.tables.push_back(std::move(table));
  found.truths.push_back(
      is({"nothing kept, by the definition: a and dL/de", "全部遮蔽，按定义：a 与 dL/de"},
         std::isnan(largest(nan)) && std::isnan(largest(nan_grad)) ? "NaN" : "finite", "NaN"));
  found.truths.push_back(exactly_zero({"nothing kept, heed: a", "全部遮蔽，heed：a"}, ours));
  found.truths.push_back(
      exactly_zero({"nothing kept, heed: dL/de", "全部遮蔽，heed：dL/de"}, ours_grad));
  found.truths.push_back(
      equals({"-1e9 on all, f64: the unmasked weights", "全部加 -1e9，f64：等于未遮蔽的权重"},
             f64_added, unmasked, 1.2e-7));
  found.truths.push_back(
      equals({"-1e9 on all, f32", "全部加 -1e9，f32"}, f32_added, Numbers(3, 1.0 / 3), 6e-8));
}

Findings run(const Settings& settings) {
  Findings found;
  Table table{{"Example A, position 3 masked: what it gets", "例 A，遮蔽位置 3：它得到什么"},
              {"a_3", "dL/de_3", "dL/dk_3", "dL/dv_3", "L"},
              {}};
  for (const std::string& how : settings.words("mask")) {
    Masked m = masked(how);
    table.rows.push_back(
        {how,
         {cell(m.a[2]), cell(m.de[2]), cells(m.dk), cells(m.dv), cell(value_of(m.trace, "L")[0])}});
    if (how == "pre") {
      Numbers all{m.a[2], m.de[2]};
      all.insert(all.end(), m.dk.begin(), m.dk.end());
      all.insert(all.end(), m.dv.begin(), m.dv.end());
      found.truths.push_back(exactly_zero("pre: a_3, dL/de_3, dL/dk_3, dL/dv_3", all));
      found.truths.push_back(equals("pre: a", m.a, {0.622459331202, 0.377540668798, 0}, 1e-12));
      found.truths.push_back(
          equals("pre: dL/de", m.de, {0.201421652980, -0.201421652980, 0}, 1e-12));
    }
    if (how == "post") {
      found.truths.push_back(exactly_zero("post: a_3, dL/dv_3", {m.a[2], m.dv[0], m.dv[1]}));
      found.truths.push_back(at_least("post: |dL/dk_3|", norm(m.dk), 1e-3));
    }
    if (!found.trace) found.trace = std::move(m.trace);
  }
  found.tables.push_back(std::move(table));
  found.truths.push_back(equals({"post, with A's dL/da: dL/de_3", "post，取 A 的 dL/da：dL/de_3"},
                                leak()[2], 0.007945800500, 1e-12));
  nothing_kept(found);
  return found;
}

}  // namespace

Lesson mask_lesson() {
  return {
      "mask",
      {"Does a masked word learn?", "被遮蔽的词会得到梯度吗？"},
      {"A mask must keep a position out of the weights and out of the backward pass.\n"
       "pre: the score is -inf before the softmax. The weight is exactly 0, and so is every "
       "gradient.\n"
       "post: the softmax sees all positions and the weights are multiplied by 0 or 1 afterwards. "
       "The weight is 0, but the position took part in the denominator: its score has a gradient, "
       "its key learns, and the weights no longer sum to 1.\n"
       "add1e9: -1e9 is added to the score. That is 0 in practice, until a row keeps nothing: then "
       "the shift cancels, and in f64 the weights are those without any mask, in f32 they are all "
       "equal. With -inf such a row is NaN unless the softmax defines it; heed's gives 0.",
       "遮蔽必须使一个位置既不进入权重，也不进入反向传播。\n"
       "pre：在 softmax 之前令分数为 -inf。权重恰好为 0，所有梯度也恰好为 0。\n"
       "post：softmax 看到全部位置，之后再把权重乘以 0 或 1。权重为 "
       "0，但该位置参与了分母：它的分数有"
       "梯度，它的键在学习，权重之和也不再是 1。\n"
       "add1e9：给分数加上 -1e9。实际效果等于 0，直到某一行一个位置也不保留：此时平移相互抵消，f64 "
       "中"
       "得到未遮蔽的权重，f32 中全部相等。若用 -inf，这样的行是 NaN，除非 softmax 另有规定；heed "
       "的结果"
       "是 0。"},
      {"The row post: a_3 is 0 while dL/dk_3 is not. In the second table, four answers to the same "
       "question.",
       "post 一行：a_3 为 0，而 dL/dk_3 不为 0。第二张表：同一个问题的四种答案。"},
      {{"mask",
        {"Ways to mask; the trace is of the first", "遮蔽方式；轨迹记录第一种"},
        "pre,post,add1e9",
        {"pre", "post", "add1e9"}}},
      run};
}

}  // namespace heed::microscope
