// What is said beside the numbers of a step: sums that must be zero, entropy, norms. Each is
// computed here from stored numbers.
#pragma once
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

double euclidean_norm(const Numbers& v);

/// Of a tensor of which a sample is kept: its own shape, and the norm of all of its numbers (of its
/// gradient); "" of others.
std::string sample_note(const Stepper& s, const TraceTensor& tensor, bool gradient);
/// Beside an output: the entropy of one row of attention weights, saturation, what is not finite.
std::string output_note(const Stepper& s, int op, int tensor);
/// Beside an incoming gradient: the mean that softmax subtracts.
std::string incoming_note(const Stepper& s, int op, int tensor);
/// Beside what is sent: where it must sum to zero (softmax, row by row), the sum and whether
/// rounding explains it: |sum| <= (n + 4) u sum |a g| for rows of n.
std::string sent_note(const Stepper& s, int op, int contribution);

}  // namespace heed::microscope::stepper
