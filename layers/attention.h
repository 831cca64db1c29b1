// Attention of one query (or of one per target step) over the positions of a memory:
//   e[s] = score(q, k[s]),   a = softmax(e) over the kept positions,   c = sum_s a[s] v[s]
// The score:
//   dot         q . k                                  (Luong et al. 2015, eq. 8)
//   scaled_dot  q . k / sqrt(d)                        (Vaswani et al. 2017, eq. 1)
//   general     q . (W k)                              (Luong et al. 2015, eq. 8)
//   additive    v . tanh(W_q q + W_k k + b)            (Bahdanau, Cho & Bengio 2015, app. A.1.2)
// Not here: many heads (multi_head.h).
#pragma once
#include <optional>
#include <string_view>

#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"
#include "layers/linear.h"

namespace heed {

enum class Score { additive, dot, scaled_dot, general };
std::string_view name_of(Score score);
/// The score of this name; nothing if there is none.
std::optional<Score> score_named(std::string_view name);

struct AttentionOptions {
  Score score = Score::additive;
  int64_t query, key;  // sizes Q and K of query and key vectors; dot and scaled_dot need Q = K
  int64_t width = 0;   // A, of the additive score only; 0: as wide as the query
  bool fused = true;   // false: the additive score composed from small ops
};

/// What is attended to, prepared once per sentence: `projected` is the key's share of the score.
struct Memory {
  Tensor projected;  // [B, S, A], [B, S, Q] or the keys themselves
  Tensor values;     // [B, S, V]
  Mask mask;         // over S
};

/// The result for a query [B, Q]: context [B, V], weights [B, S]; for queries [B, T, Q]: [B, T, V]
/// and [B, T, S]. Rows of the weights sum to 1; a row whose positions are all masked is 0, and so
/// is its context.
struct Attended {
  Tensor context, weights;
};

struct Attention {
  AttentionOptions options;
  Linear query, key;  // additive: W_q [A, Q] without bias, W_k [A, K] with bias b
  Tensor v;           // additive: [A]
  Tensor weight;      // general: W [Q, K]

  Attention() = default;
  Attention(const AttentionOptions& options, Rng& rng);

  /// Prepares keys [B, S, K] (also the values, unless given) with a mask over S.
  Memory memory(const Tensor& keys, const Mask& mask = {}, const Tensor& values = {}) const;
  /// Scores of a query [B, Q] -> [B, S], or queries [B, T, Q] -> [B, T, S], before the mask.
  Tensor scores(const Tensor& query, const Memory& memory) const;
  Attended operator()(const Tensor& query, const Memory& memory) const;
  void visit(Visitor& see);
};

}  // namespace heed
