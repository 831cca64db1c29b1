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

inline Seq2SeqOptions plain_options() {
  return {.source_vocabulary = kSourceWords, .target_vocabulary = kTargetWords};
}

/// Attention of every score, and none; a readout layer, with weights of its own and tied; every
/// cell, decoder, bridge and window.
inline std::vector<Seq2SeqOptions> variants() {
  std::vector<Seq2SeqOptions> all;
  const auto add = [&](auto change) {
    Seq2SeqOptions o = plain_options();
    change(o);
    all.push_back(o);
  };
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general,
                        Score::concat, Score::cosine, Score::location})
    add([&](auto& o) { o.score = s, o.longest = 20; });
  add([](auto& o) { o.attention = false; });
  add([](auto& o) { o.readout = 3; });
  add([](auto& o) { o.readout = kEmbedding, o.tied = true; });
  add([](auto& o) { o.cell = Cell::lstm; });
  add([](auto& o) { o.cell = Cell::tanh, o.bidirectional = false, o.bridge = Bridge::zero; });
  add([](auto& o) { o.decoder_layers = 2, o.residual = true; });
  add([](auto& o) { o.window = Window::local_p, o.reach = 2; });
  for (const bool feeding : {false, true}) {
    const auto luong = [&](auto change) {
      add([&](auto& o) {
        o.decoder = DecoderKind::luong, o.input_feeding = feeding;
        change(o);
      });
    };
    luong([](auto&) {});
    luong([](auto& o) { o.attention = false, o.readout = kEmbedding, o.tied = true; });
    luong([](auto& o) {
      o.cell = Cell::lstm, o.bridge = Bridge::last, o.score = Score::general;
      o.encoder_layers = o.decoder_layers = 2, o.residual = true;
    });
    luong([](auto& o) { o.window = Window::local_m, o.reach = 4; });
    luong([](auto& o) { o.window = Window::local_p, o.reach = 2, o.score = Score::dot; });
  }
  return all;
}
inline std::string label(const Seq2SeqOptions& o) {
  return fmt::format(
      "{} {}{} {}, {}+{} layers, bridge {}{}{}", name_of(o.decoder), name_of(o.cell),
      o.input_feeding ? " feeding" : "",
      o.attention ? fmt::format("{} {}", name_of(o.score), name_of(o.window)) : "no attention",
      o.encoder_layers, o.decoder_layers, name_of(o.bridge),
      o.readout > 0 ? fmt::format(", readout {}", o.readout) : "", o.tied ? ", tied" : "");
}
/// Whether the state must be as wide as what it is compared with, or copied from.
inline bool needs_equal_sizes(const Seq2SeqOptions& o) {
  return o.score == Score::dot || o.score == Score::scaled_dot || o.score == Score::cosine ||
         o.bridge == Bridge::last;
}

/// A small model in f64 whose scores, states and words all matter: weights several times larger
/// than at the beginning of training.
inline Seq2Seq small_model(Seq2SeqOptions o = plain_options(), uint64_t seed = 8) {
  o.embedding = kEmbedding;
  o.encoder_hidden = 4;
  o.decoder_hidden = needs_equal_sizes(o) ? 8 : 6;
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

/// Changes each word of the targets in turn: nothing before it may change, all after it must.
template <class Model>
void expect_causal(const Model& m, const std::string& name) {
  const std::vector<Example> all = examples(3, 35);
  const TestBatch batch = batch_of(all);
  const Tensor before = m(batch.in).logits;
  const int64_t steps = before.size(1);
  for (int64_t t = 0; t < steps; ++t) {
    Seq2SeqBatch changed = batch.in;
    std::vector<int64_t> ids = changed.target_in.to_ids();
    for (size_t b = 0; b < all.size(); ++b) {
      int64_t& id = ids[b * static_cast<size_t>(steps) + static_cast<size_t>(t)];
      id = (id + 1) % kTargetWords;
    }
    changed.target_in = Tensor::ids(ids, batch.in.target_in.shape());
    const Tensor after = m(changed).logits;
    EXPECT_EQ(slice(after, 1, 0, t).to_vector(), slice(before, 1, 0, t).to_vector())
        << name << ", step " << t;
    for (int64_t s = t; s < steps; ++s)
      EXPECT_NE(select(after, 1, s).to_vector(), select(before, 1, s).to_vector())
          << name << ", the word at " << t << " must matter at " << s;
  }
}

}  // namespace heed::test
