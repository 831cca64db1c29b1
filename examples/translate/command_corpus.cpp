// translate corpus: a task's sentence pairs as files, so that other programs can read them.
#include <iostream>
#include <sstream>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/translate/commands.h"
#include "examples/translate/translator.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostPairs = 5'000'000;

struct CorpusCommand {
  std::string task, out;
  TaskOptions options;
  bool list = false;
};

void list_tasks() {
  for (const TaskInfo& t : tasks())
    std::cout << fmt::format("{:<12} {:>7} train {:>5} dev {:>5} test   {}\n", t.name, t.train,
                             t.dev, t.test, t.summary);
}

template <class Pairs>
void write_set(const std::string& path, const Pairs& pairs, const std::string& header) {
  std::ostringstream text;
  write_tsv(text, pairs, header);
  write_file(path, text.str());
  std::cout << fmt::format("{}  {} pairs\n", path, pairs.size());
}

int run(const CorpusCommand& c) {
  if (c.list) {
    list_tasks();
    return 0;
  }
  require(!c.task.empty(), "corpus: expected --task NAME (translate corpus --list names them)");
  const Dataset d = make_task(c.task, c.options);
  if (c.out.empty()) {
    write_tsv(std::cout, d.train, d.header);
    return 0;
  }
  const OutputFolder folder(c.out);
  const std::string at = c.out + "/";
  write_set(at + "train.tsv", d.train, d.header);
  write_set(at + "dev.tsv", d.dev, d.header);
  write_set(at + "test.tsv", d.test, d.header);
  for (const auto& [name, pairs] : d.extra) write_set(at + name + ".tsv", pairs, d.header);
  if (!d.contrast.empty()) write_set(at + "contrast.tsv", d.contrast, d.header);
  return 0;
}

Option add_seed(CommandLine& sub, uint64_t& seed) {
  return sub.add_option("--seed", seed, "Of all that is random").between(0, 1e18).show_default();
}

}  // namespace

Run add_corpus(CommandLine& program) {
  auto c = std::make_shared<CorpusCommand>();
  CommandLine sub =
      program.add_command("corpus", "Write the sentence pairs of a built-in task as TSV");
  sub.add_option("--task", c->task, "Which task");
  sub.add_option("--size", c->options.train, "Training pairs (0: the task's default)")
      .between(0, kMostPairs);
  add_seed(sub, c->options.seed);
  sub.add_flag("--swap", c->options.swap_sides, "The other direction");
  sub.add_option("-o,--out", c->out, "Folder for all splits (without: train is printed)");
  sub.add_flag("--list", c->list, "Name the tasks");
  return [c] { return run(*c); };
}

std::shared_ptr<SourceOptions> add_source_options(CommandLine& sub, bool training) {
  auto o = std::make_shared<SourceOptions>();
  Option task = sub.add_option("--task", o->task, "A built-in task (translate corpus --list)");
  sub.add_option("--data", o->file, "TSV file: source TAB target, rest ignored");
  Option seed = add_seed(sub, o->seed);
  if (training) {
    sub.add_option("--train-src", o->train_src, "Source lines of the training pairs");
    sub.add_option("--train-tgt", o->train_tgt, "Target lines of the training pairs");
    sub.add_option("--valid-src", o->valid_src, "Source lines of the validation pairs");
    sub.add_option("--valid-tgt", o->valid_tgt, "Target lines of the validation pairs");
  } else {
    seed.needs(task);  // without a task on the command line, the model says it
  }
  sub.add_option("--test-src", o->test_src, "Source lines of the test pairs");
  sub.add_option("--test-tgt", o->test_tgt, "Target lines of the test pairs");
  sub.add_flag("--swap", o->data.swap, "The other direction");
  if (!training) return o;
  sub.add_option("--size", o->size, "Training pairs of a task (0: its default)")
      .between(0, kMostPairs)
      .needs(task);
  // A task brings its own way of cutting text.
  const auto tokens = [&sub, task](const char* name, Tokeniser& tokeniser) {
    sub.add_option(
           name, [&tokeniser](const std::string& text) { tokeniser = parse_tokeniser(text); },
           "How lines are cut: whitespace or char")
        .excludes(task);
  };
  tokens("--src-tokens", o->data.src_tokeniser);
  tokens("--tgt-tokens", o->data.tgt_tokeniser);
  sub.add_flag("--lowercase", o->data.lowercase, "Text in lower case").excludes(task);
  sub.add_option("--max-length", o->data.max_length, "Longer sentences (tokens) are left out")
      .between(1, 100'000)
      .excludes(task);
  return o;
}

void print_json(const Json& j) {
  std::cout << j.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n" << std::flush;
}

}  // namespace heed::translate
