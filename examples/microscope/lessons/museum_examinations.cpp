// What an attention must satisfy whatever its score: each examination needs no other implementation
// to compare with.
#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/rng.h"
#include "examples/microscope/lessons/museum.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr double kNear = 1e-9;

bool far(const Tensor& a, const Tensor& b) {
  return !(a.shape() == b.shape()) || !(largest_gap(a.to_vector(), b.to_vector()) <= kNear);
}

// The cotangent is random: that of a sum would hide what sums to 0.
Tensor outcome(const Exhibit& x, const Visit& v) {
  const Tensor c = x.attend(v).context;
  Rng rng(22);
  return heed::sum(mul(c, Tensor::normal(c.shape(), 0, 1, rng, f64)));
}

// Throws, or gives a context or weights of another shape.
bool shape(const Exhibit& x) {
  const Visit v = example_visit();
  const Shape &q = v.q.shape(), &h = v.h.shape();
  try {
    const Shown s = x.attend(v);
    return !(s.context.shape() == q) ||
           (s.weights.defined() && !(s.weights.shape() == Shape{h[0], h[1]}));
  } catch (const std::invalid_argument&) {
    return true;
  }
}

bool differences(const Exhibit& x) {
  const Visit v = example_visit();
  const NamedLeaf leaves[] = {{"q", v.q}, {"h", v.h}};
  return !gradcheck([&] { return x.attend(v).context; }, leaves).ok;
}

// Ledger and sums: what validate looks at.
bool sums_to_the_bit(const Exhibit& x) {
  const Visit v = example_visit();
  return !faults(record_run(x.name, [&](Recording&) { return outcome(x, v); })).empty();
}

bool weights_sum(const Exhibit& x) {
  const Tensor a = x.attend(example_visit()).weights;
  return a.defined() && far(sum(a, {-1}), Tensor::full(a.shape().without(a.rank() - 1), 1, f64));
}

bool positive(const Exhibit& x) {
  const Tensor a = x.attend(example_visit()).weights;
  if (!a.defined()) return false;
  const Numbers all = a.to_vector();
  return std::any_of(all.begin(), all.end(), [](double w) { return !(w >= 0); });
}

// All states of a sentence the same: any mean of them is that state.
bool equal_states(const Exhibit& x) {
  Visit v = example_visit();
  v.lengths = {4, 4};
  const Tensor first = detach(slice(v.h, 1, 0, 1));  // [B, 1, D]
  v.h = first + Tensor::zeros({1, 4, 1}, f64);
  return far(x.attend(v).context, select(first, 1, 0));
}

bool shift(const Exhibit& x) {
  Visit v = example_visit();
  const Tensor before = x.attend(v).context;
  v.shift = 0.5;
  return far(before, x.attend(v).context);
}

// The loss of sentence 0 has no gradient to sentence 1.
bool batch(const Exhibit& x) {
  const Visit v = example_visit();
  const Numbers dh =
      gradient([&] { return heed::sum(square(select(x.attend(v).context, 0, 0))); }, v.h);
  return !(largest(part(dh, dh.size() / 2, dh.size())) == 0);
}

// Two more positions of padding, full of other numbers, change nothing.
bool padding(const Exhibit& x) {
  Visit v = example_visit();
  const Tensor before = x.attend(v).context;
  v.h = concat({v.h, Tensor::full({2, 2, v.h.shape()[2]}, 3, f64)}, 1);
  return far(before, x.attend(v).context);
}

// Some number of the query matters.
bool query(const Exhibit& x) {
  const Visit v = example_visit();
  return largest(gradient([&] { return outcome(x, v); }, v.q)) <= 1e-12;
}

// A sentence of one word: its state is the context.
bool one_word(const Exhibit& x) {
  Visit v = example_visit();
  v.lengths = {1, 1};
  v.h = detach(slice(v.h, 1, 0, 1));
  return far(x.attend(v).context, select(v.h, 1, 0));
}

// A sentence of no words: context and gradients are 0, and no NaN.
bool empty(const Exhibit& x) {
  Visit v = example_visit();
  v.lengths = {4, 0};
  const auto last = [&] { return select(x.attend(v).context, 0, 1); };
  const Numbers dh = gradient([&] { return heed::sum(square(last())); }, v.h);
  return !(largest(last().to_vector()) == 0) || !(largest(dh) == 0);
}

}  // namespace

const std::vector<Examination>& examinations() {
  static const std::vector<Examination> all{
      {"shape", {"shapes fit, or an error says which do not", "形状相符，否则报错"}, shape},
      {"C4", {"gradients are what differences measure", "梯度等于差分"}, differences},
      {"C2",
       {"gradients are the sum of their contributions", "梯度等于各贡献之和"},
       sums_to_the_bit},
      {"sum", {"weights sum to 1", "权重之和为 1"}, weights_sum},
      {"positive", {"weights are not negative", "权重不为负"}, positive},
      {"equal", {"equal states give that state", "各状态相同时上下文就是它"}, equal_states},
      {"shift",
       {"a constant on all scores changes nothing (C5: dL/de sums to 0)",
        "全部分数加常数，结果不变（C5：dL/de 之和为 0）"},
       shift},
      {"batch", {"dL(sentence 0)/dh(sentence 1) = 0", "dL(句 0)/dh(句 1) = 0"}, batch},
      {"padding", {"more padding changes nothing", "增加填充，结果不变"}, padding},
      {"query", {"the query has a gradient", "查询有梯度"}, query},
      {"one-word", {"a sentence of one word gives its state", "单词句给出它自己的状态"}, one_word},
      {"empty", {"a sentence of no words gives 0, not NaN", "空句给出 0，而不是 NaN"}, empty}};
  return all;
}

}  // namespace heed::microscope
