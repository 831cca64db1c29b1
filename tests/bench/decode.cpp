// bench decode: sentences a second, translated greedily as `translate evaluate` does it.
#include "examples/translate/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

using translate::Decoded;
using translate::Tokens;

std::string word(int64_t i) {
  return fmt::format("w{}", i);
}

// As many ids as the workload says, the special ones included.
translate::Vocabulary vocabulary(int64_t size) {
  translate::TokenCounts counts;
  for (int64_t i = translate::kSpecials; i < size; ++i) counts[word(i)] = 1;
  return {counts, {}};
}

// A translator that has learned nothing: its sentences go on to their limit, which is set to the
// length of the source, so that they have as many steps as real ones.
translate::Translator untrained(const Workload& w) {
  return {.text = {},
          .source = vocabulary(w.vocab_src),
          .target = vocabulary(w.vocab_tgt),
          .network = {make_model(w)},
          .about = {}};
}

}  // namespace

DecodeFigures measure_decoding(const Workload& w, int64_t threads, int64_t sentences) {
  const translate::Translator t = untrained(w);
  Rng rng(1);
  std::vector<Tokens> sources(static_cast<size_t>(sentences));
  for (Tokens& s : sources)
    for (int64_t i = 0; i < w.src_len; ++i)
      s.push_back(word(static_cast<int64_t>(rng.below(static_cast<uint64_t>(w.vocab_src)))));
  const translate::DecodeOptions options{.threads = threads, .length_factor = 1, .length_extra = 0};
  (void)decode_greedy(t, std::span(sources).first(std::min<size_t>(sources.size(), 100)), options);
  Stopwatch watch;
  const std::vector<Decoded> all = decode_greedy(t, sources, options);
  DecodeFigures f{.config = w.config, .threads = threads, .sentences = sentences};
  f.seconds = watch.lap();
  for (const Decoded& d : all) f.words += static_cast<int64_t>(d.tokens.size());
  return f;
}

Run add_decode(CommandLine& program) {
  CommandLine command =
      program.add_command("decode", "Translates random sentences, greedily, with random weights");
  auto f = std::make_shared<Flags>();
  auto sentences = std::make_shared<int64_t>(1000);
  f->threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 2);
  add_config(command, *f, false).required();
  add_sizes(command, *f);
  add_threads(command, *f, "Batches at the same time");
  command.add_option("--sentences", *sentences, "Of --src-len words each")
      .show_default()
      .between(1, 1e6);
  add_json(command, *f);
  return measured([f, sentences] {
    const Workload w = workload(f->configs.back(), f->sizes);
    const DecodeFigures d = measure_decoding(w, f->threads, *sentences);
    if (f->json) {
      fmt::print("{}\n", Json{{"config", d.config},
                              {"threads", d.threads},
                              {"sentences", d.sentences},
                              {"words", d.words},
                              {"seconds", d.seconds}}
                             .dump());
    } else {
      fmt::print("{}\n  {}: {} sentences of {} words in {:.2f} s, {} words written, threads {}\n",
                 machine_text(), d.config, d.sentences, w.src_len, d.seconds, d.words, d.threads);
    }
  });
}

}  // namespace heed::bench
