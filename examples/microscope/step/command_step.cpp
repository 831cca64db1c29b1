// microscope step: the stepper's front ends.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>

#include "examples/console/terminal.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/step/line_mode.h"
#include "examples/microscope/step/screen.h"

namespace heed::microscope {
namespace {

struct StepOptions {
  std::string file, lang = "en";
  std::optional<std::string> script;
  int digits = 6;
  bool plain = false, json = false;
};

int step(const StepOptions& o) {
  using namespace stepper;
  Stepper s = stepper_of(load_trace(o.file));
  s.digits = o.digits;
  s.lang = o.lang == "zh" ? Lang::zh : Lang::en;
  const TerminalOptions terminal = terminal_of(stdout);
  const bool typed = isatty(STDIN_FILENO) == 1;
  if (!o.script && !o.plain && !o.json && typed && isatty(STDOUT_FILENO) == 1)
    return run_screen(s, terminal.colour);
  const LineMode mode{.json = o.json,
                      .colour = terminal.colour,
                      .prompt = typed && !o.script && !o.json,
                      .width = terminal.width};
  return o.script ? run_script(s, *o.script, mode, std::cout)
                  : run_lines(s, std::cin, mode, std::cout);
}

}  // namespace

Run add_step(CommandLine& program) {
  const auto o = std::make_shared<StepOptions>();
  CommandLine sub = program.add_command("step", "Steps through a trace, forward and backward");
  sub.add_option("file", o->file, "The trace").required();
  sub.add_option("-c,--commands", o->script,
                 "Runs these (\"n; n; con\"), prints, ends; ? lists them");
  sub.add_flag("--plain", o->plain, "Line by line also on a terminal");
  sub.add_flag("--json", o->json, "One line of JSON for every command");
  sub.add_option("--digits", o->digits, "Digits behind the point; 16 and more: all").between(1, 17);
  sub.add_option("--lang", o->lang, "The language").one_of({"en", "zh"});
  return [o] { return step(*o); };
}

}  // namespace heed::microscope
