// The Transformer as a whole: its equations, what a sentence's numbers depend on, that it learns,
// and errors.
#include "optim/adam.h"
#include "tests/autograd/texts.h"
#include "tests/layers/transformer_examples.h"

namespace heed::test {
namespace {

// ---- the equations at the head of transformer_seq2seq.h ----

TEST(TransformerSeq2Seq, ComputesItsEquations) {
  const TestBatch batch = batch_of(examples(3, 47, true));
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const auto read = [&](const Embedding& words, const LearnedPositions& p, const Tensor& ids) {
      const int64_t t = ids.size(1);
      const Tensor pe =
          o.learned_positions > 0 ? slice(p.weight, 0, 0, t) : sinusoids(t, kModel, 0, f64);
      return scale(embedding(words.weight, ids), std::sqrt(6.0)) + pe;
    };
    const Mask mask = Mask::lengths(batch.in.source_lengths);
    const auto h = m.encoder(read(m.source, m.source_positions, batch.in.source), mask);
    const auto s = m.decoder(read(m.target, m.target_positions, batch.in.target_in),
                             m.decoder.memory(h.y, mask));
    const Tensor logits = linear(s.y, o.tied ? m.target.weight : m.output.weight, m.output.bias);
    const Seq2SeqOutput out = m(batch.in);
    expect_close(label(o), out.logits.to_vector(), logits.to_vector(), 1e-13);

    Tensor averaged = Tensor::zeros(out.weights.shape(), f64);
    const Tensor layer =
        s.cross_weights[o.weights_layer < 0 ? s.cross_weights.size() - 1 : size_t(o.weights_layer)];
    for (int64_t n = 0; n < o.heads; ++n)
      averaged = averaged + scale(select(layer, 1, n), 1 / static_cast<double>(o.heads));
    expect_close(label(o), out.weights.to_vector(), averaged.to_vector(), 1e-14);
  }
}

TEST(TransformerSeq2Seq, OptionsReachEveryLayer) {
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const auto check = [&](const auto& layers, int64_t count) {
      ASSERT_EQ(std::ssize(layers), count);
      for (const auto& l : layers) {
        EXPECT_EQ(l.self_attn.options.heads, o.heads);
        EXPECT_EQ(l.linear1.weight.shape(), (Shape{o.feed_forward, o.model}));
        EXPECT_EQ(l.options.pre_norm, o.pre_norm);
        EXPECT_EQ(l.options.activation, o.activation);
      }
    };
    check(m.encoder.layers, o.encoder_layers);
    check(m.decoder.layers, o.decoder_layers);
  }
}

TEST(TransformerSeq2Seq, EveryLayersAndHeadsWeightsCanBeHad) {
  const TestBatch batch = batch_of(examples(3, 47));
  const int64_t s = batch.in.source.size(1), t = batch.in.target_in.size(1);
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const TransformerEncoded e = m.encode(batch.in.source, batch.in.source_lengths);
    const TransformerDecoded d = m.decode(batch.in.target_in, e);
    EXPECT_EQ(d.logits.to_vector(), m(batch.in).logits.to_vector());
    ASSERT_EQ(std::ssize(e.weights), o.encoder_layers);
    ASSERT_EQ(std::ssize(d.self_weights), o.decoder_layers);
    ASSERT_EQ(std::ssize(d.cross_weights), o.decoder_layers);
    for (const Tensor& w : e.weights) EXPECT_EQ(w.shape(), (Shape{3, o.heads, s, s}));
    for (const Tensor& w : d.self_weights) EXPECT_EQ(w.shape(), (Shape{3, o.heads, t, t}));
    for (const Tensor& w : d.cross_weights) EXPECT_EQ(w.shape(), (Shape{3, o.heads, t, s}));
  }
}

// ---- what depends on what ----

TEST(TransformerSeq2Seq, ATargetWordChangesNothingBeforeIt) {
  for (const TransformerOptions& o : transformers()) expect_causal(make(o), label(o));
}

TEST(TransformerSeq2Seq, EverySourceWordAndItsPlaceMatter) {
  const Example e{{3, 5, 7, 9}, {2, 4}};
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const auto logits = [&](const Example& x) {
      return m(batch_of({&x, 1}).in).logits.to_vector();
    };
    for (size_t s = 0; s < e.source.size(); ++s) {
      Example changed = e;
      changed.source[s] = 0;
      EXPECT_NE(logits(changed), logits(e)) << label(o) << " " << s;
      Example swapped = e;
      std::swap(swapped.source[s], swapped.source[(s + 1) % 4]);
      double most = 0;
      for (size_t i = 0; i < logits(e).size(); ++i)
        most = std::max(most, std::abs(logits(swapped)[i] - logits(e)[i]));
      EXPECT_GT(most, 1e-6) << label(o) << " " << s;
    }
  }
}

TEST(TransformerSeq2Seq, WeightsSumToOneOverTheSentenceAndAreZeroAfterIt) {
  std::vector<Example> all = examples(4, 37);
  all[2].source.clear();
  const TestBatch batch = batch_of(all);
  for (const TransformerOptions& o : transformers()) {
    const Tensor w = make(o)(batch.in).weights;
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t t = 0; t < w.size(1); ++t) {
        const int64_t length = batch.in.source_lengths[static_cast<size_t>(b)];
        double total = 0;
        for (int64_t s = 0; s < w.size(2); ++s) {
          EXPECT_EQ(w.at({b, t, s}) > 0, s < length) << label(o);
          total += w.at({b, t, s});
        }
        EXPECT_NEAR(total, length > 0 ? 1 : 0, 1e-14) << label(o);
      }
  }
}

TEST(TransformerSeq2Seq, EvaluationRecordsNothing) {
  const TestBatch batch = batch_of(examples(3, 41));
  const TransformerSeq2Seq m = make(transformers()[0]);
  const uint64_t before = Tape::recorded();
  EXPECT_FALSE(requires_grad(m(batch.in).logits));
  const TransformerEncoded e = m.encode(batch.in.source, batch.in.source_lengths);
  m.step(Tensor::ids(std::vector<int64_t>{1, 2, 3}, {3}), m.start(e), e);
  EXPECT_EQ(Tape::recorded(), before);
}

// ---- gradients ----

TEST(TransformerSeq2Seq, EveryParameterGetsAGradient) {
  const TestBatch batch = batch_of(examples(3, 40));
  for (const TransformerOptions& o : transformers()) {
    TransformerSeq2Seq m = make(o);
    Tape tape;
    tape.backward(loss_of(m, batch));
    const Gradients got = tape.gradients();
    for (const auto& p : parameters(m)) {
      const Tensor* g = got.find(p.value);
      ASSERT_TRUE(g) << label(o) << ": " << p.name;
      EXPECT_GT(sum(square(*g)).item(), 0) << label(o) << ": " << p.name;
    }
    EXPECT_EQ(got.entries().size(), parameters(m).size()) << label(o);
  }
}

TEST(TransformerSeq2Seq, GradientsAreDerivatives) {
  const TestBatch batch = batch_of(examples(3, 39, true));
  for (const TransformerOptions& o : transformers()) {
    TransformerSeq2Seq m = make(o);
    expect_gradients(
        label(o), [&] { return Tensors{loss_of(m, batch)}; }, leaves_of(parameters(m)), 8);
  }
}

// ---- dropout ----

TEST(TransformerSeq2Seq, DropoutHappensOnlyWithAGenerator) {
  TransformerOptions o = transformers()[0];
  const TransformerSeq2Seq without = make(o);
  o.dropout = 0.5;
  const TransformerSeq2Seq with = make(o);
  const TestBatch b = batch_of(examples(4, 45));
  EXPECT_EQ(with(b.in).logits.to_vector(), without(b.in).logits.to_vector());
  Rng used(1), same(1), again(1), other(2);
  const Numbers once = with(b.in, &used).logits.to_vector();
  EXPECT_NE(once, with(b.in).logits.to_vector());
  EXPECT_EQ(once, with(b.in, &again).logits.to_vector());
  EXPECT_NE(once, with(b.in, &other).logits.to_vector());
  // Both embeddings, 4 in each of 2 encoder layers, 6 in each of 2 decoder layers.
  for (int key = 0; key < 2 + 2 * 4 + 2 * 6; ++key) same.next_key();
  EXPECT_EQ(used.next_u32(), same.next_u32());
}

// ---- learning ----

// A source of distinct words, to be said backwards: it cannot be done without positions and
// attention to the right one.
TEST(TransformerSeq2Seq, LearnsToReverse) {
  const auto batch = [](uint64_t seed) {
    Rng rng(seed);
    std::vector<Example> all(32);
    for (Example& e : all) {
      e.source = {2, 3, 4, 5, 6, 7};
      rng.shuffle(std::span(e.source));
      e.source.resize(3 + rng.below(3));
      e.target.assign(e.source.rbegin(), e.source.rend());
    }
    return batch_of(all);
  };
  for (const bool pre_norm : {false, true}) {
    Rng rng(1);
    TransformerSeq2Seq m({.source_vocabulary = 8,
                          .target_vocabulary = 8,
                          .model = 32,
                          .heads = 2,
                          .encoder_layers = 1,
                          .decoder_layers = 1,
                          .feed_forward = 64,
                          .pre_norm = pre_norm},
                         rng);
    Adam adam(parameters(m), {});
    for (uint64_t step = 0; step < 300; ++step) {
      const TestBatch b = batch(100 + step);
      Tape tape;
      tape.backward(cross_entropy(m(b.in).logits, b.target_out, {.ignore = kIgnore}));
      adam.step(tape.gradients());
    }
    const TestBatch unseen = batch(1);
    const double loss =
        cross_entropy(m(unseen.in).logits, unseen.target_out, {.ignore = kIgnore}).item();
    EXPECT_LT(loss, 0.1) << (pre_norm ? "pre-norm" : "post-norm");
  }
}

// ---- what the header says ----

TEST(TransformerSeq2Seq, DocumentedShapesAndFirstValues) {
  Rng rng(1);
  const TransformerSeq2Seq m({.source_vocabulary = 300, .target_vocabulary = 8}, rng);
  const Tensor source = random_ids({2, 5}, 9, 1);
  const Seq2SeqOutput out = m({source, random_ids({2, 3}, 8, 2), {5, 4}});
  EXPECT_EQ(out.logits.shape(), (Shape{2, 3, 8}));
  EXPECT_EQ(out.weights.shape(), (Shape{2, 3, 5}));
  const TransformerEncoded e = m.encode(source, {5, 4});
  EXPECT_EQ(e.y.shape(), (Shape{2, 5, 128}));
  EXPECT_EQ(e.memory.size(), 2u);
  const DecoderStep s = m.step(random_ids({2}, 8, 3), m.start(e), e);
  EXPECT_EQ(s.state.tensors.size(), 4u) << "keys and values of two layers";
  EXPECT_EQ(s.logits.shape(), (Shape{2, 8}));
  EXPECT_EQ(s.weights.shape(), (Shape{2, 5}));
  EXPECT_NEAR(mean(square(m.source.weight)).item() * 128, 1, 0.05) << "times sqrt(E): deviation 1";
}

TEST(TransformerSeq2Seq, AnEmptyBatchGivesEmptyResults) {
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const Seq2SeqOutput out = m({Tensor::zeros({0, 4}, i64), Tensor::zeros({0, 3}, i64), {}});
    EXPECT_EQ(out.logits.shape(), (Shape{0, 3, kTargetWords}));
    EXPECT_EQ(out.weights.shape(), (Shape{0, 3, 4}));
  }
}

TEST(TransformerSeq2Seq, SaysWhatDoesNotFit) {
  const TransformerOptions usual = transformers()[0];
  const TransformerSeq2Seq m = make(usual), learned = make(transformers()[2]);
  const TestBatch good = batch_of(examples(3, 46));
  const auto text = [&](const std::function<void(Seq2SeqBatch&)>& spoil) {
    Seq2SeqBatch b = good.in;
    spoil(b);
    return argument_error([&] { m(b); });
  };
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.target_in = random_ids({2, 4}, 5, 1);
            }),
            "transformer: expected target ids [3, T >= 1], got tensor i64 [2, 4]");
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.target_in = random_ids({3, 0}, 5, 1);
            }),
            "transformer: expected target ids [3, T >= 1], got tensor i64 [3, 0]");
  EXPECT_EQ(text([](Seq2SeqBatch& b) { b.source = random_ids({3}, 5, 1); }),
            "transformer: expected source ids [B, S], got tensor i64 [3]");
  EXPECT_EQ(text([](Seq2SeqBatch& b) { b.source = {}; }),
            "transformer: expected source ids [B, S], got tensor (none)");
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.source_lengths = {1, 1};
            }),
            "transformer: expected 3 lengths, one per sentence of the batch, got 2");
  EXPECT_NE(text([](Seq2SeqBatch& b) {
              b.target_in = Tensor::ids(std::vector<int64_t>{1, 13, 2}, {3, 1});
            }).find("13"),
            std::string::npos);
  const TransformerEncoded e = m.encode(good.in.source, good.in.source_lengths);
  EXPECT_EQ(argument_error([&] { m.step(random_ids({2}, 5, 1), m.start(e), e); }),
            "transformer: expected ids [3], got tensor i64 [2]");
  EXPECT_EQ(argument_error([&] { m.step(random_ids({3}, 5, 1), {}, e); }),
            "transformer: expected a state of 4 tensors, got 0; begin with start(encoded)");
  const int64_t rows[] = {0, 1};
  EXPECT_NE(argument_error([&] {
              m.step(random_ids({3}, 5, 1), rows_of(m.start(e), rows), e);
            }).find("multi_head: expected a past [3, S, 3, 2] for x [3, 1, 6]"),
            std::string::npos);
  EXPECT_NE(argument_error([&] {
              learned.encode(random_ids({1, 21}, 5, 1), {21});
            }).find("the table ends at position 19, got a sentence that reaches position 20"),
            std::string::npos);

  const auto built = [&](const std::function<void(TransformerOptions&)>& spoil) {
    TransformerOptions o = usual;
    spoil(o);
    return argument_error([&] { make(o); });
  };
  EXPECT_EQ(built([](auto& o) { o.source_vocabulary = 0; }),
            "transformer: expected vocabularies and a model size >= 1, got 0, 13, 6");
  EXPECT_EQ(built([](auto& o) { o.heads = 4; }),
            "multi_head: expected a number of heads that divides the size 6, got 4");
  EXPECT_EQ(built([](auto& o) { o.model = 9; }),
            "transformer: sinusoids need an even model size, got 9; use learned positions");
  EXPECT_EQ(built([](auto& o) { o.model = 9, o.learned_positions = 5; }), "accepted");
  EXPECT_EQ(built([](auto& o) { o.learned_positions = -1; }),
            "transformer: expected learned_positions >= 0, got -1");
  EXPECT_EQ(built([](auto& o) { o.encoder_layers = 0; }),
            "transformer: expected layers >= 1, got 0");
  EXPECT_EQ(built([](auto& o) { o.weights_layer = 2; }),
            "transformer: expected weights_layer in [0, 2), or -1 for the last, got 2");
  EXPECT_EQ(built([](auto& o) { o.dropout = 1; }), "multi_head: expected dropout in [0, 1), got 1");
}

}  // namespace
}  // namespace heed::test
