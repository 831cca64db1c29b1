// translate: trains small translators on a CPU and shows what they attend to.
#include "examples/translate/commands.h"

int main(int argc, char** argv) {
  using namespace heed::translate;
  CLI::App app{"Trains small translators on a CPU and shows what they attend to.", "translate"};
  app.set_version_flag("--version", heed::version_text("translate"));
  app.require_subcommand(0, 1);
  app.option_defaults()->take_last();  // a script's options can be overridden
  app.get_formatter()->column_width(28);
  app.get_formatter()->label("Needs", "with");
  app.get_formatter()->label("Excludes", "not with");
  for (const char* type : {"INT", "UINT", "FLOAT"}) app.get_formatter()->label(type, "N");
  const heed::Commands commands{
      {"train", add_train(app)},          {"translate", add_translate(app)},
      {"evaluate", add_evaluate(app)},    {"align", add_align(app)},
      {"attention", add_attention(app)},  {"corpus", add_corpus(app)},
      {"mechanisms", add_mechanisms(app)}};
  return heed::run_program(
      app, argc, argv, commands,
      "out of memory; use less data, smaller sizes of the network or of the vocabulary "
      "(--min-count, --max-vocabulary), or a smaller --batch-tokens");
}
