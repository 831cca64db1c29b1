// What a person sees of one step: formula, values, incoming gradients, what is sent on and the
// ledgers it goes into.
#pragma once
#include "examples/microscope/step/report.h"
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

/// The current step, or the folded scope it lies in, and the watched tensors.
Report step_report(const Stepper& s);

/// One line: "bwd 5/8  softmax  a = softmax(e)".
std::string step_name(const Stepper& s, int position);

/// Why there is no gradient (yet), for a row.
std::string reason_text(const Stepper& s, int tensor, Known known);

Row value_row(const Stepper& s, const std::string& label, int tensor);
/// The gradient as it stands after the current step.
Row gradient_row(const Stepper& s, const std::string& label, int tensor);
/// The contributions to a tensor: one row for each that has arrived, their sum, what is to come.
Report ledger_report(const Stepper& s, int tensor);
/// An op's formulas with the tensors' names in place of its own letters.
std::string forward_formula(const Stepper& s, int op);
std::vector<std::string> backward_formulas(const Stepper& s, int op);

/// The position before the first event: what is given, what is differentiated.
Report start_report(const Stepper& s);
/// A folded scope: what leads into it and what comes out.
Report folded_report(const Stepper& s, int scope);

/// "fwd" or "bwd"; the number of an event within its pass.
std::string pass_name(const Stepper& s, bool backward);
int number_in_pass(const Timeline& line, int position);
/// The tensors of a list, each once, without the -1 of inputs that were left out.
std::vector<int> each_once(const std::vector<int>& all);

/// Whether `predict` hides what the step at this position sends.
bool hides(const Stepper& s, int position);

}  // namespace heed::microscope::stepper
