// The encoder-decoder as a whole: what a sentence's numbers depend on, and what they must not.
#include "tests/autograd/texts.h"
#include "tests/layers/seq2seq_examples.h"

namespace heed::test {
namespace {

// ids[:, t]
Tensor column(const Tensor& ids, int64_t t) {
  std::vector<int64_t> all;
  for (int64_t b = 0; b < ids.size(0); ++b) all.push_back(static_cast<int64_t>(ids.at({b, t})));
  return Tensor::ids(all, {ids.size(0)});
}

// ---- the equations at the head of seq2seq.h, one after the other ----

TEST(Seq2Seq, ComputesItsEquations) {
  const std::vector<Example> all = examples(3, 47, true);
  for (const Seq2SeqOptions& o : variants()) {
    if (o.decoder != DecoderKind::bahdanau || o.cell != Cell::gru || o.decoder_layers > 1) continue;
    const Seq2Seq m = small_model(o);
    const TestBatch batch = batch_of(all);
    const Mask mask = Mask::lengths(batch.in.source_lengths);
    const auto [h, last] =
        std::get<Gru>(m.encoder)(embedding(m.source.weight, batch.in.source), mask);
    const Tensor summary = concat({last.h[0], last.h[1]}, 1);
    Tensor s = tanh(linear(summary, m.bridge.weight, m.bridge.bias));
    const Tensor logits = m(batch.in).logits;
    const RecurrentWeights& cell = m.decoder.weights[0];
    for (int64_t t = 0; t < logits.size(1); ++t) {
      const Tensor y = embedding(m.target.weight, column(batch.in.target_in, t));
      const Tensor c =
          o.attention ? m.attention(s, m.attention.memory(h, mask), {.step = t}).context : summary;
      s = gru_cell(linear(concat({y, c}, 1), cell.weight_ih, cell.bias_ih), s, cell);
      Tensor read = concat({s, c, y}, 1);
      if (o.readout > 0) read = tanh(linear(read, m.readout.weight, m.readout.bias));
      const Tensor e = linear(read, o.tied ? m.target.weight : m.output.weight, m.output.bias);
      expect_close(label(o), select(logits, 1, t).to_vector(), e.to_vector(), 1e-12);
    }
  }
}

// Two LSTM layers with residual connections, states copied from the encoder, attention after the
// step, its result fed to the next one.
TEST(Seq2Seq, ComputesLuongsEquations) {
  for (const bool feeding : {false, true}) {
    Seq2SeqOptions o = plain_options();
    o.decoder = DecoderKind::luong, o.input_feeding = feeding, o.cell = Cell::lstm;
    o.bridge = Bridge::last, o.encoder_layers = o.decoder_layers = 2, o.residual = true;
    o.score = Score::general, o.readout = 3;
    const Seq2Seq m = small_model(o);
    const TestBatch batch = batch_of(examples(3, 48, true));
    const Mask mask = Mask::lengths(batch.in.source_lengths);
    const auto [h, last] =
        std::get<Lstm>(m.encoder)(embedding(m.source.weight, batch.in.source), mask);
    Tensors s, cells;
    for (const size_t i : {size_t{0}, size_t{2}}) {
      s.push_back(concat({last.h[i], last.h[i + 1]}, 1));
      cells.push_back(concat({last.c[i], last.c[i + 1]}, 1));
    }
    Tensor r = Tensor::zeros({3, 3}, f64);
    const Tensor logits = m(batch.in).logits;
    for (int64_t t = 0; t < logits.size(1); ++t) {
      Tensor x = embedding(m.target.weight, column(batch.in.target_in, t));
      if (feeding) x = concat({x, r}, 1);
      for (const size_t l : {size_t{0}, size_t{1}}) {
        const RecurrentWeights& w = m.decoder.weights[l];
        const auto next = lstm_cell(linear(x, w.weight_ih, w.bias_ih), s[l], cells[l], w);
        s[l] = next[0], cells[l] = next[1];
        x = l == 0 ? s[0] : s[1] + x;
      }
      const Tensor c = m.attention(x, m.attention.memory(h, mask)).context;
      r = tanh(linear(concat({x, c}, 1), m.readout.weight, m.readout.bias));
      expect_close(label(o), select(logits, 1, t).to_vector(),
                   linear(r, m.output.weight, m.output.bias).to_vector(), 1e-12);
    }
  }
}

// ---- what depends on what ----

TEST(Seq2Seq, ATargetWordChangesNothingBeforeIt) {
  for (const Seq2SeqOptions& o : variants()) expect_causal(small_model(o), label(o));
}

TEST(Seq2Seq, EverySourceWordMatters) {
  const Example e{{3, 5, 7, 9}, {2, 4}};
  for (const Seq2SeqOptions& o : variants()) {
    const Seq2Seq m = small_model(o);
    const Numbers before = m(batch_of({&e, 1}).in).logits.to_vector();
    for (size_t s = 0; s < e.source.size(); ++s) {
      Example changed = e;
      changed.source[s] = 0;
      EXPECT_NE(m(batch_of({&changed, 1}).in).logits.to_vector(), before) << label(o) << " " << s;
    }
  }
}

TEST(Seq2Seq, EncodeAndStepsEqualTheWholeBatch) {
  const std::vector<Example> all = examples(5, 36, true);
  for (const Seq2SeqOptions& o : variants()) {
    const Seq2Seq m = small_model(o);
    const TestBatch batch = batch_of(all);
    const Seq2SeqOutput whole = m(batch.in);
    const Encoded e = m.encode(batch.in.source, batch.in.source_lengths);
    EXPECT_EQ(e.summary.shape(), (Shape{5, o.bidirectional ? 8 : 4}));
    EXPECT_EQ(e.state.tensors[0].shape(), (Shape{5, needs_equal_sizes(o) ? 8 : 6}));
    DecoderState state = e.state;
    for (int64_t t = 0; t < whole.logits.size(1); ++t) {
      const DecoderStep step = m.step(column(batch.in.target_in, t), state, e);
      state = step.state;
      EXPECT_EQ(step.logits.shape(), (Shape{5, kTargetWords}));
      expect_close(label(o), step.logits.to_vector(), select(whole.logits, 1, t).to_vector(),
                   1e-12);
      ASSERT_EQ(step.weights.defined(), o.attention);
      if (o.attention)
        expect_close(label(o), step.weights.to_vector(), select(whole.weights, 1, t).to_vector(),
                     1e-12);
    }
  }
}

TEST(Seq2Seq, WeightsSumToOneOverTheSentenceAndAreZeroAfterIt) {
  std::vector<Example> all = examples(4, 37);
  all[2].source.clear();
  const TestBatch batch = batch_of(all);
  for (const Seq2SeqOptions& o : variants()) {
    const Seq2SeqOutput out = small_model(o)(batch.in);
    ASSERT_EQ(out.weights.defined(), o.attention);
    if (!o.attention || o.window != Window::global) continue;
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t t = 0; t < out.weights.size(1); ++t) {
        const int64_t length = batch.in.source_lengths[static_cast<size_t>(b)];
        double total = 0;
        for (int64_t s = 0; s < out.weights.size(2); ++s) {
          EXPECT_EQ(out.weights.at({b, t, s}) > 0, s < length) << label(o);
          total += out.weights.at({b, t, s});
        }
        EXPECT_NEAR(total, length > 0 ? 1 : 0, 1e-14) << label(o);
      }
  }
}

// Without attention the decoder knows the source by its summary alone.
TEST(Seq2Seq, WithoutAttentionTheSummaryIsAllTheDecoderReads) {
  Seq2SeqOptions o = plain_options();
  o.attention = false;
  const Seq2Seq m = small_model(o);
  const std::vector<Example> all = examples(2, 38);
  Encoded a = m.encode(batch_of({&all[0], 1}).in.source, batch_of({&all[0], 1}).in.source_lengths);
  EXPECT_FALSE(a.memory.values.defined());
  const Encoded b =
      m.encode(batch_of({&all[1], 1}).in.source, batch_of({&all[1], 1}).in.source_lengths);
  const Tensor word = Tensor::ids(std::vector<int64_t>{3}, {1});
  const Numbers before = m.step(word, a.state, a).logits.to_vector();
  a.summary = b.summary;
  const Numbers after = m.step(word, a.state, a).logits.to_vector();
  EXPECT_NE(before, after);
  EXPECT_EQ(after, m.step(word, a.state, b).logits.to_vector());
}

// ---- gradients ----

TEST(Seq2Seq, GradientsAreDerivatives) {
  const TestBatch batch = batch_of(examples(3, 39, true));
  for (const Seq2SeqOptions& o : variants()) {
    Seq2Seq m = small_model(o);
    expect_gradients(
        label(o), [&] { return Tensors{loss_of(m, batch)}; }, leaves_of(parameters(m)), 25);
  }
}

TEST(Seq2Seq, EveryParameterGetsAGradient) {
  const TestBatch batch = batch_of(examples(3, 40));
  for (const Seq2SeqOptions& o : variants()) {
    Seq2Seq m = small_model(o);
    Tape tape;
    tape.backward(loss_of(m, batch));
    const Gradients got = tape.gradients();
    for (const auto& p : parameters(m)) {
      const Tensor* g = got.find(p.value);
      ASSERT_TRUE(g) << label(o) << ": " << p.name;
      double most = 0;
      for (const double v : g->to_vector()) most = std::max(most, std::abs(v));
      EXPECT_GT(most, 0) << label(o) << ": " << p.name;
    }
    EXPECT_EQ(got.entries().size(), parameters(m).size()) << label(o);
  }
}

TEST(Seq2Seq, EvaluationRecordsNothing) {
  const TestBatch batch = batch_of(examples(3, 41));
  for (const Seq2SeqOptions& o : variants()) {
    const Seq2Seq m = small_model(o);
    const uint64_t before = Tape::recorded();
    const Seq2SeqOutput out = m(batch.in);
    const Encoded e = m.encode(batch.in.source, batch.in.source_lengths);
    m.step(Tensor::ids(std::vector<int64_t>{1, 2, 3}, {3}), e.state, e);
    EXPECT_EQ(Tape::recorded(), before);
    EXPECT_FALSE(requires_grad(out.logits));
    Tape tape;
    (void)m(batch.in);
    EXPECT_GT(Tape::recorded(), before);
  }
}

// ---- whose words the decoder reads ----

std::vector<int64_t> own_words(const Seq2Seq& m, const Seq2SeqBatch& batch) {
  const Encoded e = m.encode(batch.source, batch.source_lengths);
  const int64_t rows = batch.target_in.size(0), steps = batch.target_in.size(1);
  std::vector<int64_t> fed(static_cast<size_t>(rows * steps));
  std::vector<int64_t> word = column(batch.target_in, 0).to_ids();
  DecoderState state = e.state;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t b = 0; b < rows; ++b)
      fed[static_cast<size_t>(b * steps + t)] = word[static_cast<size_t>(b)];
    const DecoderStep s = m.step(Tensor::ids(word, {rows}), state, e);
    state = s.state;
    for (int64_t b = 0; b < rows; ++b) {
      const Numbers row = select(s.logits, 0, b).to_vector();
      word[static_cast<size_t>(b)] = std::max_element(row.begin(), row.end()) - row.begin();
    }
  }
  return fed;
}

TEST(Seq2Seq, ForcingOfZeroFeedsTheModelsOwnWords) {
  for (const Seq2SeqOptions& o : variants()) {
    Seq2Seq m = small_model(o);
    const TestBatch gold = batch_of(examples(4, 42));
    TestBatch own = gold;
    own.in.target_in = Tensor::ids(own_words(m, gold.in), gold.in.target_in.shape());
    ASSERT_NE(own.in.target_in.to_ids(), gold.in.target_in.to_ids());
    Rng coins(1);
    const Leaves leaves = leaves_of(parameters(m));
    const auto side = [&](const Seq2SeqBatch& b, const Seq2SeqCall& call) {
      return pass(leaves, [&] { return Tensors{m(b, call).logits}; });
    };
    // The choice of a word is a cut: the gradients are those of feeding these words.
    expect_same(label(o), leaves, side(gold.in, {.forcing = 0, .coins = &coins}), side(own.in, {}),
                1e-12);
  }
}

TEST(Seq2Seq, ChoosingAWordIsNotRecorded) {
  const Seq2Seq m = small_model();
  Rng coins(1);
  const Tape tape;
  (void)m(batch_of(examples(4, 42)).in, {.forcing = 0, .coins = &coins});
  int outputs = 0;
  for (const Node& n : tape.nodes())
    outputs += n.table->info->name == "linear" &&
               tape.slots()[static_cast<size_t>(n.first_slot)].shape().back() == kTargetWords;
  EXPECT_EQ(outputs, 1) << "logits of the whole batch, and none for the choices";
}

TEST(Seq2Seq, ForcingOfOneNeverAsksForACoin) {
  const Seq2Seq m = small_model();
  const TestBatch b = batch_of(examples(4, 43));
  Rng coins(1);
  EXPECT_EQ(m(b.in, {.forcing = 1, .coins = &coins}).logits.to_vector(),
            m(b.in).logits.to_vector());
  EXPECT_EQ(coins.next_u32(), Rng(1).next_u32());
}

TEST(Seq2Seq, ForcingInBetweenMixesAndTheSeedDecides) {
  const Seq2Seq m = small_model();
  const TestBatch b = batch_of(examples(4, 44));
  const auto with = [&](uint64_t seed) {
    Rng coins(seed);
    return m(b.in, {.forcing = 0.5, .coins = &coins}).logits.to_vector();
  };
  EXPECT_EQ(with(1), with(1));
  EXPECT_NE(with(1), m(b.in).logits.to_vector());
  Rng coins(1);
  EXPECT_NE(with(1), m(b.in, {.forcing = 0, .coins = &coins}).logits.to_vector());
}

// ---- dropout ----

TEST(Seq2Seq, DropoutHappensOnlyWithAGenerator) {
  Seq2SeqOptions o = plain_options();
  o.dropout = 0.5;
  const Seq2Seq with = small_model(o), without = small_model();
  const TestBatch b = batch_of(examples(4, 45));
  EXPECT_EQ(with(b.in).logits.to_vector(), without(b.in).logits.to_vector());
  Rng r1(1), r2(1), r3(2);
  const Numbers once = with(b.in, {.dropout = &r1}).logits.to_vector();
  EXPECT_NE(once, with(b.in).logits.to_vector());
  EXPECT_EQ(once, with(b.in, {.dropout = &r2}).logits.to_vector());
  EXPECT_NE(once, with(b.in, {.dropout = &r3}).logits.to_vector());
  Rng unused(1);
  EXPECT_EQ(without(b.in, {.dropout = &unused}).logits.to_vector(),
            without(b.in).logits.to_vector());
}

TEST(Seq2Seq, DropoutIsOnBothEmbeddingsAndOnWhatTheOutputReads) {
  Seq2SeqOptions o = plain_options();
  o.dropout = 0.5;
  Seq2Seq m = small_model(o);
  const TestBatch b = batch_of(examples(2, 45));
  Rng used(1), same(1);
  const Numbers logits = m(b.in, {.dropout = &used}).logits.to_vector();
  const uint64_t source = same.next_key(), target = same.next_key(), read = same.next_key();
  EXPECT_EQ(used.next_u32(), same.next_u32()) << "a key for each of the three places";

  // The same from the parts, without a generator: its words come from tables of their own.
  const auto dropped = [](const Tensor& table, const Tensor& ids, uint64_t key) {
    const Tensor x = dropout(embedding(table, ids), 0.5, key);
    return reshape(x, {-1, x.size(2)});
  };
  const auto counting = [](const Tensor& ids) {
    std::vector<int64_t> all(static_cast<size_t>(ids.numel()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    return Tensor::ids(all, ids.shape());
  };
  Seq2Seq parts = m;
  parts.source.weight = leaf(dropped(m.source.weight, b.in.source, source));
  parts.target.weight = leaf(dropped(m.target.weight, b.in.target_in, target));
  const int64_t width = m.output.weight.size(1);
  parts.output.weight = leaf(Tensor::zeros({width, width}, f64));
  for (int64_t i = 0; i < width; ++i)
    parts.output.weight.mutable_data<double>()[i * width + i] = 1;  // shows what the output reads
  parts.output.bias = {};
  const Tensor reads =
      parts({counting(b.in.source), counting(b.in.target_in), b.in.source_lengths}).logits;
  const Tensor expected = linear(dropout(reads, 0.5, read), m.output.weight, m.output.bias);
  expect_close("logits", logits, expected.to_vector(), 1e-13);
  expect_gradients(
      "dropout",
      [&] {
        Rng fixed(1);
        return Tensors{m(b.in, {.dropout = &fixed}).logits};
      },
      leaves_of(parameters(m)), 10);
}

// ---- errors ----

TEST(Seq2Seq, SaysWhatDoesNotFit) {
  const Seq2Seq m = small_model();
  const TestBatch good = batch_of(examples(3, 46));
  const auto text = [&](const std::function<void(Seq2SeqBatch&)>& spoil,
                        const Seq2SeqCall& call = {}) {
    Seq2SeqBatch b = good.in;
    spoil(b);
    return argument_error([&] { m(b, call); });
  };
  const auto nothing = [](Seq2SeqBatch&) {};
  EXPECT_EQ(text(nothing, {.forcing = 1.5}),
            "seq2seq: expected a teacher-forcing ratio in [0, 1], got 1.5");
  EXPECT_EQ(text(nothing, {.forcing = 0.5}),
            "seq2seq: a teacher-forcing ratio below 1 needs a generator for its coins");
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.target_in = random_ids({2, 4}, 5, 1);
            }),
            "seq2seq: expected target ids [3, T >= 1], got tensor i64 [2, 4]");
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.target_in = random_ids({3, 0}, 5, 1);
            }),
            "seq2seq: expected target ids [3, T >= 1], got tensor i64 [3, 0]");
  EXPECT_EQ(text([](Seq2SeqBatch& b) { b.source = random_ids({3}, 5, 1); }),
            "seq2seq: expected source ids [B, S], got tensor i64 [3] (in encoder)");
  EXPECT_NE(
      text([](Seq2SeqBatch& b) { b.source = {}; }).find("seq2seq: expected source ids [B, S]"),
      std::string::npos);
  EXPECT_EQ(text([](Seq2SeqBatch& b) {
              b.source_lengths = {1, 1};
            }),
            "Gru: expected 3 lengths, one per sentence of the batch, got 2 (in encoder)");
  EXPECT_NE(text([](Seq2SeqBatch& b) {
              b.target_in = Tensor::ids(std::vector<int64_t>{1, 13, 2}, {3, 1});
            }).find("13"),
            std::string::npos);
  const auto built = [](const Seq2SeqOptions& o) {
    return argument_error([&] {
      Rng rng(1);
      Seq2Seq f(o, rng);
    });
  };
  EXPECT_EQ(built({.source_vocabulary = 0, .target_vocabulary = 5}),
            "seq2seq: expected vocabularies, embedding and hidden sizes >= 1, got 0, 5, 64, 64, "
            "128");
  EXPECT_EQ(built({.source_vocabulary = 5, .target_vocabulary = 5, .input_feeding = true}),
            "seq2seq: input feeding is for the luong decoder; the bahdanau decoder feeds its "
            "context to every step anyway");
  EXPECT_EQ(built({.source_vocabulary = 5,
                   .target_vocabulary = 5,
                   .bridge = Bridge::last,
                   .decoder_layers = 2}),
            "seq2seq: the last bridge copies states, so it needs as many layers and units on both "
            "sides; got 1 layers of 128 units and 2 of 128; use the learned bridge");
  EXPECT_EQ(built({.source_vocabulary = 5, .target_vocabulary = 5, .encoder_layers = 0}),
            "seq2seq: expected >= 1 layers, got 0 in the encoder and 1 in the decoder");
  EXPECT_EQ(built({.source_vocabulary = 5, .target_vocabulary = 5, .readout = -1}),
            "seq2seq: expected a readout of >= 0 units, got -1");
  EXPECT_EQ(built({.source_vocabulary = 5, .target_vocabulary = 5, .tied = true}),
            "seq2seq: a tied output needs a readout as wide as the embedding, 64, got 0");
  EXPECT_EQ(built({.source_vocabulary = 5, .target_vocabulary = 5, .dropout = 1}),
            "seq2seq: expected dropout in [0, 1), got 1");
}

}  // namespace
}  // namespace heed::test
