#include "examples/microscope/pair.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/case.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/views.h"
#include "examples/translate/decode.h"

namespace heed::microscope {
namespace {

using translate::kBos, translate::kEos, translate::kPad, translate::kSpecials;

constexpr size_t kMostWords = 200;

// ---- a fresh network ----

// Row i of `weight` belongs to word i and is drawn from a stream of that word's own: another word
// in the sentence changes no other row.
Tensor by_word(const Tensor& like, int64_t rows, const std::vector<std::string>& words,
               double bound, bool normal, const Rng& rng) {
  const int64_t width = like.rank() == 2 ? like.shape()[1] : 1;
  Tensor all = Tensor::empty(like.rank() == 2 ? Shape{rows, width} : Shape{rows});
  float* to = all.mutable_data<float>();
  for (int64_t i = 0; i < rows; ++i) {
    Rng own = rng.fork(words[static_cast<size_t>(i)]);
    for (int64_t j = 0; j < width; ++j)
      *to++ = static_cast<float>(normal ? bound * own.normal() : own.uniform(-bound, bound));
  }
  return leaf(all);
}

// The special words and those of a sentence, in the order in which they first occur.
struct Words {
  std::vector<std::string> all{"<pad>", "<unk>", "<s>", "</s>"};
  std::vector<int64_t> ids;
  explicit Words(const std::vector<std::string>& sentence) {
    for (const std::string& word : sentence) {
      const auto known = std::find(all.begin() + kSpecials, all.end(), word);
      ids.push_back(known - all.begin());
      if (known == all.end()) all.push_back(word);
    }
  }
  int64_t count() const { return static_cast<int64_t>(all.size()); }
};

// Vocabularies of any size get the same first values: what is drawn for the whole network does not
// depend on them, and their tables are drawn word by word.
template <class Network>
void give_words(Network& n, const Words& src, const Words& tgt, double deviation, const Rng& rng) {
  n.options.source_vocabulary = src.count();
  n.options.target_vocabulary = tgt.count();
  n.source.weight =
      by_word(n.source.weight, src.count(), src.all, deviation, true, rng.fork("source"));
  n.target.weight =
      by_word(n.target.weight, tgt.count(), tgt.all, deviation, true, rng.fork("target"));
  const double bound = 1 / std::sqrt(static_cast<double>(n.output.weight.shape()[1]));
  n.output.weight =
      by_word(n.output.weight, tgt.count(), tgt.all, bound, false, rng.fork("output"));
  n.output.bias = by_word(n.output.bias, tgt.count(), tgt.all, bound, false, rng.fork("bias"));
}

Seq2SeqOptions rnn_options(const PairOptions& o) {
  const bool local = o.mech == "local_m" || o.mech == "local_p";
  const auto longest = static_cast<int64_t>(std::max<size_t>(32, o.src.size() + 1));
  Seq2SeqOptions s{.source_vocabulary = 1,
                   .target_vocabulary = 1,
                   .embedding = o.d,
                   .encoder_hidden = o.bidirectional ? o.d / 2 : o.d,
                   .decoder_hidden = o.d};
  s.attention = o.mech != "none";
  if (s.attention) s.score = score_named(local ? o.score : o.mech).value();
  s.cell = cell_named(o.enc).value();
  s.decoder = decoder_named(o.decoder).value();
  s.bridge = bridge_named(o.bridge).value();
  s.input_feeding = o.input_feeding;
  s.encoder_layers = s.decoder_layers = o.layers;
  s.bidirectional = o.bidirectional;
  s.hard = hard_named(o.hard).value();
  s.temperature = o.temperature;
  if (local) s.window = window_named(o.mech).value(), s.reach = o.reach;
  if (s.attention && s.score == Score::location) s.longest = longest;
  return s;
}

translate::Network fresh(const PairOptions& o, const Words& src, const Words& tgt) {
  require(!o.bidirectional || o.d % 2 == 0,
          "pair: a bidirectional encoder needs an even d, half for each direction, got {}", o.d);
  const Rng seed(o.seed);
  Rng rng = seed.fork("network");
  translate::Network n;
  if (o.mech == "multi_head") {
    TransformerSeq2Seq t({.source_vocabulary = 1,
                          .target_vocabulary = 1,
                          .model = o.d,
                          .heads = o.heads,
                          .encoder_layers = o.layers,
                          .decoder_layers = o.layers,
                          .feed_forward = o.ff,
                          .pre_norm = o.pre_norm},
                         rng);
    give_words(t, src, tgt, 1 / std::sqrt(static_cast<double>(o.d)), seed);
    n.kind = std::move(t);
  } else {
    Seq2Seq s(rnn_options(o), rng);
    give_words(s, src, tgt, 1, seed);
    n.kind = std::move(s);
  }
  to(n, o.dtype);
  return n;
}

// ---- the run ----

// One sentence pair in ids, and what its columns and rows are called.
struct Sentence {
  std::vector<int64_t> source, read, said;  // with </s>, from <s> on, up to </s>
  std::vector<std::string> columns, rows, fed;
  int64_t pad = 0;
};

Sentence sentence_of(const std::vector<std::string>& src, const std::vector<int64_t>& src_ids,
                     const std::vector<std::string>& tgt, const std::vector<int64_t>& tgt_ids,
                     int64_t pad) {
  Sentence s{.source = src_ids,
             .read = {kBos},
             .said = tgt_ids,
             .columns = src,
             .rows = tgt,
             .fed = {"<s>"},
             .pad = pad};
  s.source.push_back(kEos), s.columns.emplace_back("</s>");
  s.source.insert(s.source.end(), static_cast<size_t>(pad), kPad);
  s.columns.insert(s.columns.end(), static_cast<size_t>(pad), "<pad>");
  s.read.insert(s.read.end(), tgt_ids.begin(), tgt_ids.end());
  s.fed.insert(s.fed.end(), tgt.begin(), tgt.end());
  s.said.push_back(kEos), s.rows.emplace_back("</s>");
  return s;
}

// The loss of each word, and their mean. Where positions are drawn and credited by REINFORCE, its
// terms are part of what is differentiated.
Tensor loss_of(const Seq2SeqOutput& out, const Tensor& said, double smoothing) {
  const Tensor each =
      named(cross_entropy(
                out.logits, said,
                {.ignore = kPad, .label_smoothing = smoothing, .reduction = Reduction::per_token}),
            "L_t");
  if (!out.log_probability.defined()) return named(mean(each), "L");
  const Tensor sentence = sum(each, {1});
  const Tensor terms = named(
      reinforce_terms(sentence, sum(out.log_probability, {1}), sum(out.entropy, {1}), 0), "R");
  return named(scale(sum(sentence + terms), 1 / static_cast<double>(said.numel())), "L");
}

Trace record(translate::Network& network, const Sentence& s, double smoothing,
             const Seq2SeqCall& call) {
  const auto n = static_cast<int64_t>(s.source.size()), t = static_cast<int64_t>(s.read.size());
  Seq2SeqBatch batch{.source = Tensor::ids(s.source, {1, n}),
                     .target_in = Tensor::ids(s.read, {1, t}),
                     .source_lengths = {n - s.pad}};
  Tape tape;
  Recording recording(tape);
  for (const NamedParameter& p : parameters(network)) tape.name(p.value, p.name);
  const Tensor loss =
      loss_of(translate::run(network, batch, call), Tensor::ids(s.said, {1, t}), smoothing);
  Trace trace = trace_of(recording.backward(loss));
  trace.run = {{"src", s.columns}, {"tgt", s.rows}, {"index_base", 0}};
  if (call.forcing == 1) trace.run["tgt_in"] = s.fed;
  trace.views = alignment_views(trace, s.columns, s.rows, s.fed);
  return trace;
}

std::vector<std::string> cut(const translate::Translator& model, const std::string& text,
                             translate::Tokeniser how) {
  const auto bad = find_invalid_utf8(text);
  require(!bad, "expected UTF-8, byte {} is none", bad ? bad->column : 0);
  std::vector<std::string> words =
      translate::tokenise(model.text.lowercase ? lowercase(text) : text, how);
  require(!words.empty() && words.size() <= kMostWords, "expected 1 to {} words, got {}",
          kMostWords, words.size());
  return words;
}

// ---- options as data ----

// Reads one field after the other; what is left over is refused.
struct Reader {
  const Json& j;
  std::string path, where;
  std::set<std::string> known{};

  template <class T>
  void read(const char* key, T& value) {
    known.insert(key);
    const auto it = j.find(key);
    if (it == j.end()) return;
    try {
      value = it->get<T>();
    } catch (const Json::exception&) {
      fail_file(path, "{}.{}: expected another kind of value, got {}", where, key,
                it->dump().substr(0, 60));
    }
  }
  void bounded(const char* key, int64_t& value, int64_t least, int64_t most) {
    read(key, value);
    if (value < least || value > most)
      fail_file(path, "{}.{}: expected {} to {}, got {}", where, key, least, most, value);
  }
  void one_of(const char* key, std::string& value, std::initializer_list<const char*> all) {
    read(key, value);
    std::string list;
    for (const char* word : all) {
      if (value == word) return;
      list += (list.empty() ? "" : ", ") + std::string(word);
    }
    fail_file(path, "{}.{}: expected one of {}, got '{}'", where, key, list,
              harmless(value.substr(0, 40)));
  }
  void words(const char* key, std::vector<std::string>& value) {
    read(key, value);
    if (value.size() > kMostWords)
      fail_file(path, "{}.{}: expected at most {} words, got {}", where, key, kMostWords,
                value.size());
  }
  void dtype(DType& value) {
    std::string name(name_of(value));
    one_of("dtype", name, {"f32", "f64"});
    value = name == "f32" ? f32 : f64;
  }
  void finish() const {
    for (const auto& [key, value] : j.items())
      if (!known.contains(key))
        fail_file(path, "{}: expected no field '{}'", where, harmless(key.substr(0, 40)));
  }
};

}  // namespace

Json to_json(const PairOptions& o) {
  return {{"mech", o.mech},
          {"score", o.score},
          {"hard", o.hard},
          {"enc", o.enc},
          {"decoder", o.decoder},
          {"bridge", o.bridge},
          {"bidirectional", o.bidirectional},
          {"input_feeding", o.input_feeding},
          {"pre_norm", o.pre_norm},
          {"reach", o.reach},
          {"layers", o.layers},
          {"d", o.d},
          {"heads", o.heads},
          {"ff", o.ff},
          {"temperature", o.temperature},
          {"label_smoothing", o.label_smoothing},
          {"mode", o.mode},
          {"pad", o.pad},
          {"src", o.src},
          {"tgt", o.tgt},
          {"seed", o.seed},
          {"dtype", std::string(name_of(o.dtype))}};
}

PairOptions pair_from(const Json& j, const std::string& path) {
  PairOptions o;
  Reader r{j, path, "run.pair"};
  r.one_of("mech", o.mech,
           {"additive", "dot", "scaled_dot", "general", "concat", "cosine", "location", "local_m",
            "local_p", "none", "multi_head"});
  r.one_of("score", o.score,
           {"additive", "dot", "scaled_dot", "general", "concat", "cosine", "location"});
  r.one_of("hard", o.hard, {"none", "argmax", "reinforce", "straight_through", "gumbel"});
  r.one_of("enc", o.enc, {"gru", "lstm", "tanh"});
  r.one_of("decoder", o.decoder, {"bahdanau", "luong"});
  r.one_of("bridge", o.bridge, {"zero", "last", "learned"});
  r.one_of("mode", o.mode, {"teacher_forcing", "free_running"});
  r.read("bidirectional", o.bidirectional);
  r.read("input_feeding", o.input_feeding);
  r.read("pre_norm", o.pre_norm);
  r.read("temperature", o.temperature);
  r.read("label_smoothing", o.label_smoothing);
  r.bounded("reach", o.reach, 1, 1000);
  r.bounded("layers", o.layers, 1, 16);
  r.bounded("d", o.d, 1, 512);
  r.bounded("heads", o.heads, 1, 64);
  r.bounded("ff", o.ff, 1, 4096);
  r.bounded("pad", o.pad, 0, 1000);
  r.words("src", o.src);
  r.words("tgt", o.tgt);
  r.read("seed", o.seed);
  r.dtype(o.dtype);
  r.finish();
  return o;
}

std::vector<std::string> words_of(const std::string& text, const char* side) {
  const auto bad = find_invalid_utf8(text);
  require(!bad, "{}: expected UTF-8, byte {} is none", side, bad ? bad->column : 0);
  std::vector<std::string> words = translate::tokenise(text, translate::Tokeniser::whitespace);
  require(!words.empty() && words.size() <= kMostWords, "{}: expected 1 to {} words, got {}", side,
          kMostWords, words.size());
  return words;
}

Trace record_pair(const PairOptions& o) {
  require(!o.src.empty() && !o.tgt.empty(), "pair: expected words on both sides");
  require(o.mech != "multi_head" || (o.mode == "teacher_forcing" && o.hard == "none"),
          "pair: a Transformer computes all target steps at once, softly and from gold words; "
          "expected mode teacher_forcing and hard none, got {} and {}",
          o.mode, o.hard);
  const Words src(o.src), tgt(o.tgt);
  translate::Network network = fresh(o, src, tgt);
  Rng coins = Rng(o.seed).fork("coins"), draws = Rng(o.seed).fork("attention");
  Seq2SeqCall call;
  if (o.mode == "free_running") call.forcing = 0, call.coins = &coins;
  if (o.hard != "none") call.attention = &draws;
  Trace t =
      record(network, sentence_of(o.src, src.ids, o.tgt, tgt.ids, o.pad), o.label_smoothing, call);
  t.meta = meta_of(o.dtype);
  t.run["pair"] = to_json(o);
  t.run["mode"] = o.mode;
  if (o.mech != "multi_head" && o.enc == "gru") t.run["gru_variant"] = "reset after the product";
  if (o.hard != "none") t.run["estimator"] = estimator_of(o.hard);
  return t;
}

// ---- a trained model ----

Json to_json(const ModelOptions& o) {
  return {{"directory", o.directory},
          {"src", o.src},
          {"tgt", o.tgt},
          {"label_smoothing", o.label_smoothing},
          {"dtype", std::string(name_of(o.dtype))}};
}

ModelOptions model_from(const Json& j, const std::string& path) {
  ModelOptions o;
  Reader r{j, path, "run.model"};
  r.read("directory", o.directory);
  r.words("src", o.src);
  r.words("tgt", o.tgt);
  r.read("label_smoothing", o.label_smoothing);
  r.dtype(o.dtype);
  r.finish();
  return o;
}

std::vector<std::string> words_of(const translate::Translator& model, const std::string& text) {
  return cut(model, text, model.text.source);
}
std::vector<std::string> target_words_of(const translate::Translator& model,
                                         const std::string& text) {
  return cut(model, text, model.text.target);
}

Trace record_model(const ModelOptions& asked) {
  ModelOptions o = asked;
  translate::Translator model = translate::load_translator(o.directory);
  require(!o.src.empty(), "model: expected a source sentence");
  if (o.tgt.empty()) {
    o.tgt = translate::decode_greedy(model, std::vector<translate::Tokens>{o.src})[0].tokens;
    require(!o.tgt.empty(), "model: it says nothing to this sentence; give a target with --tgt");
  }
  to(model.network, o.dtype);
  const auto known = [](const translate::Vocabulary& v, const std::vector<std::string>& words) {
    std::vector<std::string> read;
    for (const int64_t id : v.encode(words)) read.push_back(v.token(id));
    return read;
  };
  const translate::IdPair ids = model.encode(o.src, o.tgt);
  Trace t = record(
      model.network,
      sentence_of(known(model.source, o.src), ids.src, known(model.target, o.tgt), ids.tgt, 0),
      o.label_smoothing, {});
  t.meta = meta_of(o.dtype);
  t.run["model"] = to_json(o);
  t.run["mode"] =
      "teacher_forcing";  // also of words that the model said itself, once they are said
  return t;
}

}  // namespace heed::microscope
