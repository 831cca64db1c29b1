// Attention as the articles write it. Article and line stand with each exhibit; the right form is
// additive attention, v . tanh(W_q q + W_k h_j).
#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/museum.h"

namespace heed::microscope {
namespace {

constexpr int64_t kWidth = 3;

struct Weights {
  Tensor w_q, w_k, v, linear;  // [3, 3], [3, 3], [1, 3], [1, 6]
};
const Weights& weights() {
  static const Weights all = [] {
    Rng rng(20);
    const auto draw = [&](const Shape& s) { return Tensor::normal(s, 0, 1, rng, f64); };
    return Weights{draw({kWidth, kWidth}), draw({kWidth, kWidth}), draw({1, kWidth}),
                   draw({1, 2 * kWidth})};
  }();
  return all;
}

int64_t batch(const Visit& x) {
  return x.h.shape()[0];
}
int64_t source(const Visit& x) {
  return x.h.shape()[1];
}

// The query beside every position: [B, S, D].
Tensor beside(const Visit& x) {
  const Tensor places = Tensor::zeros({1, source(x), 1}, f64);
  return reshape(x.q, {batch(x), 1, kWidth}) + places;
}

// What the right form adds up before its tanh: [B, S, D].
Tensor summed(const Visit& x) {
  return linear(beside(x), weights().w_q, {}) + linear(x.h, weights().w_k, {});
}

Tensor scored(const Tensor& u, const Visit& x) {
  const Tensor e = reshape(linear(u, weights().v, {}), {batch(x), source(x)});
  return e + Tensor::full({1}, x.shift, f64);
}

Tensor scores(const Visit& x) {
  return scored(tanh(summed(x)), x);
}

Shown mixed(const Tensor& a, const Tensor& values) {
  const int64_t b = a.shape()[0], s = a.shape()[1];
  return {reshape(matmul(reshape(a, {b, 1, s}), values), {b, kWidth}), a};
}

Shown right_form(const Visit& x) {
  return mixed(softmax(scores(x), Mask::lengths(x.lengths)), x.h);
}

Shown no_exp(const Visit& x) {
  const Tensor e = masked_fill(scores(x), Mask::lengths(x.lengths), 0);
  return mixed(e / sum(e, {-1}, true), x.h);
}

Shown query_free(const Visit& x) {
  const Tensor e = scored(tanh(linear(x.h, weights().w_k, {})), x);
  return mixed(softmax(e, Mask::lengths(x.lengths)), x.h);
}

Shown keys_for_values(const Visit& x) {
  const Tensor keys = tanh(linear(x.h, weights().w_k, {}));
  const Tensor e = scored(tanh(linear(beside(x), weights().w_q, {}) + keys), x);
  return mixed(softmax(e, Mask::lengths(x.lengths)), keys);
}

Shown over_the_batch(const Visit& x) {
  const Tensor e = masked_fill(scores(x), Mask::lengths(x.lengths), -1e9);
  return mixed(transpose(softmax(transpose(e))), x.h);
}

Shown linear_score(const Visit& x) {
  const Tensor e = linear(concat({beside(x), x.h}, 2), weights().linear, {});
  return mixed(softmax(reshape(e, {batch(x), source(x)}) + Tensor::full({1}, x.shift, f64),
                       Mask::lengths(x.lengths)),
               x.h);
}

Shown no_mask(const Visit& x) {
  return mixed(softmax(scores(x)), x.h);
}

// -inf at the masked positions and the softmax by its definition: 0/0 where nothing is kept.
Shown minus_infinity(const Visit& x) {
  const Tensor e = masked_fill(scores(x), Mask::lengths(x.lengths), -INFINITY);
  const Tensor a = exp(e - detach(max(e, {-1}, true)));
  return mixed(a / sum(a, {-1}, true), x.h);
}

// Self-attention in a layer that takes [S, B, D], seen from the first position, whose query is
// given: a batch given as [B, S, D] is attended across, sentence by sentence.
Shown across_the_batch(const Visit& x) {
  const Tensor rest = linear(slice(x.h, 1, 1, source(x)), weights().w_q, {});
  const Tensor q = concat({reshape(x.q, {batch(x), 1, kWidth}), rest}, 1);
  const auto turned = [](const Tensor& t) { return permute(t, {1, 0, 2}); };  // [S, B, D]
  const Tensor e = matmul_nt(turned(q), turned(linear(x.h, weights().w_k, {})));
  const Tensor a = softmax(e + Tensor::full({1}, x.shift, f64));  // [S, B, B]
  return {select(matmul(a, turned(x.h)), 0, 0), {}};
}

// "Other elements" taken by the word: the first position attends to all but itself.
Shown without_itself(const Visit& x) {
  std::vector<uint8_t> keep(static_cast<size_t>(source(x)), 1);
  keep[0] = 0;
  return mixed(softmax(scores(x), Mask::lengths(x.lengths) & Mask::keep(keep)), x.h);
}

Shown weights_twice(const Visit& x) {
  const Tensor e = scores(x);
  const Tensor a = softmax(e, Mask::lengths(x.lengths));
  return mixed(a * e, x.h);
}

// e^h / sum e^h: a vector per position, and no query.
Shown softmax_of_vectors(const Visit& x) {
  const Tensor h = transpose(x.h) + Tensor::full({1}, x.shift, f64);  // [B, D, S]
  std::vector<uint8_t> keep;
  for (const int64_t length : x.lengths)
    for (int64_t i = 0; i < kWidth; ++i)
      for (int64_t s = 0; s < source(x); ++s) keep.push_back(s < length);
  const Tensor p = softmax(h, Mask::keep(keep, h.shape()));
  return {sum(p * transpose(x.h), {-1}), p};
}

Shown softmax_of_a_scalar(const Visit& x) {
  const Tensor e = scores(x);
  const Tensor a = softmax(reshape(e, {batch(x), source(x), 1}));
  return mixed(reshape(a, {batch(x), source(x)}), x.h);
}

// A view in place of a transpose: the numbers stay where they are and get other names.
Shown viewed(const Visit& x) {
  Visit other = x;
  other.h = permute(reshape(x.h, {source(x), batch(x), kWidth}), {1, 0, 2});
  return right_form(other);
}

// view(batch_size, -1) with batch_size = size(1), then the state expanded as that.
Shown flattened(const Visit& x) {
  const Tensor all = reshape(x.h, {source(x), -1});
  const Tensor u = tanh(reshape(x.q, {batch(x), 1, kWidth}) + all);
  return {u, {}};
}

Shown state_beside_sequence(const Visit& x) {
  return {linear(concat({x.q, x.h}, 2), weights().linear, {}), {}};
}

Shown weights_not_turned(const Visit& x) {
  const Tensor a = reshape(softmax(scores(x)), {batch(x), source(x), 1});
  return {matmul(a, x.h), {}};
}

Shown expanded(const Visit& x) {
  const Tensor e = reshape(scores(x), {batch(x), source(x), 1, 1});
  return {matmul(softmax(e), reshape(x.h, {batch(x), source(x), 1, kWidth})) + x.q, {}};
}

Shown wide_concat(const Visit& x) {
  const Tensor wide = Tensor::zeros({1, 2 * kWidth * kWidth}, f64);  // 2 d e in place of d + e
  return {linear(concat({beside(x), x.h}, 2), wide, {}), {}};
}

Shown positions_appended(const Visit& x) {
  const Tensor pe = Tensor::zeros({batch(x), source(x), kWidth}, f64);
  Visit other = x;
  other.h = concat({x.h, pe}, 2);
  return right_form(other);
}

}  // namespace

const std::vector<Exhibit>& exhibits() {
  static const std::vector<Exhibit> all{
      {"right", "-", {"the right form", "正确形式"}, right_form, ""},
      {"no-exp",
       "000:57",
       {"a = e / sum e, no exp", "a = e / Σe，没有 exp"},
       no_exp,
       "positive shift empty"},
      {"query-free",
       "000:121, 003:35",
       {"the score never uses the query", "分数不用查询"},
       query_free,
       "query"},
      {"keys-for-values",
       "000:123",
       {"sums tanh(W h), not h", "求和的是 tanh(W h)，不是 h"},
       keys_for_values,
       "equal one-word"},
      {"batch-softmax",
       "000:119",
       {"softmax over the batch", "softmax 沿批方向"},
       over_the_batch,
       "sum equal batch padding one-word"},
      {"linear-score",
       "001:88",
       {"w . [s; h], no tanh", "w . [s; h]，没有 tanh"},
       linear_score,
       "query"},
      {"no-mask", "001:106", {"no mask over padding", "填充没有遮蔽"}, no_mask, "padding empty"},
      {"minus-inf",
       "-",
       {"-inf and a softmax without a rule for empty rows", "-inf，而 softmax 对空行没有规定"},
       minus_infinity,
       "empty"},
      {"batch-first",
       "002:68",
       {"[B, S, D] where [S, B, D] is read", "把 [B, S, D] 当作 [S, B, D]"},
       across_the_batch,
       "equal batch one-word empty"},
      {"others-only",
       "002:33",
       {"the element itself left out", "不含元素自身"},
       without_itself,
       "one-word"},
      {"weights-twice",
       "003:46",
       {"weights applied twice", "权重用了两次"},
       weights_twice,
       "sum positive equal shift one-word"},
      {"softmax-vectors",
       "004:33",
       {"softmax of vectors", "对向量做 softmax"},
       softmax_of_vectors,
       "shape query"},
      {"softmax-scalar",
       "004:71",
       {"softmax of one score at a time", "逐个分数做 softmax"},
       softmax_of_a_scalar,
       "sum equal padding query empty"},
      {"view",
       "004:182",
       {"view in place of a transpose", "用 view 代替转置"},
       viewed,
       "equal batch padding"},
      {"flattened",
       "004:182",
       {"[B, S, D] flattened to [S, -1]", "[B, S, D] 压平为 [S, -1]"},
       flattened,
       "shape"},
      {"cat-ranks",
       "001:106",
       {"concatenates 2-D with 3-D", "二维与三维拼接"},
       state_beside_sequence,
       "shape"},
      {"bmm-sizes", "001:107", {"weights not turned", "权重没有转置"}, weights_not_turned, "shape"},
      {"expand-4d", "000:125", {"scores with an axis too many", "分数多一个轴"}, expanded, "shape"},
      {"concat-2de",
       "003:49",
       {"[h; q] taken for 2 d e numbers", "把 [h; q] 当作 2de 个数"},
       wide_concat,
       "shape"},
      {"pe-concat",
       "004:52",
       {"positions appended, not added", "位置编码拼接而非相加"},
       positions_appended,
       "shape"}};
  return all;
}

Visit example_visit() {
  Rng rng(1);
  return {.q = leaf(Tensor::normal({2, kWidth}, 0, 1, rng, f64)),
          .h = leaf(Tensor::normal({2, 4, kWidth}, 0, 1, rng, f64)),
          .lengths = {4, 3}};
}

}  // namespace heed::microscope
