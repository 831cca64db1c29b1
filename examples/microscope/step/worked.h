// An op's formula with the numbers of one element in it: "e^(0.5 - 1) / (...) = 0.331499". What
// comes out is computed here and compared with what was recorded.
#pragma once
#include <optional>

#include "examples/microscope/step/report.h"
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

/// One element, worked out.
struct Worked {
  std::string left;  // "a[1]"
  std::string text;  // "e^(0.5 - 1) / (...)"
  double value;      // of that
  double stored;
};

/// Number `at` of an op's first output; nothing for an op whose formula does not fit on a line.
std::optional<Worked> worked_forward(const Stepper& s, int op, size_t at);
/// Number `at` of what an op sends to an input.
std::optional<Worked> worked_backward(const Stepper& s, int op, int contribution, size_t at);

/// Both, for the element `at` (of inputs that are smaller: their last).
Report worked_report(const Stepper& s, int op, size_t at);

}  // namespace heed::microscope::stepper
