// What a decoder carries from word to word, whatever kind of decoder it is, so that greedy decoding
// and beam search are written once. It knows nothing of what the tensors mean.
#pragma once
#include <span>
#include <vector>

#include "autograd/ops.h"

namespace heed {

/// Everything that a decoder carries from word to word. The first axis of every tensor is the
/// batch; what the tensors are is the decoder's own business (states of a recurrent cell, cached
/// keys and values).
struct DecoderState {
  Tensors tensors;       // each [B, ...]
  int64_t position = 0;  // words read so far
};

/// Row i of the result [R, ...] is row rows[i] of `x` [B, ...]: keeps, reorders or repeats
/// sentences. f32 or f64; a copy without a gradient. Throws std::invalid_argument for a row not in
/// [0, B).
inline Tensor rows_of(const Tensor& x, std::span<const int64_t> rows) {
  require_defined("rows_of", "x", x);
  require(x.rank() >= 1, "rows_of: expected at least one axis, got a scalar");
  const int64_t count = x.shape()[0], kept = static_cast<int64_t>(rows.size());
  for (const int64_t r : rows)
    require(0 <= r && r < count, "rows_of: expected rows in [0, {}) of {}, got {}", count,
            x.shape(), r);
  const NoTape cut;
  const Tensor flat = reshape(x, {count, x.shape().with(0, 1).numel()});
  return reshape(embedding(flat, Tensor::ids(rows, {kept})), x.shape().with(0, kept));
}

/// The same for a whole state: used to drop finished sentences and to follow the beams.
inline DecoderState rows_of(const DecoderState& state, std::span<const int64_t> rows) {
  DecoderState kept{{}, state.position};
  for (const Tensor& t : state.tensors) kept.tensors.push_back(rows_of(t, rows));
  return kept;
}

}  // namespace heed
