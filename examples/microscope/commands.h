// The sub-commands of `microscope`. Each adds its options to the command line and, once they are
// parsed, runs and returns the exit code: 0 done, 1 a check failed, 2 wrong usage, 3 a file that
// cannot be read or written or is not what it should be. Errors are thrown to main.
#pragma once

#include "examples/console/command_line.h"

namespace heed::microscope {

// What makes traces (command_trace.cpp).
Run add_trace(CommandLine& program);
Run add_rerun(CommandLine& program);
// What judges them (command_check.cpp).
Run add_validate(CommandLine& program);
Run add_check(CommandLine& program);
Run add_why(CommandLine& program);
// What looks at them (command_look.cpp).
Run add_path(CommandLine& program);
Run add_compare(CommandLine& program);
Run add_export(CommandLine& program);
Run add_step(CommandLine& program);
// Lessons on them (lessons/command.cpp).
Run add_lesson(CommandLine& program);
// An HTML page over them (view.cpp).
Run add_view(CommandLine& program);

}  // namespace heed::microscope
