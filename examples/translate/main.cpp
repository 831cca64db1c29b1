// translate: trains small translators on a CPU and shows what they attend to.
#include "examples/translate/commands.h"

int main(int argc, char** argv) {
  using namespace heed::translate;
  return heed::run_program(
      {.name = "translate",
       .about = "Trains small translators on a CPU and shows what they attend to.",
       .commands = {{"train", add_train},
                    {"translate", add_translate},
                    {"evaluate", add_evaluate},
                    {"align", add_align},
                    {"attention", add_attention},
                    {"corpus", add_corpus},
                    {"mechanisms", add_mechanisms}},
       .out_of_memory =
           "out of memory; use less data, smaller sizes of the network or of the vocabulary "
           "(--min-count, --max-vocabulary), or a smaller --batch-tokens"},
      argc, argv);
}
