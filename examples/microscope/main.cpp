// microscope: a forward and a backward pass, one operation at a time.
#include <cstdio>
#include <iostream>
#include <new>

#include "core/error.h"
#include "core/version.h"
#include "examples/microscope/commands.h"

namespace {

int run(int argc, char** argv) {
  using namespace heed::microscope;
  CLI::App app{"Shows a forward and a backward pass, one operation at a time.", "microscope"};
  app.set_version_flag("--version", heed::version_text("microscope"));
  app.require_subcommand(0, 1);
  const std::vector<std::pair<std::string, Run>> commands{{"trace", add_trace(app)},
                                                          {"validate", add_validate(app)},
                                                          {"export", add_export(app)},
                                                          {"check", add_check(app)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  for (const auto& [name, command] : commands)
    if (app.got_subcommand(name)) {
      const int code = command();
      std::cout.flush();
      if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout))
        heed::fail_file("standard output", "not all of it could be written; is the disk full?");
      return code;
    }
  heed::require(false, "expected a command, got none; microscope --help names them");
  return 2;
}

int fail(const char* what, int code) {
  std::cerr << "microscope: " << what << "\n";
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const heed::FileError& e) {
    return fail(e.what(), 3);
  } catch (const std::invalid_argument& e) {
    return fail(e.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; use a smaller trace", 1);
  } catch (const std::exception& e) {  // a bug: not the usage
    return fail(e.what(), 1);
  }
}
