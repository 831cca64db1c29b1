// What the programs of this folder have in common: sub-commands, exit codes, and what is said when
// something goes wrong. Exit code 0 done, 1 what the command judges failed, 2 wrong usage, 3 a file
// that cannot be read or written. Not here: any option of theirs.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/version.h"

namespace heed {

/// Runs a command whose options have been parsed and returns the exit code.
using Run = std::function<int()>;
using Commands = std::vector<std::pair<std::string, Run>>;

/// Parses the command line, runs the command that it names, and turns what is thrown into a line
/// on standard error and an exit code. `out_of_memory` says what helps then.
inline int run_program(CLI::App& app, int argc, char** argv, const Commands& commands,
                       const char* out_of_memory) {
  const auto fail = [&](const char* what, int code) {
    std::cerr << app.get_name() << ": " << what << "\n";
    return code;
  };
  try {
    app.parse(argc, argv);
    for (const auto& [name, command] : commands)
      if (app.got_subcommand(name)) {
        const int code = command();
        std::cout.flush();
        if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout))
          fail_file("standard output", "not all of it could be written; is the disk full?");
        return code;
      }
    require(false, "expected a command, got none; {} --help names them", app.get_name());
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const FileError& e) {
    return fail(e.what(), 3);
  } catch (const std::invalid_argument& e) {
    return fail(e.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail(out_of_memory, 1);
  } catch (const std::exception& e) {  // a diverged training or a bug: not the usage
    return fail(e.what(), 1);
  }
  return 2;
}

}  // namespace heed
