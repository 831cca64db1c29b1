// microscope: a forward and a backward pass, one operation at a time.
#include "examples/microscope/commands.h"

int main(int argc, char** argv) {
  using namespace heed::microscope;
  CLI::App app{"Shows a forward and a backward pass, one operation at a time.", "microscope"};
  app.set_version_flag("--version", heed::version_text("microscope"));
  app.require_subcommand(0, 1);
  const heed::Commands commands{{"trace", add_trace(app)},
                                {"validate", add_validate(app)},
                                {"export", add_export(app)},
                                {"check", add_check(app)}};
  return heed::run_program(app, argc, argv, commands, "out of memory; use a smaller trace");
}
