// translate: trains small translators on a CPU and shows what they attend to.
#include <iostream>

#include "autograd/tape.h"
#include "core/error.h"
#include "core/version.h"
#include "examples/translate/commands.h"

namespace {

int run(int argc, char** argv) {
  using namespace heed::translate;
  CLI::App app{"Trains small translators on a CPU and shows what they attend to.", "translate"};
  app.set_version_flag("--version", heed::version_text("translate"));
  app.require_subcommand(1);
  const std::vector<std::pair<std::string, Run>> commands{
      {"train", add_train(app)}, {"translate", add_translate(app)}, {"evaluate", add_evaluate(app)},
      {"align", add_align(app)}, {"attention", add_attention(app)}, {"corpus", add_corpus(app)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  for (const auto& [name, command] : commands)
    if (app.got_subcommand(name)) return command();
  return 2;
}

int fail(const char* what, int code) {
  std::cerr << "translate: " << what << "\n";
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
  } catch (const std::exception& e) {  // a diverged training, memory, a bug: not the usage
    return fail(e.what(), 1);
  }
}
