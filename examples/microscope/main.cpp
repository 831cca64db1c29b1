// microscope: a forward and a backward pass, one operation at a time.
#include "examples/microscope/commands.h"

int main(int argc, char** argv) {
  using namespace heed::microscope;
  return heed::run_program(
      {.name = "microscope",
       .about = "Shows a forward and a backward pass, one operation at a time.",
       .commands = {{"trace", add_trace},
                    {"validate", add_validate},
                    {"export", add_export},
                    {"check", add_check},
                    {"lesson", add_lesson}},
       .out_of_memory = "out of memory; use a smaller trace"},
      argc, argv);
}
