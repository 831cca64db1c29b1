// Gradient clipping, between backward and step. Clip once, after everything was added up: the norm
// of a sum is not the sum of norms, so with shards or accumulation clip the total.
#pragma once
#include <limits>

#include "autograd/leaf.h"

namespace heed {

/// Scales all gradients by the one factor min(1, max / norm), where norm is the Euclidean norm of
/// all of them together: the direction stays, the length is at most `max`. Returns the norm before.
/// An infinite `max` only measures. Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063), algorithm 1.
///
/// Scaled gradients get memory of their own: those that the tape shows stay as they were, and
/// entries that share memory (both gradients of a + b are the same numbers) are scaled once each.
///
/// Throws std::invalid_argument unless max > 0, and NumericError when a gradient holds a NaN or an
/// infinity (scaling would spread it to every parameter); nothing is changed then.
/// `each` may share the work out to threads (Shards::each); the result does not depend on it.
double clip_global_norm(Gradients& gradients, double max = std::numeric_limits<double>::infinity(),
                        const ForEach& each = one_by_one);

/// Limits every element of every gradient to [-max, max]; this changes the direction. A NaN stays
/// one. Memory as above. Throws std::invalid_argument unless max > 0.
void clip_value(Gradients& gradients, double max);

}  // namespace heed
