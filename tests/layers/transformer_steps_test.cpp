// Transformers on batches: padding changes nothing, and decoding word by word equals the whole.
#include "tests/layers/transformer_examples.h"

namespace heed::test {
namespace {

// ---- padding ----

class TransformerPadding : public ::testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(BatchesOf, TransformerPadding, ::testing::Values(2, 7, 20),
                         [](const auto& p) { return std::to_string(p.param); });

TEST_P(TransformerPadding, GradientsOfABatchAreTheSumOverItsSentences) {
  const std::vector<Example> all = examples(GetParam(), 32, true);
  for (const TransformerOptions& o : transformers()) {
    TransformerSeq2Seq m = make(o);
    double loss = 0;
    std::vector<Numbers> summed;
    for (const Example& e : all) {
      const Pass one = loss_and_gradients(m, batch_of({&e, 1}));
      loss += one.outputs[0][0];
      add_gradients(summed, one.gradients);
    }
    const Pass together = loss_and_gradients(m, batch_of(all));
    EXPECT_NEAR(together.outputs[0][0], loss, 1e-11 * loss) << label(o);
    const Parameters p = parameters(m);
    for (size_t i = 0; i < p.size(); ++i)
      expect_close(label(o) + ", gradient of " + p[i].name, together.gradients[i], summed[i],
                   1e-10);
  }
}

TEST_P(TransformerPadding, WhatStandsInThePaddingDoesNotMatter) {
  const std::vector<Example> all = examples(GetParam(), 33, true);
  for (const TransformerOptions& o : transformers()) {
    TransformerSeq2Seq m = make(o);
    const Pass clean = loss_and_gradients(m, batch_of(all, 0)),
               dirty = loss_and_gradients(m, batch_of(all, 10));
    EXPECT_EQ(clean.outputs, dirty.outputs) << label(o);
    expect_same(label(o), leaves_of(parameters(m)), dirty, clean, 1e-14);
    const Pass longer = loss_and_gradients(m, batch_of(all, 7, 5));
    expect_same(label(o), leaves_of(parameters(m)), longer, clean, 1e-12);
  }
}

// ---- step by step ----

TEST(TransformerSeq2Seq, CachedStepsEqualTheWholeBatch) {
  const TestBatch batch = batch_of(examples(5, 36, true));
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const Seq2SeqOutput whole = m(batch.in);
    const TransformerEncoded e = m.encode(batch.in.source, batch.in.source_lengths);
    DecoderState state = m.start(e);
    for (int64_t t = 0; t < whole.logits.size(1); ++t) {
      EXPECT_EQ(state.position, t);
      for (const Tensor& x : state.tensors)
        EXPECT_EQ(x.shape(), (Shape{5, t, o.heads, kModel / o.heads}));
      const DecoderStep step = m.step(column(batch.in.target_in, t), state, e);
      EXPECT_EQ(step.logits.shape(), (Shape{5, kTargetWords}));
      expect_close(label(o), step.logits.to_vector(), select(whole.logits, 1, t).to_vector(),
                   1e-12);
      expect_close(label(o), step.weights.to_vector(), select(whole.weights, 1, t).to_vector(),
                   1e-12);
      state = step.state;
    }
  }
}

// Greedy decoding drops finished sentences, beam search repeats and reorders them.
TEST(TransformerSeq2Seq, SentencesCanBeDroppedReorderedAndRepeatedBetweenSteps) {
  const TestBatch batch = batch_of(examples(4, 36, true));
  const std::vector<int64_t> rows{3, 1, 1};
  for (const TransformerOptions& o : transformers()) {
    const TransformerSeq2Seq m = make(o);
    const TransformerEncoded e = m.encode(batch.in.source, batch.in.source_lengths);
    DecoderState state = rows_of(m.start(e), std::vector<int64_t>{0, 1, 2, 3});
    for (int64_t t = 0; t < 2; ++t) state = m.step(column(batch.in.target_in, t), state, e).state;
    const Tensor words = column(batch.in.target_in, 2);
    std::vector<int64_t> kept;
    for (const int64_t r : rows) kept.push_back(words.to_ids()[static_cast<size_t>(r)]);
    const DecoderStep all = m.step(words, state, e);
    const TransformerEncoded fewer = rows_of(e, rows);
    const DecoderStep some = m.step(Tensor::ids(kept, {3}), rows_of(state, rows), fewer);
    expect_close(label(o), some.logits.to_vector(), rows_of(all.logits, rows).to_vector(), 1e-12);
    expect_close(label(o), some.weights.to_vector(), rows_of(all.weights, rows).to_vector(), 1e-12);
    EXPECT_EQ(fewer.weights[0].to_vector(), rows_of(e.weights[0], rows).to_vector());
    EXPECT_EQ(fewer.y.to_vector(), rows_of(e.y, rows).to_vector());
  }
}

}  // namespace
}  // namespace heed::test
