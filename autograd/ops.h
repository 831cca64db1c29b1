// Every operation that carries a gradient, as free functions. Each is defined in ops_<family>.cpp:
// one struct (formula, saved tensors, backward) with its forward beneath it.
//
// Common to all: inputs of one dtype (f32 or f64; mixing throws); wrong shapes throw
// std::invalid_argument "op: expected ..., got ..." with both shapes and the scope. A result is
// recorded when a tape is active and an input needs a gradient. Letters: B batch, S source steps,
// T target steps, V vocabulary, E embedding, H hidden, A attention width.
#pragma once
#include <span>
#include <vector>

#include "autograd/backward.h"
#include "core/mask.h"

namespace heed {

// ---- elementwise, broadcasting (innermost axes aligned, size 1 stretches) ----

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
/// The larger of the two; where they are equal each gets half of the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
/// a where condition != 0, else b. `condition` is i64 and broadcasts with both.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// ---- elementwise ----

Tensor neg(const Tensor& x);
Tensor scale(const Tensor& x, double factor);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
/// x * Phi(x) with the exact normal distribution function (Hendrycks & Gimpel 2016,
/// arXiv:1606.08415).
Tensor gelu(const Tensor& x);
/// |x|; the gradient at 0 is 0.
Tensor abs(const Tensor& x);
/// x limited to [low, high]; no gradient where it was limited.
Tensor clamp(const Tensor& x, double low, double high);
/// `value` at every position the mask does not keep; no gradient there.
Tensor masked_fill(const Tensor& x, const Mask& mask, double value);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return sub(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return mul(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return div(a, b);
}
inline Tensor operator-(const Tensor& x) {
  return neg(x);
}
inline Tensor operator*(double factor, const Tensor& x) {
  return scale(x, factor);
}

// ---- matrix products ----

/// a [..., m, k] times b [..., k, n] or b [k, n] -> [..., m, n].
Tensor matmul(const Tensor& a, const Tensor& b);
/// a [..., m, k] times the transpose of b [..., n, k] or b [n, k] -> [..., m, n].
Tensor matmul_nt(const Tensor& a, const Tensor& b);
/// The transpose of a [..., k, m] times b [..., k, n] or b [k, n] -> [..., m, n].
Tensor matmul_tn(const Tensor& a, const Tensor& b);
/// x [..., in], weight [out, in], bias [out] (or Tensor{} for none) -> x weight^T + bias [...,
/// out]. Composed twin: add(matmul_nt(x, weight), bias).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

// ---- shape; results share memory with x wherever the innermost axis stays contiguous ----

/// Swaps the last two axes.
Tensor transpose(const Tensor& x);
/// Axis i of the result is axis order[i] of x.
Tensor permute(const Tensor& x, std::span<const int> order);
inline Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  return permute(x, std::span(order.begin(), order.size()));
}
/// The same elements in row-major order with other sizes; one size may be -1.
Tensor reshape(const Tensor& x, std::span<const int64_t> sizes);
inline Tensor reshape(const Tensor& x, std::initializer_list<int64_t> sizes) {
  return reshape(x, std::span(sizes.begin(), sizes.size()));
}
Tensor reshape(const Tensor& x, const Shape& shape);
/// Positions [begin, end) of an axis.
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end);
/// Position `index` of an axis, which disappears.
Tensor select(const Tensor& x, int axis, int64_t index);
/// Joins along an existing axis; all other sizes agree.
Tensor concat(std::span<const Tensor> parts, int axis);
inline Tensor concat(std::initializer_list<Tensor> parts, int axis) {
  return concat(std::span(parts.begin(), parts.size()), axis);
}
/// Joins along a new axis; all shapes agree.
Tensor stack(std::span<const Tensor> parts, int axis);
/// Parts of equal size along an axis (slices, not copies).
Tensors split(const Tensor& x, int axis, int64_t parts);

// ---- reductions; `axes` empty means all; a kept axis has size 1 ----

Tensor sum(const Tensor& x, List<int> axes = {}, bool keep = false);
/// Throws when there is nothing to average.
Tensor mean(const Tensor& x, List<int> axes = {}, bool keep = false);
/// The gradient goes to the first largest element. Throws on an axis of size 0.
Tensor max(const Tensor& x, List<int> axes = {}, bool keep = false);
/// log sum exp over the last axis, which disappears: [..., n] -> [...]. Finite for +-1e4.
Tensor logsumexp(const Tensor& x);

// ---- softmax ----

/// Softmax over the last axis of the kept positions: exp(x - max x) / sum. Masked positions are
/// exactly 0 and get exactly no gradient; a row that keeps nothing is all zero.
Tensor softmax(const Tensor& x, const Mask& mask = {});
/// Its logarithm; -infinity at masked positions (whose cotangents are ignored).
Tensor log_softmax(const Tensor& x, const Mask& mask = {});

// ---- for networks ----

/// Rows of `weight` [V, E] by id: ids i64 [...] -> [..., E]. Throws with id, position and V when an
/// id is not in [0, V).
Tensor embedding(const Tensor& weight, const Tensor& ids);
/// Zeroes each element with probability p and scales the others by 1 / (1 - p) (Srivastava et al.
/// 2014); p is rounded to a multiple of 2^-16 for both. Element i depends on (key, i) alone; see
/// Rng::next_key. p in [0, 1). An x that is handed over and held by nobody else gives its memory to
/// the result.
Tensor dropout(Tensor x, double p, uint64_t key);
/// (x - mean) / sqrt(var + eps) * gain + bias over the last axis, biased variance (Ba, Kiros &
/// Hinton 2016, arXiv:1607.06450). x [..., n], gain [n], bias [n].
Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps = 1e-5);

enum class Reduction { per_token, sum, mean };
struct CrossEntropyOptions {
  int64_t ignore = -100;       // targets with this value are not counted
  double label_smoothing = 0;  // eps: the target distribution is (1 - eps) onehot + eps / V
  Reduction reduction = Reduction::mean;  // mean: over the counted tokens
};
/// Negative log-likelihood in nats. logits [..., V], targets i64 [...] -> [...] per token (0 where
/// ignored), or a scalar. With nothing counted: loss 0, gradient 0. Never broadcasts.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});
/// Number of targets that are not `ignore`.
int64_t counted(const Tensor& targets, int64_t ignore);

// ---- recurrences over a whole sequence; see layers/lstm.h and layers/gru.h for the equations ----

/// What a recurrence returns. Positions at or after a sentence's length are 0 in `y`; the last
/// states are those after each sentence's own last step (the first ones, if its length is 0).
struct Recurrence {
  Tensor y;  // [B, T, H]
  Tensor h;  // [B, H]
  Tensor c;  // [B, H], LSTM only
};
/// How a sequence is walked.
struct SequenceOptions {
  List<int64_t> lengths;  // one per sentence; empty: all T
  bool reverse = false;   // from each sentence's own end to its beginning
};
/// `x` [B, T, n H] holds the input's share of the gates, W_ih x + b_ih, for all steps; n is 1,
/// 3, 4. h0, c0 [B, H], w_hh [n H, H], b_hh [n H] (may be Tensor{}).
Recurrence rnn_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options = {});
Recurrence gru_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options = {});
Recurrence lstm_sequence(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_hh,
                         const Tensor& b_hh, const SequenceOptions& options = {});

// ---- attention ----

/// e[b, t, s] = v . tanh(q[b, t] + k[b, s]): query [B, T, A] or [B, A], keys [B, S, A], v [A] ->
/// [B, T, S] or [B, S]. Composed twin: matmul of tanh(add(...)) with v.
Tensor additive_score(const Tensor& query, const Tensor& keys, const Tensor& v);
/// x / |x| over the last axis: the direction of x. A zero vector has none: it stays zero and gets
/// no gradient. The length neither overflows nor underflows.
Tensor unit(const Tensor& x);

}  // namespace heed
