// The words of the stepper: what each expects, what it does, and how a line is taken apart.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/step/report.h"
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

using Words = std::vector<std::string>;

struct StepCommand {
  std::vector<std::string> names;  // the first is the short one
  std::string usage;               // of the arguments: "[row] [tensor]"
  std::string en, zh;              // one line of help
  size_t least, most;              // arguments
  Report (*run)(Stepper& s, const Words& arguments);
};

/// All of them, in the order of the help.
const std::vector<StepCommand>& step_commands();

/// "n; g e; find 'a;b'" -> its commands; ';' and line ends part them, quotes keep them together.
std::vector<std::string> script_of(const std::string& text);
Words command_words(const std::string& command);

/// Runs one command. Throws std::invalid_argument: for an unknown one with the names near it, for
/// wrong arguments with what was expected.
Report run_command(Stepper& s, const std::string& command);

/// The help: all commands, or one.
Report help_report(const Stepper& s, const std::string& name = "");

// ---- by topic ----

std::vector<StepCommand> moving_commands();     // n p N P g fwd bwd b c rc fold unfold
std::vector<StepCommand> showing_commands();    // v gr in con f fn find w predict lang
std::vector<StepCommand> picture_commands();    // heat head beam curve
std::vector<StepCommand> rerunning_commands();  // jac ck seed set undo
std::vector<StepCommand> asking_commands();     // why path route cmp exp

/// An integer argument. Throws std::invalid_argument "count: expected ..., got ...".
int number_argument(const std::string& what, const std::string& text, int least, int most);

}  // namespace heed::microscope::stepper
