// translate train: data -> vocabulary -> training -> model directory -> what it is worth.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/version.h"
#include "examples/translate/commands.h"
#include "examples/translate/console.h"
#include "examples/translate/evaluation.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

struct TrainCommand {
  std::shared_ptr<SourceOptions> source;
  std::string out = "model";
  TrainingOptions training;
  Seq2SeqOptions network{.source_vocabulary = 0, .target_vocabulary = 0};
  VocabularyOptions vocabulary;
  std::string score = "additive";
  bool json = false;
  // Set by the user, or by the task's preset.
  std::optional<int64_t> epochs, batch_tokens;
  std::optional<double> rate;
};

Vocabulary vocabulary_of(std::span<const Example> examples, std::vector<std::string> Example::*side,
                         const VocabularyOptions& options, TokenCounts& counts) {
  for (const Example& e : examples) count_tokens(counts, e.*side);
  return Vocabulary(counts, options);
}

TokenCounts counts_of(std::span<const Example> examples, std::vector<std::string> Example::*side) {
  TokenCounts counts;
  for (const Example& e : examples) count_tokens(counts, e.*side);
  return counts;
}

Translator make_translator(const TrainCommand& c, const Corpus& corpus, Console& console) {
  TokenCounts source, target;
  Vocabulary src = vocabulary_of(corpus.sets.train, &Example::src, c.vocabulary, source);
  Vocabulary tgt = vocabulary_of(corpus.sets.train, &Example::tgt, c.vocabulary, target);
  console.say(
      "vocabulary: {} source, {} target (4 special ones each); unknown in the test set: "
      "{:.2f} % of source tokens, {:.2f} % of target tokens",
      src.size(), tgt.size(), 100 * unknown_share(src, counts_of(corpus.sets.test, &Example::src)),
      100 * unknown_share(tgt, counts_of(corpus.sets.test, &Example::tgt)));
  Seq2SeqOptions o = c.network;
  o.source_vocabulary = src.size();
  o.target_vocabulary = tgt.size();
  o.attention = c.score != "none";
  if (o.attention) o.score = score_named(c.score).value();
  Rng init = Rng(c.training.seed).fork("init");
  const TrainingOptions& t = c.training;
  const Json about{{"task", corpus.name},
                   {"seed", t.seed},
                   {"epochs", t.epochs},
                   {"batch_tokens", t.batch_tokens},
                   {"optimiser", t.optimiser},
                   {"rate", t.rate},
                   {"schedule", t.schedule},
                   {"clip", t.clip},
                   {"label_smoothing", t.label_smoothing},
                   {"forcing", t.forcing},
                   {"threads", t.threads},
                   {"training_pairs", corpus.sets.train.size()}};
  return {corpus.text, std::move(src), std::move(tgt), Seq2Seq(o, init), about};
}

// Three sentences whose attention is worth a look: the first ones of moderate length.
std::vector<AttentionMap> some_maps(const Evaluation& e, std::span<const Example> pairs) {
  std::vector<AttentionMap> maps;
  for (size_t i = 0; i < pairs.size() && maps.size() < 3; ++i)
    if (pairs[i].src.size() >= 5 && pairs[i].src.size() <= 12 && !e.decoded[i].weights.empty())
      maps.push_back(attention_map(pairs[i].src, e.decoded[i]));
  return maps;
}

void show(const TrainCommand& c, const Translator& t, const Evaluation& e, const Corpus& corpus,
          Console& console) {
  console.say("\ntranslations of the test set");
  console.write(translations_text(e, corpus.sets.test, t.text));
  console.write(evaluation_text(e));
  const auto maps = some_maps(e, corpus.sets.test);
  if (maps.empty()) return;
  console.say("\nattention of one sentence: a row says where the decoder looked for that word");
  console.write(attention_text(maps[0], terminal_options(console.terminal())));
  write_file(c.out + "/attention.html", attention_page(maps, corpus.name));
  std::string lines;
  for (const auto& map : maps) lines += attention_json(map, corpus.name) + "\n";
  write_file(c.out + "/attention.jsonl", lines);
}

int run(TrainCommand& c) {
  const auto start = std::chrono::steady_clock::now();
  require(c.score == "none" || score_named(c.score),
          "train: unknown --score '{}'; known: additive, dot, scaled_dot, general, none", c.score);
  Console console(c.json);
  const Preset preset = preset_for(c.source->task);
  c.training.epochs = c.epochs.value_or(preset.epochs);
  c.training.batch_tokens = c.batch_tokens.value_or(preset.batch_tokens);
  c.training.rate = c.rate.value_or(preset.rate);
  c.training.seed = c.source->seed;
  require_writable(c.out);

  console.say("seed {}, threads {}", c.training.seed, c.training.threads);
  const Corpus corpus = load_corpus(*c.source);
  for (const std::string& note : corpus.notes) console.say("{}", note);
  console.say("data: {}: {} training, {} validation, {} test pairs", corpus.name,
              corpus.sets.train.size(), corpus.sets.dev.size(), corpus.sets.test.size());
  Translator t = make_translator(c, corpus, console);
  console.say("model: {} parameters ({} attention)", parameter_count(t.network), c.score);

  std::ofstream log(c.out + "/log.jsonl", std::ios::binary);
  if (!log) fail_file(c.out + "/log.jsonl", "cannot write it");
  TrainingWatcher watcher;
  watcher.progress = [&](const TrainingProgress& p) { console.progress(p); };
  watcher.epoch = [&](const EpochReport& r) {
    const double spent =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto done = static_cast<double>(r.epoch);
    console.epoch(r, c.training.epochs,
                  spent / done * static_cast<double>(c.training.epochs - r.epoch));
    log << r.json().dump() << "\n" << std::flush;
  };
  const auto reports = train(t, corpus.sets.train, corpus.sets.dev, c.training, watcher);
  save_translator(c.out, t);

  const Evaluation e = evaluate(t, corpus.sets.test, corpus.sets.train);
  show(c, t, e, corpus, console);
  const Verdict verdict = judge(e, corpus.sets.test, preset.goals);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  console.say("\nmodel {}\nlog   {}/log.jsonl", c.out, c.out);
  if (t.network.options.attention) console.say("page  {}/attention.html", c.out);
  console.say("{}: {}, in {} ({} parameters, seed {})", verdict.met ? "PASS" : "FAIL", verdict.text,
              clock_text(seconds), parameter_count(t.network), c.training.seed);
  Json j{{"task", corpus.name},           {"seed", c.training.seed},
         {"threads", c.training.threads}, {"seconds", seconds},
         {"epochs", reports.size()},      {"parameters", parameter_count(t.network)},
         {"goals_met", verdict.met}};
  j.update(evaluation_json(e));
  if (c.json) print_json(j);
  return verdict.met ? 0 : 1;
}

}  // namespace

Run add_train(CLI::App& app) {
  auto c = std::make_shared<TrainCommand>();
  CLI::App& sub = *app.add_subcommand("train", "Train a translator and show what it learned");
  c->source = add_source_options(sub, true);
  sub.add_option("-o,--out", c->out, "Directory for model, log and page")->capture_default_str();
  sub.add_option("--epochs", c->epochs, "Passes over the data (default: the task's, or 12)")
      ->check(CLI::PositiveNumber);
  sub.add_option("--batch-tokens", c->batch_tokens, "Bound on padded tokens of a batch, each side")
      ->check(CLI::PositiveNumber);
  sub.add_option("--rate", c->rate, "Learning rate")->check(CLI::PositiveNumber);
  sub.add_option("--schedule", c->training.schedule, "Of the rate")
      ->check(CLI::IsMember({"constant", "cosine", "inverse-sqrt", "plateau", "step"}))
      ->capture_default_str();
  sub.add_option("--optimiser", c->training.optimiser)
      ->check(CLI::IsMember({"adam", "adamw", "rmsprop", "sgd"}))
      ->capture_default_str();
  sub.add_option("--clip", c->training.clip, "Largest norm of the gradient")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub.add_option("--label-smoothing", c->training.label_smoothing)
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  sub.add_option("--forcing", c->training.forcing,
                 "Teacher-forcing ratio: how often the decoder is fed the gold word")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub.add_option("--patience", c->training.patience,
                 "Stop after so many epochs without a better validation loss (0: never)")
      ->check(CLI::NonNegativeNumber);
  sub.add_option("--embedding", c->network.embedding, "Size of word vectors")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub.add_option("--encoder-hidden", c->network.encoder_hidden, "Encoder units per direction")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub.add_option("--decoder-hidden", c->network.decoder_hidden, "Decoder units")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub.add_option("--readout", c->network.readout,
                 "Units of a layer between the decoder and the output (0: none)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  sub.add_flag("--tied", c->network.tied,
               "Output weights are the target embedding; needs --readout as wide as it");
  sub.add_option("--score", c->score, "Attention: additive, dot, scaled_dot, general, none")
      ->capture_default_str();
  sub.add_option("--dropout", c->network.dropout)
      ->check(CLI::Range(0.0, 0.95))
      ->capture_default_str();
  sub.add_option("--min-count", c->vocabulary.min_count, "Rarer words become <unk>")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub.add_option("--max-vocabulary", c->vocabulary.max_size, "Largest vocabulary (0: no limit)");
  c->training.threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 2);
  sub.add_option("--threads", c->training.threads, "Shards of every batch, one thread each")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  sub.add_flag("--check-numerics", c->training.check_numerics,
               "Stop at the first operation that makes a NaN or an infinity");
  sub.add_flag("--json", c->json,
               "Standard output is one JSON object; text goes to standard error");
  return [c] { return run(*c); };
}

}  // namespace heed::translate
