// The sub-commands of `microscope`. Each adds its options to the command line and, once they are
// parsed, runs and returns the exit code: 0 done, 1 a check failed, 2 wrong usage, 3 a file that
// cannot be read or written or is not what it should be. Errors are thrown to main.
#pragma once

#include "examples/console/command_line.h"

namespace heed::microscope {

Run add_trace(CommandLine& program);
Run add_validate(CommandLine& program);
Run add_export(CommandLine& program);
Run add_check(CommandLine& program);
Run add_lesson(CommandLine& program);

}  // namespace heed::microscope
