// Gradients against differences: is what backward computes the derivative of what forward computes?
// A check of any function of leaves, so of ops, layers and whole models alike. In f64 only: in f32
// the differences themselves are wrong in the fourth digit.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"

namespace heed {

/// A leaf with the name that a report calls it by.
using NamedLeaf = std::pair<std::string, Tensor>;

/// An entry is right when |analytic - numeric| <= absolute * max(1, largest |gradient| of its leaf)
/// + relative * |analytic|.
struct GradCheckOptions {
  double eps = 1e-6;  // step of the central difference, relative to max(1, |x|)
  double relative = 1e-6;
  double absolute = 1e-8;
  uint64_t seed = 1;   // of the cotangent, and of the choice of entries
  int64_t most = 200;  // entries checked per leaf, spread over it; 0: all
};

struct GradCheckReport {
  bool ok = true;
  int64_t checked = 0;  // entries
  // The entry that is furthest from right, relative to what is allowed.
  std::string input;
  std::vector<int64_t> index;
  double analytic = 0;  // what backward says
  double numeric = 0;   // what the differences say
  double error = 0;     // |analytic - numeric| / allowed; ok when <= 1
  std::string text;     // all of this in a sentence
};

/// Compares dL/dx, L = sum(c * f()), of every leaf x with central differences; c is random, so that
/// an error cannot hide in a sum. `f` recomputes its output (any shape) from the leaves, whose
/// memory is changed in between and put back; it must compute the same thing every time (dropout
/// under a fixed key is fine). A leaf that f does not use has gradient 0, and the differences must
/// agree. Throws std::invalid_argument unless everything is f64.
GradCheckReport gradcheck(const std::function<Tensor()>& f, std::span<const NamedLeaf> leaves,
                          const GradCheckOptions& options = {});

}  // namespace heed
