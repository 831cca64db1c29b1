// Where a word stands, as a vector that is ADDED to its embedding (concatenating it is another
// model). Without it self-attention cannot tell the order of words. No relative or rotary
// positions.
#pragma once
#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

/// The sinusoids of Vaswani et al. 2017 (arXiv:1706.03762, sec. 3.5) for the positions offset,
/// offset + 1, ... -> [steps, size]:
///   PE(pos, 2i) = sin(pos / 10000^(2i / size)),   PE(pos, 2i + 1) = cos(the same)
/// Throws std::invalid_argument for an odd size, or an offset or a number of steps below 0.
Tensor sinusoids(int64_t steps, int64_t size, int64_t offset = 0, DType dtype = f32);

/// x [..., T, size] plus the sinusoids of the positions offset ... offset + T - 1. No parameters,
/// no longest sentence.
Tensor add_sinusoids(const Tensor& x, int64_t offset = 0);

struct LearnedPositionsOptions {
  int64_t count, size;                     // of positions; of each vector
  double deviation = 0.70710678118654752;  // of the first values; 1/sqrt(2) is that of sinusoids
};

/// A table of one vector for each of `count` positions, added like the sinusoids (Gehring et al.
/// 2017, arXiv:1705.03122, sec. 3.1): x [..., T, size] -> the same shape. Weight [count, size],
/// normal at first. Throws std::invalid_argument that names the last position of the table when x
/// goes beyond it.
struct LearnedPositions {
  Tensor weight;

  LearnedPositions() = default;
  LearnedPositions(const LearnedPositionsOptions& options, Rng& rng);

  Tensor operator()(const Tensor& x, int64_t offset = 0) const;
  void visit(Visitor& see) { see("weight", weight); }
};

}  // namespace heed
