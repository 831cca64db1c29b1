// The sub-commands of `microscope`. Each adds its options to the command line and, once they are
// parsed, runs and returns the exit code: 0 done, 1 a check failed, 2 wrong usage, 3 a file that
// cannot be read or written or is not what it should be. Errors are thrown to main.
#pragma once
#include <CLI/CLI.hpp>

#include "examples/program.h"

namespace heed::microscope {

Run add_trace(CLI::App& app);
Run add_validate(CLI::App& app);
Run add_export(CLI::App& app);
Run add_check(CLI::App& app);

}  // namespace heed::microscope
