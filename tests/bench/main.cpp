// bench: how fast heed is and where its time and memory go, each figure beside what limits it.
// Exit codes: 0 measured, 1 failed, 2 wrong usage.
#include "tests/bench/commands.h"

int main(int argc, char** argv) {
  using namespace heed::bench;
  return heed::run_program(
      {.name = "bench",
       .about = "Measures heed: speed, memory, growth. Ratios within one run are what counts.",
       .commands = {{"step", add_step},
                    {"op", add_op},
                    {"scaling", add_scaling},
                    {"memory", add_memory},
                    {"gemm", add_gemm},
                    {"growth", add_growth},
                    {"decode", add_decode},
                    {"looking", add_looking},
                    {"all", add_all}},
       .out_of_memory = "out of memory; use smaller sizes"},
      argc, argv);
}
