// Attention of one query (or of one per target step) over the positions of a memory:
//   e[s] = score(q, k[s]),   a = softmax(e) over the kept positions,   c = sum_s a[s] v[s]
// Three choices, free of each other but for what the constructor refuses:
//
// The score. What keys contribute is computed once per sentence (`Memory`).
//   additive    v . tanh(W_q q + W_k k + b)            (Bahdanau, Cho & Bengio 2015, app. A.1.2)
//   concat      v . tanh(W [q; k])                     (Luong, Pham & Manning 2015, sec. 3.1)
//               the additive score with W = [W_q W_k] and b = 0
//   dot         q . k                                  (Luong et al. 2015, sec. 3.1)
//   scaled_dot  q . k / sqrt(d)                        (Vaswani et al. 2017, eq. 1)
//   general     q . (W k)                              (Luong et al. 2015, sec. 3.1)
//   cosine      beta (q . k) / (|q| |k|)               (Graves, Wayne & Danihelka 2014, eq. 5-6)
//               beta is learned and starts at sqrt(d), where random directions score with variance
//               1. A zero vector has no direction: it scores 0 and gets gradient 0.
//   location    (W q)[s]                               (Luong et al. 2015, eq. 8)
//               a number per position, blind to the keys: it knows a longest sentence, and
//               permuting keys moves no weight
//
// The positions: global, or local in a window of D positions to either side (local_attention.h).
//   local_m     p[t] = t
//   local_p     p[t] = S sigmoid(v_p . tanh(W_p q[t])), weights a[s] exp(-(s - p)^2 / (2 (D/2)^2))
//
// Soft or hard (hard_attention.h): the weights are a, or 1 at one position J. In training, which is
// when a call brings a generator, J is drawn or relaxed; in use it is argmax a.
//   none              exact gradient
//   argmax            none to the scores
//   reinforce         unbiased, with `reinforce_terms`: needs log_probability and entropy
//   straight_through  biased
//   gumbel            exact for the relaxed weights, biased for the hard choice
//
// Not here: many heads (multi_head.h).
#pragma once
#include <optional>
#include <string_view>

#include "autograd/ops.h"
#include "core/rng.h"
#include "layers/hard_attention.h"
#include "layers/init.h"
#include "layers/layer.h"
#include "layers/linear.h"
#include "layers/local_attention.h"

namespace heed {

enum class Score { additive, dot, scaled_dot, general, concat, cosine, location };
std::string_view name_of(Score score);
/// The score of this name; nothing if there is none.
std::optional<Score> score_named(std::string_view name);

/// The constructor throws std::invalid_argument on sizes below 1, on queries and keys of different
/// sizes where the score multiplies them (dot, scaled_dot, cosine), and on local_p with a hard
/// choice: its weights do not sum to 1, so they are no distribution to choose from.
struct AttentionOptions {
  Score score = Score::additive;
  int64_t query, key;   // sizes Q and K of query and key vectors
  int64_t width = 0;    // A, of the additive and concat scores; 0: as wide as the query
  bool fused = true;    // false: the additive and concat scores composed from small ops
  int64_t longest = 0;  // of the location score: the most source positions it can tell apart, >= 1
  Window window = Window::global;
  int64_t reach = 0;  // D of the local windows, >= 1
  Hard hard = Hard::none;
  double temperature = 1;  // of gumbel, > 0, where a call does not say
};

/// What is attended to, prepared once per sentence: `projected` is the key's share of the score.
struct Memory {
  Tensor projected;  // [B, S, A], [B, S, Q], the keys' directions, or the keys themselves
  Tensor values;     // [B, S, V]
  Mask mask;         // over S
  Tensor lengths{};  // [B], each sentence's own S; for local_p only
};

/// What one call knows beyond the query.
struct AttentionCall {
  std::optional<int64_t> step{};        // t of the query, or of the first of [B, T, Q] (default 0)
  Rng* rng = nullptr;                   // noise for a hard choice; null: argmax
  std::optional<double> temperature{};  // of gumbel; default: the options'
};

/// The result for a query [B, Q]: context [B, V], weights [B, S]; for queries [B, T, Q]: [B, T, V]
/// and [B, T, S]. Rows of the weights sum to 1 (to less with local_p); a row whose positions are
/// all masked, or all outside the window, is 0, and so is its context.
struct Attended {
  Tensor context, weights;
  // Each [B] or [B, T]; undefined where it says nothing.
  Tensor position{};         // local windows: their middle p
  Tensor chosen{};           // hard choices: the position as an id, -1 for none (gumbel: in use)
  Tensor log_probability{};  // reinforce with noise: ln a[chosen]
  Tensor entropy{};          // reinforce with noise: of a, in nats
};

struct Attention {
  AttentionOptions options;
  Linear query, key;           // additive: W_q [A, Q] without bias, W_k [A, K] with bias b
  Tensor v;                    // additive, concat: [A]
  Tensor weight;               // general: W [Q, K]; concat: W [A, Q + K]; location: W [longest, Q]
  Tensor beta;                 // cosine: [1]
  PositionPredictor position;  // local_p

  Attention() = default;
  Attention(const AttentionOptions& options, Rng& rng);

  /// Prepares keys [B, S, K] (also the values, unless given) with a mask over S. local_p needs
  /// a mask made by Mask::lengths, or none.
  Memory memory(const Tensor& keys, const Mask& mask = {}, const Tensor& values = {}) const;
  /// Scores of a query [B, Q] -> [B, S], or queries [B, T, Q] -> [B, T, S], before mask and window.
  Tensor scores(const Tensor& query, const Memory& memory) const;
  /// For a single query local_m must be told its step.
  Attended operator()(const Tensor& query, const Memory& memory,
                      const AttentionCall& call = {}) const;
  void visit(Visitor& see);
};

}  // namespace heed
