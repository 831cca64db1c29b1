// translate train: data -> vocabulary -> training -> model directory -> what it is worth.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/version.h"
#include "examples/translate/commands.h"
#include "examples/translate/console.h"
#include "examples/translate/evaluation.h"
#include "examples/translate/network_flags.h"
#include "examples/translate/setup.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

struct TrainCommand {
  std::shared_ptr<SourceOptions> source;
  std::string out = "model";
  TrainingOptions training;
  std::shared_ptr<NetworkFlags> network;
  VocabularyOptions vocabulary;
  std::string forcing_schedule = "constant";
  bool json = false;
  // Set by the user, or by the task's preset.
  std::optional<int64_t> epochs, batch_tokens;
  std::optional<double> rate, label_smoothing;
  std::optional<int64_t> warmup;
  std::optional<std::string> keep;
};

Json about_of(const TrainCommand& c, const Corpus& corpus) {
  const TrainingOptions& t = c.training;
  return {{"task", corpus.name},
          {"seed", t.seed},
          {"epochs", t.epochs},
          {"batch_tokens", t.batch_tokens},
          {"optimiser", t.optimiser},
          {"rate", t.rate},
          {"schedule", t.schedule},
          {"warmup", t.warmup},
          {"clip", t.clip},
          {"label_smoothing", t.label_smoothing},
          {"forcing", t.forcing},
          {"forcing_schedule", name_of(t.forcing_schedule)},
          {"soft_epochs", t.soft_epochs},
          {"keep", t.keep},
          {"threads", t.threads},
          {"size", corpus.sets.train.size()},
          {"swap", c.source->data.swap}};
}

// One line an epoch. It grows as log.jsonl.part and gets its name when the model is there, so that
// a run that fails leaves the log of the model before it.
class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)), out_(part(), std::ios::binary) {
    if (!out_) fail_file(path_, "cannot be written");
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() { std::remove(part().c_str()); }
  void add(const std::string& line) { out_ << line << "\n" << std::flush; }
  void finish() {
    out_.close();
    if (!out_ || std::rename(part().c_str(), path_.c_str()) != 0)
      fail_file(path_, "cannot be written; is the disk full, or a folder in its place?");
  }

 private:
  [[nodiscard]] std::string part() const { return path_ + ".part"; }
  std::string path_;
  std::ofstream out_;
};

// Three sentences whose attention is worth a look: the first ones of moderate length, or of any.
std::vector<AttentionMap> some_maps(const Evaluation& e, std::span<const Example> pairs) {
  std::vector<AttentionMap> maps;
  for (const auto& [least, most] : {std::pair<size_t, size_t>{5, 12}, {1, 4}, {13, 40}})
    for (size_t i = 0; i < pairs.size() && maps.size() < 3; ++i)
      if (const auto& source = pairs[i].src;
          source.size() >= least && source.size() <= most && !e.decoded[i].weights.empty())
        maps.push_back(attention_map(source, e.decoded[i]));
  return maps;
}

// Says whether there was attention to write down.
bool show(const TrainCommand& c, const Translator& t, const Evaluation& e, const Corpus& corpus,
          Console& console) {
  console.say("\ntranslations of the test set");
  console.write(translations_text(e, corpus.sets.test, t.text));
  console.write(evaluation_text(e));
  const auto maps = some_maps(e, corpus.sets.test);
  if (maps.empty()) return false;
  console.say("\nattention of one sentence: a row says where the decoder looked for that word");
  console.write(attention_text(maps[0], console.terminal()));
  write_file(c.out + "/attention.html", attention_page(maps, corpus.name));
  std::string lines;
  for (const auto& map : maps) lines += attention_json(map, corpus.name) + "\n";
  write_file(c.out + "/attention.jsonl", lines);
  return true;
}

// What was not asked for is as the task's preset has it.
void settle(TrainCommand& c, const Preset& preset) {
  c.training.epochs = c.epochs.value_or(preset.epochs);
  c.training.batch_tokens = c.batch_tokens.value_or(preset.batch_tokens);
  c.training.rate = c.rate.value_or(preset.rate);
  c.training.label_smoothing = c.label_smoothing.value_or(preset.label_smoothing);
  c.training.warmup = c.warmup.value_or(preset.warmup);
  c.training.keep = c.keep.value_or(std::string(preset.keep));
  c.training.forcing_schedule = forcing_named(c.forcing_schedule).value();
  require(c.training.soft_epochs == 0 ||
              (c.network->hard != "none" && c.training.soft_epochs < c.training.epochs),
          "train: --soft-epochs are those before --hard begins: expected --hard and fewer than the "
          "{} epochs, got {}",
          c.training.epochs, c.training.soft_epochs);
  require(c.network->model == "rnn" || c.training.forcing == 1,
          "train: --forcing below 1 is for --model rnn: the transformer computes all target steps "
          "at once, from gold words");
  c.training.seed = c.source->seed;
}

int run(TrainCommand& c) {
  const auto start = std::chrono::steady_clock::now();
  Console console(c.json);
  const bool transformer = c.network->model == "transformer";
  const Preset preset = preset_for(c.source->task, transformer);
  const NetworkOptions network = options_of(*c.network, preset.dropout);
  settle(c, preset);
  const OutputFolder folder(c.out);

  console.say("seed {}, threads {}", c.training.seed, c.training.threads);
  const Corpus corpus = load_corpus(*c.source);
  for (const std::string& note : corpus.notes) console.say("{}", note);
  console.say("data: {}: {} training, {} validation, {} test pairs", corpus.name,
              corpus.sets.train.size(), corpus.sets.dev.size(), corpus.sets.test.size());
  Translator t = make_translator(corpus, network, c.vocabulary, c.training.seed);
  t.about = about_of(c, corpus);
  console.say("{}", vocabulary_text(t, corpus));
  console.say("model: {} parameters ({})", parameter_count(t.network), describe(network));

  LogFile log(c.out + "/log.jsonl");
  TrainingWatcher watcher;
  watcher.progress = [&](const TrainingProgress& p) { console.progress(p); };
  watcher.epoch = [&](const EpochReport& r) {
    const double spent =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto done = static_cast<double>(r.epoch);
    console.epoch(r, c.training.epochs,
                  spent / done * static_cast<double>(c.training.epochs - r.epoch));
    log.add(r.json().dump());
  };
  const auto reports = train(t, corpus.sets.train, corpus.sets.dev, c.training, watcher);
  const auto kept = std::find_if(reports.rbegin(), reports.rend(), [](auto& r) { return r.kept; });
  console.say("kept: the weights of epoch {}, the {} (--keep {})", kept->epoch,
              c.training.keep == "best" ? "best by validation loss" : "last", c.training.keep);
  save_translator(c.out, t);
  log.finish();

  const Evaluation e = evaluate(t, corpus.sets.test, corpus.sets.train, c.training.threads);
  const bool page = show(c, t, e, corpus, console);
  const Verdict verdict = judge(e, corpus.sets.test, preset.goals);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  console.say("\nmodel {}\nlog   {}/log.jsonl", c.out, c.out);
  if (page) console.say("page  {}/attention.html", c.out);
  console.say("{}, in {} ({} parameters, seed {})", verdict.text, clock_text(seconds),
              parameter_count(t.network), c.training.seed);
  Json j{{"task", corpus.name},
         {"seed", c.training.seed},
         {"threads", c.training.threads},
         {"seconds", seconds},
         {"epochs", reports.size()},
         {"kept_epoch", kept->epoch},
         {"parameters", parameter_count(t.network)},
         {"goals_met", verdict.met}};
  j.update(evaluation_json(e));
  if (c.json) print_json(j);
  return verdict.met ? 0 : 1;
}

}  // namespace

Run add_train(CommandLine& program) {
  auto c = std::make_shared<TrainCommand>();
  CommandLine sub = program.add_command("train", "Train a translator and show what it learned");
  c->source = add_source_options(sub, true);
  c->network = add_network_flags(sub);
  const auto option = [&sub](const char* name, auto& value, const char* text) {
    return sub.add_option(name, value, text).show_default();
  };
  TrainingOptions& t = c->training;
  option("-o,--out", c->out, "Folder for model, log and page");
  sub.add_option("--epochs", c->epochs, "Passes over the data (without: the task's, 12)")
      .between(1, 1e6);
  sub.add_option("--batch-tokens", c->batch_tokens, "Most padded tokens of a batch, each side")
      .between(1, 1e6);
  sub.add_option("--rate", c->rate, "Learning rate").between(0, 1e38);
  option("--schedule", t.schedule, "constant, cosine, inverse-sqrt, plateau, step")
      .one_of({"constant", "cosine", "inverse-sqrt", "plateau", "step"});
  sub.add_option("--warmup", c->warmup, "Steps until the rate is reached").between(0, 1e6);
  option("--optimiser", t.optimiser, "adam, adamw, rmsprop, sgd")
      .one_of({"adam", "adamw", "rmsprop", "sgd"});
  option("--clip", t.clip, "Largest norm of the gradient").between(1e-6, 1e38);
  sub.add_option("--label-smoothing", c->label_smoothing, "Probability spread over all words")
      .between(0, 0.99);
  option("--forcing", t.forcing, "How often the decoder is fed the gold word").between(0, 1);
  option("--forcing-schedule", c->forcing_schedule,
         "constant, linear, exponential, inverse-sigmoid")
      .one_of({"constant", "linear", "exponential", "inverse-sigmoid"});
  option("--soft-epochs", t.soft_epochs, "Epochs in which --hard is trained as soft")
      .between(0, 1e6);
  option("--patience", t.patience, "Stop after N epochs without progress (0: never)")
      .between(0, 1e6);
  sub.add_option(
         "--keep", c->keep,
         "Whose weights stay: best (by validation\nloss) or last (without: the task's, best)")
      .one_of({"best", "last"});
  option("--min-count", c->vocabulary.min_count, "Rarer words become <unk>").between(1, 1e9);
  option("--max-vocabulary", c->vocabulary.max_size, "Most words of a side (0: no limit)")
      .between(0, 1e7);
  t.threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 2);
  option("--threads", t.threads, "Shards of every batch, one thread each").between(1, 256);
  sub.add_flag("--check-numerics", t.check_numerics,
               "Name the first op that makes NaN or infinity");
  sub.add_flag("--json", c->json, "Print one JSON object; text goes to standard error");
  return [c] { return run(*c); };
}

}  // namespace heed::translate
