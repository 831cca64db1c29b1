#include "examples/translate/mechanisms.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kTrainedLength = 25;  // the longest source of the copy and reverse training sets

// AER of a Transformer's best layer.
std::pair<double, int64_t> best_layer(Translator& t, std::span<const Example> pairs) {
  auto& options = std::get<TransformerSeq2Seq>(t.network.kind).options;
  std::pair<double, int64_t> best{2, -1};
  for (int64_t layer = 0; layer < options.decoder_layers; ++layer) {
    options.weights_layer = layer;
    const double aer = score_alignment(attention_links(t, pairs, 0), pairs).aer();
    best = std::min(best, {aer, layer});
  }
  return best;
}

double exact_up_to(const Evaluation& e, std::span<const Example> pairs, int64_t length) {
  Rate rate;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (length > 0 && static_cast<int64_t>(pairs[i].src.size()) > length) continue;
    ++rate.total;
    rate.right += exact_match(e.decoded[i].tokens, pairs[i].tgt);
  }
  return rate.share();
}

std::string cell(const Json* r) {
  if (!r) return "";
  const bool aligned = !r->at("aer").is_null() && r->at("task") == "micro-en-fr";
  return fmt::format("{:.1f} / {:.1f}{} / {}{}", 100 * r->at("exact_match").get<double>(),
                     r->at("bleu").get<double>(),
                     aligned ? fmt::format(" / {:.3f}", r->at("aer").get<double>()) : "",
                     std::lround(r->at("cpu_seconds").get<double>()),
                     r->at("met").get<bool>() ? "" : " *");
}

}  // namespace

std::vector<Mechanism> mechanisms() {
  std::vector<Mechanism> all;
  const auto rnn = [&](std::string name, std::string about, double aer, auto change) {
    Seq2SeqOptions o{.source_vocabulary = 0, .target_vocabulary = 0};
    change(o);
    all.push_back({std::move(name), std::move(about), o, aer});
  };
  constexpr double kSoft = 0.10, kOther = 0.15, kNone = -1;
  rnn("additive", "Bahdanau's decoder, additive score", kSoft, [](auto&) {});
  for (const Score s : {Score::concat, Score::dot, Score::cosine})
    rnn(std::string(name_of(s)), fmt::format("the same, {} score", name_of(s)), kSoft,
        [&](auto& o) { o.score = s; });
  // Its state alone must know the place to look at, and 128 units do not hold that.
  rnn("location", "the same, location score, 256 decoder units", kNone,
      [](auto& o) { o.score = Score::location, o.decoder_hidden = 256; });
  // With Bahdanau's decoder, whose state has not read the word before, these align worse.
  for (const Score s : {Score::scaled_dot, Score::general})
    rnn(std::string(name_of(s)), fmt::format("Luong's decoder, GRU, {} score", name_of(s)), kSoft,
        [&](auto& o) { o.score = s, o.decoder = DecoderKind::luong; });
  rnn("lstm", "LSTM cells, additive score", kSoft, [](auto& o) { o.cell = Cell::lstm; });
  rnn("luong", "Luong's decoder, LSTM, general score", kSoft, [](auto& o) {
    o.cell = Cell::lstm, o.decoder = DecoderKind::luong, o.score = Score::general;
  });
  rnn("luong-feeding", "the same with input feeding", kSoft, [](auto& o) {
    o.cell = Cell::lstm, o.decoder = DecoderKind::luong, o.score = Score::general;
    o.input_feeding = true;
  });
  for (const Window w : {Window::local_m, Window::local_p})
    rnn(std::string(name_of(w)), fmt::format("additive score, {}, D = 10", name_of(w)), kNone,
        [&](auto& o) { o.window = w, o.reach = 10; });
  for (const Hard h : {Hard::straight_through, Hard::gumbel, Hard::reinforce})
    rnn(std::string(name_of(h)), fmt::format("additive score, hard by {}", name_of(h)), kOther,
        [&](auto& o) { o.hard = h, o.temperature = 0.5; });
  for (const bool pre : {false, true}) {
    TransformerOptions o{.source_vocabulary = 0, .target_vocabulary = 0};
    o.pre_norm = pre;
    all.push_back({pre ? "transformer-pre" : "transformer",
                   fmt::format("Transformer, {}-norm, 4 heads, 2 layers", pre ? "pre" : "post"), o,
                   kOther});
  }
  rnn("none", "no attention: the encoder's last state", kNone,
      [](auto& o) { o.attention = false; });
  return all;
}

Goals goals_of(const Mechanism& m, const std::string& task) {
  if (m.name == "none") return {};
  if (task == "copy") return {.exact = 0.99, .exact_length = kTrainedLength};
  if (task == "micro-en-fr") return {.exact = 0.95, .aer = m.aer};
  if (m.name == "local_m") return {};  // a diagonal window cannot reverse
  return {.exact = m.name == "local_p" ? 0.95 : 0.99, .exact_length = kTrainedLength};
}

namespace {

// Passes over the data: what learns more slowly gets more. Found by trying.
int64_t epochs_of(const Mechanism& m, const std::string& task) {
  static const std::map<std::pair<std::string, std::string>, int64_t> kTried{
      {{"dot", "micro-en-fr"}, 20},        {{"location", "micro-en-fr"}, 25},
      {{"general", "micro-en-fr"}, 16},    {{"scaled_dot", "micro-en-fr"}, 16},
      {{"gumbel", "reverse"}, 12},         {{"reinforce", "reverse"}, 12},
      {{"location", "reverse"}, 8},        {{"scaled_dot", "copy"}, 24},
      {{"straight_through", "copy"}, 16},  {{"transformer", "reverse"}, 10},
      {{"transformer-pre", "reverse"}, 10}};
  if (const auto it = kTried.find({m.name, task}); it != kTried.end()) return it->second;
  bool slow = true, slow_language = true;
  if (const auto* rnn = std::get_if<Seq2SeqOptions>(&m.network)) {
    const bool plain =
        rnn->cell == Cell::gru && (rnn->score == Score::additive || rnn->score == Score::dot);
    const bool in_order = rnn->score == Score::location || rnn->decoder == DecoderKind::luong;
    slow_language = rnn->hard != Hard::none || rnn->window != Window::global;
    slow = slow_language || !(plain || rnn->input_feeding || (in_order && task == "copy"));
  }
  if (task == "copy") return slow ? 10 : 4;
  if (task == "reverse") return slow ? 6 : 3;
  return slow_language ? 16 : 11;
}

}  // namespace

TrainingOptions training_of(const Mechanism& m, const std::string& task) {
  const Preset preset = preset_for(task, std::holds_alternative<TransformerOptions>(m.network));
  const auto* rnn = std::get_if<Seq2SeqOptions>(&m.network);
  TrainingOptions o;
  o.epochs = epochs_of(m, task);
  if (rnn && rnn->hard != Hard::none)  // soft until it knows something
    o.soft_epochs = task == "reverse" ? 2 : o.epochs / 2;
  o.batch_tokens = preset.batch_tokens;
  o.rate = preset.rate;
  o.label_smoothing = preset.label_smoothing;
  o.warmup = preset.warmup;
  o.keep = preset.keep;
  return o;
}

Json measure(const Mechanism& m, const std::string& task, const TrainingOptions& training,
             const Corpus& corpus) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu_start = std::clock();  // of all threads: does not depend on other programs
  NetworkOptions network = m.network;
  const bool transformer = std::holds_alternative<TransformerOptions>(network);
  std::visit([&](auto& o) { o.dropout = preset_for(task, transformer).dropout; }, network);
  Translator t = make_translator(corpus, network, {}, training.seed);
  train(t, corpus.sets.train, corpus.sets.dev, training);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  const auto& pairs = corpus.sets.test;
  const Evaluation e = evaluate(t, pairs, corpus.sets.train, training.threads);
  const Goals goals = goals_of(m, task);
  const double exact = exact_up_to(e, pairs, task == "micro-en-fr" ? 0 : kTrainedLength);
  Json r{{"mechanism", m.name},
         {"about", m.about},
         {"task", task},
         {"exact_match", exact},
         {"bleu", e.bleu.score},
         {"aer", nullptr},
         {"aer_layer", nullptr},
         {"ibm1_aer", nullptr},
         {"diagonal_aer", nullptr},
         {"seconds", seconds},
         {"cpu_seconds", cpu},
         {"epochs", training.epochs},
         {"keep", training.keep},
         {"pairs", corpus.sets.train.size()},
         {"threads", training.threads},
         {"seed", training.seed},
         {"parameters", parameter_count(t.network)},
         {"exact_match_bar", nullptr},
         {"aer_bar", nullptr}};
  double aer = -1;
  if (e.alignment) {
    aer = e.alignment->offset0.aer();
    r["ibm1_aer"] = e.alignment->ibm1.aer();
    r["diagonal_aer"] = e.alignment->diagonal.aer();
    if (kind_of(t.network) == "transformer") {
      const auto [best, layer] = best_layer(t, pairs);
      aer = best;
      r["aer_layer"] = layer;
    }
    r["aer"] = aer;
  }
  if (goals.exact >= 0) r["exact_match_bar"] = goals.exact;
  if (goals.aer >= 0) r["aer_bar"] = goals.aer;
  r["met"] = exact >= goals.exact && (goals.aer < 0 || aer <= goals.aer);
  return r;
}

std::string mechanisms_table(const std::vector<Json>& results) {
  const auto find = [&](const std::string& name, const std::string& task) -> const Json* {
    for (const Json& r : results)
      if (r.at("mechanism") == name && r.at("task") == task) return &r;
    return nullptr;
  };
  std::string text =
      "Exact match in % / BLEU / (micro en-fr) AER / CPU seconds of training.\n\n"
      "| mechanism | | parameters | copy | reverse | micro en-fr |\n|---|---|---|---|---|---|\n";
  bool missed = false;
  for (const Mechanism& m : mechanisms()) {
    std::vector<const Json*> row;
    for (const char* task : kMechanismTasks) row.push_back(find(m.name, task));
    const auto any = std::find_if(row.begin(), row.end(), [](auto* r) { return r; });
    if (any == row.end()) continue;
    const Json& last = *(row[2] ? row[2] : *any);
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} |\n", m.name, m.about,
                    last.at("parameters").get<int64_t>(), cell(row[0]), cell(row[1]), cell(row[2]));
    for (const Json* r : row) missed = missed || (r && !r->at("met").get<bool>());
  }
  if (missed) text += "\n\\* misses its bar.\n";
  if (const Json* r = find("additive", "micro-en-fr"); r && !r->at("ibm1_aer").is_null())
    text += fmt::format(
        "\nAER of aligners that read no network: IBM Model 1 {:.3f}, diagonal {:.3f}.\n",
        r->at("ibm1_aer").get<double>(), r->at("diagonal_aer").get<double>());
  return text;
}

}  // namespace heed::translate
