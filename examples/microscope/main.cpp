// microscope: a forward and a backward pass, one operation at a time.
#include "examples/microscope/commands.h"

int main(int argc, char** argv) {
  using namespace heed::microscope;
  return heed::run_program(
      {.name = "microscope",
       .about = "Shows a forward and a backward pass, one operation at a time.",
       .commands = {{"trace", add_trace},
                    {"rerun", add_rerun},
                    {"validate", add_validate},
                    {"check", add_check},
                    {"why", add_why},
                    {"path", add_path},
                    {"compare", add_compare},
                    {"export", add_export},
                    {"step", add_step},
                    {"view", add_view},
                    {"lesson", add_lesson}},
       .out_of_memory = "out of memory; use a smaller trace"},
      argc, argv);
}
