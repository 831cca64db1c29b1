#include "examples/microscope/pair.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/case.h"
#include "examples/microscope/sentence.h"
#include "examples/translate/text.h"

namespace heed::microscope {
namespace {

using translate::kSpecials;

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

}  // namespace

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

}  // namespace heed::microscope
