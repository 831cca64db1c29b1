// Attention to one position instead of a mean over all of them ("stochastic hard attention", Xu et
// al. 2015, arXiv:1502.03044, sec. 4.1): J ~ a, c = v[J]. Without noise, so in use, J = argmax a
// for every kind. The kinds differ in how they train, because J has no derivative. With E[L] the
// loss in expectation over J:
//   argmax            J = argmax a also in training. No gradient reaches the scores at all; that of
//                     the values is exact for this J.
//   reinforce         J ~ a. The gradient of the loss reaches the values; the scores get
//                     (L - baseline) d ln a[J] from `reinforce_terms` (Williams 1992; Xu adds the
//                     entropy). UNBIASED for E[L] (the entropy term apart), with a large variance
//                     that a baseline near E[L] reduces.
//   straight_through  J ~ a, c = v[J]; backward takes the choice for its probabilities, dL/da[s] =
//                     dL/dc . v[s] (Bengio, Leonard & Courville 2013, arXiv:1308.3432). BIASED.
//   gumbel            a~ = softmax((e + g) / tau), g[s] = -ln(-ln u[s]), u uniform; c = sum a~ v
//                     (Jang, Gu & Poole 2017, arXiv:1611.01144, eq. 2). EXACT for the loss of this
//                     relaxed c under the noise drawn; BIASED for E[L] of the hard choice. The
//                     bias goes to 0 with tau while the variance grows.
//
// Noise of sentence b, target step t and position s depends on a key and on (b, t, s) alone:
// neither padding nor the lengths of its neighbours changes it. Positions are ids, -1 where the
// mask keeps none: then weights, log-probability, entropy and gradients are 0.
//
// Not here: the scores and the layer that uses all this (attention.h).
#pragma once
#include <optional>
#include <string_view>

#include "autograd/ops.h"

namespace heed {

enum class Hard { none, argmax, reinforce, straight_through, gumbel };
std::string_view name_of(Hard hard);
/// The kind of this name; nothing if there is none.
std::optional<Hard> hard_named(std::string_view name);

/// The position of the largest weight, the first of equals: [..., S] -> ids [...].
Tensor best_positions(const Tensor& weights);
/// One position drawn from each row of weights that sum to 1: [B, S] -> ids [B], or [B, T, S] ->
/// [B, T]. Row [b, i] belongs to target step `step` + i.
Tensor drawn_positions(const Tensor& weights, uint64_t key, int64_t step = 0);
/// 1 at each position, 0 elsewhere: ids [...] -> [..., source].
Tensor one_hot(const Tensor& positions, int64_t source, DType dtype);

/// log a[J] for a = softmax(scores): scores [..., S], ids [...] -> [...].
Tensor log_probability(const Tensor& scores, const Mask& mask, const Tensor& positions);
/// -sum a ln a in nats for a = softmax(scores): [..., S] -> [...].
Tensor entropy(const Tensor& scores, const Mask& mask);

/// `hard` forward; backward as if it were `weights`.
Tensor straight_through(const Tensor& weights, const Tensor& hard);

/// softmax((scores + g) / temperature) over the kept positions of [B, S] or [B, T, S]. Throws
/// std::invalid_argument unless temperature > 0.
Tensor gumbel_softmax(const Tensor& scores, const Mask& mask, double temperature, uint64_t key,
                      int64_t step = 0);

/// tau after `t` steps: max(least, start * exp(-rate * t)) (Jang, Gu & Poole 2017, sec. 4.2).
struct GumbelTemperature {
  double start = 1;
  double rate = 1e-4;
  double least = 0.5;
  /// Throws std::invalid_argument unless 0 < least <= start and rate >= 0.
  double at(int64_t t) const;
};

/// What REINFORCE adds to a loss, per sentence [B] (or per step [B, T]; all of one shape):
///   (L - baseline) ln a[J] - entropy_weight * H
/// where L is a number to this term, not a function. Add it to the losses before both are summed or
/// averaged; its value means nothing, its gradient is the estimate. For a decoder the
/// log-probability of a sentence is the sum over its own steps:
///
///     Tensor mine = sum(masked_fill(a.log_probability, Mask::lengths(targets), 0), {1});    // [B]
///     Tensor loss = mean(losses + reinforce_terms(losses, mine, entropies, baseline.value, 0.01));
///     baseline.observe(losses);   // after its use: a baseline must not know this draw
Tensor reinforce_terms(const Tensor& losses, const Tensor& log_probability, const Tensor& entropy,
                       double baseline, double entropy_weight = 0);

/// A running mean of losses: value = decay * value + (1 - decay) * mean(losses), beginning with the
/// first mean (Xu et al. 2015, sec. 4.1, with decay 0.9).
struct RunningBaseline {
  double decay = 0.9;  // in [0, 1)
  double value = 0;
  bool started = false;
  /// Throws std::invalid_argument on a decay outside [0, 1) and on no losses.
  void observe(const Tensor& losses);
};

}  // namespace heed
