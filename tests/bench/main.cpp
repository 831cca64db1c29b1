// bench: how fast heed is and where its time and memory go, each figure beside what limits it.
// Exit codes: 0 measured, 1 failed, 2 wrong usage.
#include <cstdio>

#include "core/error.h"
#include "core/version.h"
#include "tests/bench/commands.h"

namespace {

int run(int argc, char** argv) {
  using namespace heed::bench;
  CLI::App app{"Measures heed: speed, memory, growth. Ratios within one run are what counts.",
               "bench"};
  app.set_version_flag("--version", heed::version_text("bench"));
  app.require_subcommand(0, 1);
  app.option_defaults()->take_last();
  app.get_formatter()->column_width(28);
  for (const char* type : {"INT", "UINT", "FLOAT"}) app.get_formatter()->label(type, "N");
  const std::vector<std::pair<const char*, Run>> commands{
      {"step", add_step(app)},     {"op", add_op(app)},     {"scaling", add_scaling(app)},
      {"memory", add_memory(app)}, {"gemm", add_gemm(app)}, {"growth", add_growth(app)},
      {"all", add_all(app)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  for (const auto& [name, command] : commands)
    if (app.got_subcommand(name)) {
      command();
      if (std::fflush(stdout) != 0 || std::ferror(stdout))
        heed::fail_file("standard output", "not all of it could be written; is the disk full?");
      return 0;
    }
  heed::require(false, "expected a command, got none; bench --help names them");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (...) {
    return heed::bench::report_failure();
  }
}
