// Made-up sentences for the tests of Seq2Seq, and their batches.
#pragma once
#include "layers/seq2seq.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {

inline constexpr int64_t kSourceWords = 11, kTargetWords = 13, kEmbedding = 5, kStart = 1,
                         kIgnore = -100;

struct Example {
  std::vector<int64_t> source, target;
};

struct TestBatch {
  Seq2SeqBatch in;
  Tensor target_out;  // [B, T]; kIgnore in the padding
};

/// `count` sentences of unequal lengths, 1 to 9 words (sources also of length 0 with `empty`).
inline std::vector<Example> examples(size_t count, uint64_t seed, bool empty = false) {
  Rng rng(seed);
  std::vector<Example> all(count);
  for (Example& e : all) {
    e.source.resize(empty ? rng.below(10) : 1 + rng.below(9));
    e.target.resize(1 + rng.below(9));
    for (int64_t& w : e.source) w = static_cast<int64_t>(rng.below(kSourceWords));
    for (int64_t& w : e.target) w = static_cast<int64_t>(rng.below(kTargetWords));
  }
  return all;
}

/// These sentences as a batch. `extra` more steps of padding than needed, on both sides; the free
/// places of the ids hold `garbage`.
inline TestBatch batch_of(std::span<const Example> all, int64_t garbage = 0, size_t extra = 0) {
  size_t s = 0, t = 0;
  for (const Example& e : all) s = std::max(s, e.source.size()), t = std::max(t, e.target.size());
  s += extra, t += extra;
  std::vector<int64_t> source, in, out, lengths;
  const auto put = [](std::vector<int64_t>& to, std::vector<int64_t> words, size_t n,
                      int64_t free) {
    words.resize(n, free);
    to.insert(to.end(), words.begin(), words.end());
  };
  for (const Example& e : all) {
    lengths.push_back(static_cast<int64_t>(e.source.size()));
    put(source, e.source, s, garbage);
    std::vector<int64_t> shifted{kStart};
    shifted.insert(shifted.end(), e.target.begin(), e.target.end() - 1);
    put(in, shifted, t, garbage);
    put(out, e.target, t, kIgnore);
  }
  const auto b = static_cast<int64_t>(all.size());
  const auto ids = [&](const std::vector<int64_t>& v, size_t n) {
    return Tensor::ids(v, {b, static_cast<int64_t>(n)});
  };
  return {{ids(source, s), ids(in, t), lengths}, ids(out, t)};
}

/// Attention of every score, and none; a readout layer, with weights of its own and tied.
inline std::vector<Seq2SeqOptions> variants() {
  std::vector<Seq2SeqOptions> all;
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general}) {
    Seq2SeqOptions o{.source_vocabulary = 1, .target_vocabulary = 1};
    o.score = s;
    all.push_back(o);
  }
  all.resize(7, all[0]);
  all[4].attention = false;
  all[5].readout = 3;
  all[6].readout = kEmbedding;
  all[6].tied = true;
  return all;
}
inline std::string label(const Seq2SeqOptions& o) {
  return (o.attention ? std::string(name_of(o.score)) : "no attention") + (o.tied ? ", tied"
                                                                           : o.readout > 0
                                                                               ? ", readout"
                                                                               : "");
}

/// A small model in f64 whose scores, states and words all matter: weights several times larger
/// than at the beginning of training.
inline Seq2Seq small_model(Seq2SeqOptions o = {}, uint64_t seed = 8) {
  o.source_vocabulary = kSourceWords;
  o.target_vocabulary = kTargetWords;
  o.embedding = kEmbedding;
  o.encoder_hidden = 4;
  o.decoder_hidden = o.score == Score::dot || o.score == Score::scaled_dot ? 8 : 6;
  o.attention_width = 7;
  Rng rng(seed);
  Seq2Seq m(o, rng);
  to(m, f64);
  Visitor larger([](const std::string&, Tensor& p) { p = leaf(scale(p, 2)); });
  m.visit(larger);
  return m;
}

/// Summed negative log-likelihood of the batch's targets, in nats.
inline Tensor loss_of(const Seq2Seq& m, const TestBatch& b) {
  return cross_entropy(m(b.in).logits, b.target_out,
                       {.ignore = kIgnore, .reduction = Reduction::sum});
}

/// The loss and the gradients of all parameters, as plain numbers.
inline Pass loss_and_gradients(Seq2Seq& m, const TestBatch& b) {
  return pass(leaves_of(parameters(m)), [&] { return Tensors{loss_of(m, b)}; },
              {Tensor::scalar(1, f64)});
}

}  // namespace heed::test
