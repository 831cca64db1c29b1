// Why a gradient is zero, small, missing or not a number: fixed rules over a trace, the first that
// holds answers. Every factor that it names comes from the trace or from the op's own Jacobian.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// A term of a gradient: what one number after an op sends to the one that was asked about.
struct WhyTerm {
  int op, slot;
  int after;          // tensor that the op makes
  size_t place;       // in it
  double derivative;  // of that number by the one that was asked about
  double incoming;    // its gradient
  double value() const { return derivative == 0 ? 0 : derivative * incoming; }
};

/// The answer. `rule` is one of, in this order:
///   masked          the position is masked or outside the window
///   cut             its value goes on by a choice or a detach only
///   not_reached     what was differentiated does not depend on it (or it is a constant)
///   incoming_zero   every gradient that arrives is 0 already; `source` made it so, for `because`
///   underflow       its attention weight is exactly 0: e^x was too small for a number
///   saturated       the derivative of a softmax, tanh or sigmoid is (nearly) 0 there
///   cancel          the terms cancel; shift: because a softmax does not see what is added to all
///   dead_weight     the weights that it is multiplied with are all 0
///   rounding        what is left is rounding error
///   nan_origin      the first op that made a number that is none: `source`
///   ordinary        nothing stands out
struct Why {
  std::string rule;
  std::string en, zh;  // a sentence with the numbers
  int tensor = -1;
  size_t index = 0;
  double gradient = 0;  // NaN where there is none
  std::vector<WhyTerm> terms;
  int source = -1;  // tensor
  size_t source_index = 0;
  std::string because;  // incoming_zero: the rule that holds at the source
  bool shift = false;   // cancel
  double factor = 1;    // saturated: the derivative
};

/// Throws std::invalid_argument for a place that does not exist, and for a trace with ops that are
/// not heed's.
Why why(const Trace& trace, int tensor, size_t index);

Json to_json(const Trace& trace, const Why& answer);

}  // namespace heed::microscope
