// translate: trains small translators on a CPU and shows what they attend to.
#include <cstdio>
#include <iostream>
#include <new>

#include "autograd/tape.h"
#include "core/error.h"
#include "core/version.h"
#include "examples/translate/commands.h"

namespace {

int run(int argc, char** argv) {
  using namespace heed::translate;
  CLI::App app{"Trains small translators on a CPU and shows what they attend to.", "translate"};
  app.set_version_flag("--version", heed::version_text("translate"));
  app.require_subcommand(0, 1);
  app.option_defaults()->take_last();  // a script's options can be overridden
  app.get_formatter()->column_width(28);
  app.get_formatter()->label("Needs", "with");
  app.get_formatter()->label("Excludes", "not with");
  for (const char* type : {"INT", "UINT", "FLOAT"}) app.get_formatter()->label(type, "N");
  const std::vector<std::pair<std::string, Run>> commands{
      {"train", add_train(app)},          {"translate", add_translate(app)},
      {"evaluate", add_evaluate(app)},    {"align", add_align(app)},
      {"attention", add_attention(app)},  {"corpus", add_corpus(app)},
      {"mechanisms", add_mechanisms(app)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  for (const auto& [name, command] : commands)
    if (app.got_subcommand(name)) {
      const int code = command();
      std::cout.flush();
      if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout))
        heed::fail_file("standard output", "not all of it could be written; is the disk full?");
      return code;
    }
  heed::require(false, "expected a command, got none; translate --help names them");
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
  } catch (const std::bad_alloc&) {
    return fail(
        "out of memory; use less data, smaller sizes of the network or of the vocabulary "
        "(--min-count, --max-vocabulary), or a smaller --batch-tokens",
        1);
  } catch (const std::exception& e) {  // a diverged training or a bug: not the usage
    return fail(e.what(), 1);
  }
}
