// The stepper without a screen: commands from -c, from a pipe or typed line by line; what they
// answer goes to an output as text, or as one line of JSON per command.
#pragma once
#include <iosfwd>
#include <optional>
#include <string>

#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

struct LineMode {
  bool json = false;
  bool colour = false;
  bool prompt = false;  // somebody types: ask, and go on after a mistake
  int width = 80;
};

/// Runs a script (-c). Throws std::invalid_argument "command 3
/// (fly): ..." at the first wrong command. Returns the exit code: 1 where a check did not pass.
int run_script(Stepper& s, const std::string& script, const LineMode& mode, std::ostream& out);

/// The same with commands from a stream, line by line until it ends or q.
int run_lines(Stepper& s, std::istream& in, const LineMode& mode, std::ostream& out);

}  // namespace heed::microscope::stepper
