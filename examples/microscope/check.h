// Every recorded gradient against differences of what was differentiated: the trace is computed
// again from its own numbers (session.h) with one of them changed, wherever in the graph it is.
// Nothing is learned from the recorded backward pass. And what must hold within a trace: Jacobians
// give the contributions, softmax rows cancel.
#pragma once
#include <string>

#include "examples/microscope/trace.h"

namespace heed::microscope {

struct CheckOptions {
  bool directional = false;  // one random direction per tensor in place of every number
  double step = 1e-6;        // of the central difference
  double tolerance = 0;      // relative; 0: 1e-6 for f64, 1e-4 for f32
  int only = -1;             // this tensor; -1: every one
};

/// One tensor's check. `worst` is the number that agrees least.
struct CheckRow {
  int tensor;
  /// pass, fail; nondiff: a kink or the edge of a window lies within the step, so the differences
  /// say nothing; biased: the gradient of an estimator, which is not the derivative of what was
  /// computed and is not meant to be (it agrees when what was detached is held fixed).
  std::string status;
  bool pass;           // not fail, and computed again to the bit
  size_t numbers = 0;  // compared
  double max_abs = 0;
  size_t worst = 0;
  double analytic = 0, numeric = 0;
  bool again = true;  // computed again, its values are the same to the bit
};

/// Checks every tensor of the trace that has a gradient. A number passes when
///   |numeric - analytic| <= tolerance / 100 max(1, max |gradient|) + tolerance |analytic|.
/// An f32 trace is compared with differences taken in f64. Throws std::invalid_argument for a trace
/// with ops that are not heed's.
std::vector<CheckRow> check(const Trace& trace, const CheckOptions& options = {});

/// One check of the trace against itself.
struct InvariantRow {
  std::string what;  // "jacobian" (J^T dy is what was contributed), "softmax" (rows cancel)
  int op, slot;
  bool pass;
  double error, limit;
};

/// For every op that passed a gradient on: its whole Jacobian (where it is at most 64 numbers high
/// and 4096 wide), taken row by row from its own backward, times the gradients of its outputs is
/// what it contributed, to 1e-12 of the terms added up (f32: 1e-5). For every softmax row of n:
/// |sum de| <= (n + 4) u sum |a da|, and exactly 0 where masked.
std::vector<InvariantRow> check_invariants(const Trace& trace);

/// Rows as `checks` of a trace file has them.
Json to_json(const std::vector<CheckRow>& rows, const CheckOptions& options);

}  // namespace heed::microscope
