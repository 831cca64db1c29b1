// The stepper on a whole terminal: the step above, what the last command answered beneath, and a
// line to type in. What it shows are the reports of the line mode.
#pragma once
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

/// Runs until q, Ctrl-C or a signal; the terminal is then as it was before. Returns the exit code.
int run_screen(Stepper& s, bool colour);

}  // namespace heed::microscope::stepper
