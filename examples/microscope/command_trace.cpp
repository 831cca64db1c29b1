// microscope trace | rerun: what makes traces.
#include <fmt/format.h>

#include <functional>
#include <iostream>
#include <memory>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/case.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/decompose.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/recipe.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/schema.h"
#include "examples/translate/console.h"

namespace heed::microscope {
namespace {

struct TraceCommand {
  std::string file, output, src, tgt, model, mech = "additive", dtype, title;
  std::vector<std::string> decompose;
  PairOptions pair;
  int64_t beam = 0, hypothesis = 1;  // of --model
  // An option that was given and is for fresh networks, or for sentences; "" if there is none.
  std::function<std::string()> of_pair, of_sentence;
  int64_t sample = 0;
  bool unidirectional = false, json = false;
};

int write(Trace t, const std::string& output, bool json, int64_t sample = 0) {
  t.diags = diags_of(t);
  if (sample > 0) take_samples(t, sample);
  save(output, t);
  const size_t ops = t.ops.size(), contribs = t.contribs.size(), tensors = t.tensors.size();
  if (json)
    std::cout
        << Json({{"trace", output}, {"ops", ops}, {"tensors", tensors}, {"contribs", contribs}})
        << "\n";
  else if (output != "/dev/stdout")
    std::cout << fmt::format("{}: {} ops, {} tensors, {} contributions\n", output, ops, tensors,
                             contribs);
  return 0;
}

Trace of_case(const TraceCommand& c) {
  const std::string other = c.of_pair().empty() ? c.of_sentence() : c.of_pair();
  require(other.empty(), "trace: {} is for sentences, and --case brings all of its own in its file",
          other);
  constexpr uint64_t kMostCase = 1'000'000;  // bytes
  const Json file = parse_json(read_file(c.file, kMostCase), c.file);
  check_case(file, c.file);
  return record_case(file, {c.decompose.begin(), c.decompose.end()});
}

Trace of_model(const TraceCommand& c) {
  require(c.of_pair().empty(), "trace: {} is for a fresh network, and --model brings its own",
          c.of_pair());
  const translate::Translator model = translate::load_translator(c.model);
  ModelOptions o{.directory = c.model, .src = words_of(model, c.src), .tgt = {}};
  if (!c.tgt.empty()) o.tgt = target_words_of(model, c.tgt);
  translate::UnknownWords().tell("--src", model.source, o.src);
  translate::UnknownWords().tell("--tgt", model.target, o.tgt);
  o.beam = c.beam;
  o.hypothesis = c.hypothesis;
  o.label_smoothing = c.pair.label_smoothing;
  o.dtype = c.dtype == "f64" ? f64 : f32;
  return record_model(o);
}

Trace of_pair(const TraceCommand& c) {
  PairOptions o = c.pair;
  o.bidirectional = !c.unidirectional;
  o.mech = c.mech;
  if (o.enc == "rnn") o.enc = "tanh";
  o.dtype = c.dtype == "f32" ? f32 : f64;
  o.src = words_of(c.src, "--src");
  o.tgt = words_of(c.tgt, "--tgt");
  try {
    // Bounds are checked where those of files are.
    return record_pair(pair_from(to_json(o), "trace", "options"));
  } catch (const FileError& e) {
    throw std::invalid_argument(e.what());
  }
}

int trace(const TraceCommand& c) {
  const bool pair = !c.src.empty();
  require(c.file.empty() != (c.model.empty() && !pair),
          "trace: expected --case FILE, or --src with a fresh network or --model DIR");
  require(pair || c.model.empty(), "trace: --model needs a sentence, --src");
  require(c.beam == 0 || !c.file.empty() || (!c.model.empty() && c.tgt.empty()),
          "trace: --beam looks for what a --model says, so no --tgt goes with it");
  require(c.hypothesis == 1 || c.beam > 0 || !c.file.empty(),
          "trace: --hypothesis is one of a --beam");
  require(!pair || !c.model.empty() || !c.tgt.empty(), "trace: a fresh network needs --tgt too");
  Trace t = !c.file.empty() ? of_case(c) : !c.model.empty() ? of_model(c) : of_pair(c);
  if (c.file.empty() && !c.decompose.empty())
    t = decomposed(t, {c.decompose.begin(), c.decompose.end()});
  if (!c.title.empty()) t.meta["title"] = c.title;
  return write(std::move(t), c.output, c.json, c.sample);
}

struct RerunCommand {
  std::string file, output;
  std::vector<std::string> set;
  bool json = false;
};

int rerun(const RerunCommand& c) {
  const Trace before = load_trace(c.file);
  return write(rerun(before, c.set, c.file), c.output, c.json, sample_limit(before.run));
}

}  // namespace

Run add_trace(CommandLine& program) {
  const auto c = std::make_shared<TraceCommand>();
  CommandLine sub = program.add_command("trace", "Records a forward and a backward pass");
  sub.add_option("--case", c->file,
                 "A mechanism on given numbers: a JSON file, as in examples/microscope/cases");
  sub.add_option("--src", c->src, "A source sentence");
  std::vector<Option> of_sentence;
  const auto told = [&](const Option& o) { of_sentence.push_back(o); };
  told(
      sub.add_option("--tgt", c->tgt, "Its translation (--model: default is what the model says)"));
  sub.add_option("--model", c->model, "A directory made by translate train");
  told(sub.add_option("--beam", c->beam, "--model: keep a beam search of so many sentences")
           .between(1, 100));
  told(sub.add_option("--hypothesis", c->hypothesis,
                      "Which of its sentences is differentiated; 1 is the best")
           .between(1, 100)
           .show_default());
  PairOptions& p = c->pair;
  std::vector<Option> of_pair;
  const auto fresh = [&](const Option& o) { of_pair.push_back(o); };
  fresh(sub.add_option("--mech", c->mech,
                       "additive, dot, scaled_dot, general, concat, cosine, location, local_m, "
                       "local_p, none; multi_head: a Transformer")
            .show_default());
  fresh(sub.add_option("--score", p.score, "Of local_m and local_p").show_default());
  fresh(sub.add_option("--hard", p.hard, "none, argmax, reinforce, straight_through, gumbel")
            .show_default());
  fresh(sub.add_option("--enc", p.enc, "gru, lstm or rnn, on both sides").show_default());
  fresh(sub.add_option("--decoder", p.decoder, "bahdanau or luong").show_default());
  fresh(sub.add_option("--bridge", p.bridge, "learned, last or zero").show_default());
  fresh(sub.add_flag("--unidirectional", c->unidirectional, "An encoder from left to right only"));
  fresh(sub.add_flag("--input-feeding", p.input_feeding, "Of luong"));
  fresh(sub.add_flag("--pre-norm", p.pre_norm, "multi_head: norms before the sublayers"));
  fresh(sub.add_option("--reach", p.reach, "Of local_m and local_p: D").show_default());
  fresh(sub.add_option("--layers", p.layers, "On both sides").show_default());
  fresh(sub.add_option("-d,--size", p.d, "Of words, states and keys").show_default());
  fresh(sub.add_option("--heads", p.heads, "multi_head").show_default());
  fresh(sub.add_option("--ff", p.ff, "multi_head: feed-forward units").show_default());
  fresh(sub.add_option("--temperature", p.temperature, "Of gumbel").show_default());
  fresh(sub.add_option("--mode", p.mode, "teacher_forcing or free_running").show_default());
  fresh(sub.add_option("--pad", p.pad, "Padding behind the source").show_default());
  fresh(sub.add_option("--seed", p.seed, "Of the first weights and of draws").show_default());
  told(sub.add_option("--ls", p.label_smoothing, "Label smoothing").show_default());
  told(sub.add_option("--dtype", c->dtype,
                      "f64 or f32 (without: f64; --model: f32, as it was trained)")
           .one_of({"f32", "f64"}));
  sub.add_option("--decompose", c->decompose,
                 "Fused ops to run as small ones: softmax, additive_score, unit; of sentences also "
                 "linear, layer_norm, rnn_sequence, gru_sequence, lstm_sequence")
      .delimiter(',');
  sub.add_option("--sample", c->sample,
                 "Of tensors of more numbers than this: statistics and 256 numbers")
      .between(kSampleSize, 1e9);
  sub.add_option("--title", c->title, "What the trace shows");
  sub.add_option("-o,--out,--output", c->output, "The trace to write").required();
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  const auto given = [](const std::vector<Option>& all) {
    for (const Option& o : all)
      if (o.count() > 0) return o.name();
    return std::string();
  };
  c->of_pair = [=] { return given(of_pair); };
  c->of_sentence = [=] { return given(of_sentence); };
  return [c] { return trace(*c); };
}

Run add_rerun(CommandLine& program) {
  const auto c = std::make_shared<RerunCommand>();
  CommandLine sub = program.add_command("rerun", "Computes a trace again with other numbers");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_option("--set", c->set, "W[0,1]=0.3 a number; src[1]=chat a word; may be repeated")
      .required()
      .go_on();
  sub.add_option("-o,--out,--output", c->output, "The trace to write").required();
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return rerun(*c); };
}

}  // namespace heed::microscope
