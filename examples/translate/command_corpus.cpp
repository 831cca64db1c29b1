// translate corpus: a task's sentence pairs as files, so that other programs can read them.
#include <filesystem>
#include <iostream>
#include <sstream>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/translate/commands.h"
#include "examples/translate/translator.h"

namespace heed::translate {
namespace {

struct CorpusCommand {
  std::string task, out;
  TaskOptions options;
  bool list = false;
};

void list_tasks() {
  for (const TaskInfo& t : tasks())
    fmt::print("{:<12} {:>7} train {:>5} dev {:>5} test   {}\n", t.name, t.train, t.dev, t.test,
               t.summary);
}

template <class Pairs>
void write_set(const std::string& path, const Pairs& pairs, const std::string& header) {
  std::ostringstream text;
  write_tsv(text, pairs, header);
  write_file(path, text.str());
  fmt::print("{}  {} pairs\n", path, pairs.size());
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
  require_writable(c.out);
  const std::string at = c.out + "/";
  write_set(at + "train.tsv", d.train, d.header);
  write_set(at + "dev.tsv", d.dev, d.header);
  write_set(at + "test.tsv", d.test, d.header);
  for (const auto& [name, pairs] : d.extra) write_set(at + name + ".tsv", pairs, d.header);
  if (!d.contrast.empty()) write_set(at + "contrast.tsv", d.contrast, d.header);
  return 0;
}

}  // namespace

Run add_corpus(CLI::App& app) {
  auto c = std::make_shared<CorpusCommand>();
  CLI::App& sub =
      *app.add_subcommand("corpus", "Write the sentence pairs of a built-in task as TSV");
  sub.add_option("--task", c->task, "Which task");
  sub.add_option("--size", c->options.train, "Training pairs (0: the task's default)")
      ->check(CLI::NonNegativeNumber);
  sub.add_option("--seed", c->options.seed)->capture_default_str();
  sub.add_flag("--swap", c->options.swap_sides, "The other direction");
  sub.add_option("-o,--out", c->out,
                 "Directory for all splits (default: train to standard output)");
  sub.add_flag("--list", c->list, "Name the tasks");
  return [c] { return run(*c); };
}

std::shared_ptr<SourceOptions> add_source_options(CLI::App& sub, bool training) {
  auto o = std::make_shared<SourceOptions>();
  sub.add_option("--task", o->task, "A built-in task (translate corpus --list)");
  sub.add_option("--data", o->file, "A TSV file: source TAB target, further columns ignored");
  if (training) {
    sub.add_option("--train-src", o->train_src, "Source lines of the training pairs");
    sub.add_option("--train-tgt", o->train_tgt, "Target lines of the training pairs");
    sub.add_option("--valid-src", o->valid_src);
    sub.add_option("--valid-tgt", o->valid_tgt);
    sub.add_option("--size", o->size, "Training pairs of a task (0: its default)")
        ->check(CLI::NonNegativeNumber);
    const std::map<std::string, Tokeniser> names{{"whitespace", Tokeniser::whitespace},
                                                 {"char", Tokeniser::chars}};
    const auto tokeniser = CLI::CheckedTransformer(names);
    sub.add_option("--src-tokens", o->data.src_tokeniser, "whitespace or char")
        ->transform(tokeniser);
    sub.add_option("--tgt-tokens", o->data.tgt_tokeniser, "whitespace or char")
        ->transform(tokeniser);
    sub.add_flag("--lowercase", o->data.lowercase);
    sub.add_option("--max-length", o->data.max_length, "Longest sentence, in tokens")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
  }
  sub.add_option("--test-src", o->test_src, "Source lines of the test pairs");
  sub.add_option("--test-tgt", o->test_tgt, "Target lines of the test pairs");
  sub.add_flag("--swap", o->data.swap, "The other direction");
  sub.add_option("--seed", o->seed)->capture_default_str();
  return o;
}

void print_json(const nlohmann::ordered_json& j) {
  std::cout << j.dump() << "\n" << std::flush;
}

}  // namespace heed::translate
