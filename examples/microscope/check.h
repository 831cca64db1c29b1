// Every recorded gradient against differences of the loss: the case is run again with one number
// changed, wherever in the graph it is. Nothing is learned from the recorded backward pass.
#pragma once
#include "examples/microscope/trace.h"

namespace heed::microscope {

struct CheckOptions {
  bool directional = false;  // one random direction per tensor in place of every number
  double step = 1e-6;        // of the central difference
  double tolerance = 0;      // relative; 0: 1e-6 for f64, 1e-4 for f32
};

/// One tensor's check. `worst` is the number that agrees least.
struct CheckRow {
  int tensor;
  bool pass;
  size_t numbers;  // compared
  double max_abs = 0;
  size_t worst = 0;
  double analytic = 0, numeric = 0;
  bool again;  // the run repeated gave the same values to the bit
};

/// Checks every tensor of the trace that has a gradient. A number passes when
///   |numeric - analytic| <= tolerance / 100 max(1, max |gradient|) + tolerance |analytic|.
/// An f32 trace is compared with differences taken in f64. Throws std::invalid_argument when the
/// trace does not hold the case it was made from.
std::vector<CheckRow> check(const Trace& trace, const CheckOptions& options = {});

}  // namespace heed::microscope
