// Which positions attention looks at: all of them, or those round a place p (Luong, Pham & Manning
// 2015, arXiv:1508.04025, sec. 3.2). Positions s count from 0; S is a sentence's own length.
//   local_m  p[t] = t                                                   (monotone)
//   local_p  p[t] = S sigmoid(v_p . tanh(W_p q[t])), so 0 < p < S       (predicted; eq. 9)
// The window is |s - p| <= D. The softmax runs over the kept positions in it; every weight outside
// is exactly 0 and so is its gradient. local_p then favours what is near p, without renormalising
// (weights sum to less than 1):
//   w[s] = a[s] exp(-(s - p)^2 / (2 sigma^2)),  sigma = D / 2           (eq. 10)
// p gets its gradient through this Gaussian alone. A position that enters or leaves the window as p
// moves makes a step in the loss, and of steps a gradient knows nothing.
//
// The ends of a sentence: what of the window lies outside is dropped (the paper's footnote), and
// the softmax runs over the rest: at t = 0 over 0 ... D. At least one position always remains for
// local_p. For local_m none does from t = S + D on: weights, context and gradients are 0 then.
//
// Not here: the scores (attention.h).
#pragma once
#include <optional>
#include <string_view>

#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

enum class Window { global, local_m, local_p };
std::string_view name_of(Window window);
/// The window of this name; nothing if there is none.
std::optional<Window> window_named(std::string_view name);

/// p of local_m for queries from target position `step` on: [B] or, where `scores` is [B, T, S],
/// [B, T] with p[b, i] = step + i.
Tensor monotone_positions(const Shape& scores, int64_t step, DType dtype);

/// p of local_p: query [B, Q] or [B, T, Q] and lengths S [B] (in the query's dtype) -> [B] or
/// [B, T]. W_p [Q, Q] and v_p [Q] are uniform within 1 / sqrt(Q) at first.
struct PositionPredictor {
  Tensor weight, v;

  PositionPredictor() = default;
  PositionPredictor(int64_t query, Rng& rng)
      : weight(init::fan({query, query}, query, rng)), v(init::fan({query}, query, rng)) {}

  Tensor operator()(const Tensor& query, const Tensor& lengths) const;
  void visit(Visitor& see) { see("weight", weight), see("v", v); }
};

/// The positions of `mask` with |s - p| <= reach, for scores [B, S] or [B, T, S] and p [B] or
/// [B, T].
Mask in_window(const Mask& mask, const Shape& scores, const Tensor& p, int64_t reach);

/// exp(-(s - p)^2 / (2 sigma^2)) for s = 0 ... source - 1: p [B] or [B, T] -> [..., source].
Tensor gaussian(const Tensor& p, int64_t source, double sigma);

}  // namespace heed
