#include "examples/translate/source.h"

#include <array>
#include <utility>

#include "core/error.h"

namespace heed::translate {
namespace {

// Reads one split and notes what became of its lines.
template <class Read>
std::vector<Example> noted(Corpus& corpus, const std::string& what, Read read) {
  Data data = read();
  corpus.notes.push_back(what + ": " + data.report.text());
  return std::move(data.examples);
}

Corpus from_task(const SourceOptions& o) {
  const TaskInfo& info = find_task(o.task);
  Corpus c{.name = o.task,
           .sets = make_task(o.task, {.train = o.size, .seed = o.seed, .swap_sides = o.data.swap})};
  c.text = {info.src_tokeniser, info.tgt_tokeniser, false};
  if (o.data.swap) std::swap(c.text.source, c.text.target);
  return c;
}

Corpus from_file(const SourceOptions& o) {
  Corpus c{.name = o.file};
  auto all = noted(c, o.file, [&] { return read_tsv(o.file, o.data); });
  if (o.all_test) {
    c.sets.test = std::move(all);
    return c;
  }
  Splits splits = split_by_source(std::move(all), o.seed);
  c.sets.train = std::move(splits.train);
  c.sets.dev = std::move(splits.valid);
  c.sets.test = std::move(splits.test);
  return c;
}

Corpus from_parallel(const SourceOptions& o) {
  Corpus c{.name = o.all_test ? o.test_src : o.train_src};
  const auto read = [&](const std::string& src, const std::string& tgt) {
    return noted(c, src + " + " + tgt, [&] { return read_parallel(src, tgt, o.data); });
  };
  if (o.all_test) {
    c.sets.test = read(o.test_src, o.test_tgt);
    return c;
  }
  require(!o.valid_src.empty() && !o.valid_tgt.empty(),
          "train: --train-src and --train-tgt need --valid-src and --valid-tgt too; to hold out "
          "part of one file instead, use --data FILE.tsv");
  c.sets.train = read(o.train_src, o.train_tgt);
  c.sets.dev = read(o.valid_src, o.valid_tgt);
  c.sets.test = o.test_src.empty() ? c.sets.dev : read(o.test_src, o.test_tgt);
  if (o.test_src.empty()) c.notes.push_back("no --test-src: the validation pairs are the test");
  return c;
}

}  // namespace

Corpus load_corpus(const SourceOptions& o) {
  const std::string& parallel = o.all_test ? o.test_src : o.train_src;
  const int given = !o.task.empty() + !o.file.empty() + !parallel.empty();
  require(
      given == 1,
      "expected one source of data, got {}: --task NAME, --data FILE.tsv, or {} (translate corpus "
      "--list names the tasks)",
      given, o.all_test ? "--test-src and --test-tgt" : "--train-src and --train-tgt");
  require(o.train_src.empty() == o.train_tgt.empty() &&
              o.valid_src.empty() == o.valid_tgt.empty() &&
              o.test_src.empty() == o.test_tgt.empty(),
          "expected --train-src with --train-tgt, --valid-src with --valid-tgt, --test-src with "
          "--test-tgt");
  Corpus c = !o.task.empty() ? from_task(o) : !o.file.empty() ? from_file(o) : from_parallel(o);
  if (o.task.empty()) c.text = {o.data.src_tokeniser, o.data.tgt_tokeniser, o.data.lowercase};
  for (const Example& e : c.sets.test) c.gold = c.gold || !e.sure.empty();
  return c;
}

Preset preset_for(std::string_view task, bool transformer) {
  constexpr Goals kExact{.exact = 0.99};
  const std::array<std::pair<std::string_view, Preset>, 8> presets{{
      // Smoothed labels are not what validation asks about: its loss rises while translations get
      // better.
      {"micro-en-fr",
       {18, 300, 3e-3, 0.1, 0.1, {.exact = 0.97, .bleu = 99, .aer = 0.15}, 0, "last"}},
      {"copy", {3, 1500, 3e-3, 0, 0, kExact}},
      // Validation has sentences longer than any of training: its loss rises while translations of
      // the others get better.
      {"reverse", {3, 1500, 3e-3, 0, 0, {.exact = 0.995, .exact_length = 25}, 0, "last"}},
      {"sort", {5, 1500, 3e-3, 0, 0, kExact}},
      {"addition", {30, 1500, 3e-3, 0, 0, kExact}},
      {"dates", {8, 1500, 3e-3, 0, 0, {.exact = 0.999}}},
      {"numbers-en", {10, 1000, 3e-3, 0, 0, {.exact = 0.999}}},
      {"numbers-fr", {10, 1000, 3e-3, 0, 0, {.exact = 0.999}}},
  }};
  Preset chosen{12, 400, 3e-3, 0.1, 0, {}};
  for (const auto& [name, preset] : presets)
    if (name == task) chosen = preset;
  // Its normalised layers want smaller steps, larger batches and a gentle beginning.
  if (transformer) chosen.rate = 1e-3, chosen.batch_tokens = 1000, chosen.warmup = 400;
  if (transformer && task == "reverse") chosen.epochs = 10, chosen.dropout = 0.1;
  return chosen;
}

}  // namespace heed::translate
