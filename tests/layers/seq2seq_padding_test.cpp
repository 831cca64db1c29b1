// Padding of whole models: a sentence alone and in batches of 2, 7 and 64 has the same
// log-probabilities and the same gradients, whatever stands in the padding.
#include "tests/layers/seq2seq_examples.h"

namespace heed::test {
namespace {

// Per-token log-probabilities of sentence b.
Numbers log_probabilities(const Seq2Seq& m, const TestBatch& batch, int64_t b, size_t words) {
  const Tensor nll = cross_entropy(m(batch.in).logits, batch.target_out,
                                   {.ignore = kIgnore, .reduction = Reduction::per_token});
  const Numbers all = select(nll, 0, b).to_vector();
  return {all.begin(), all.begin() + static_cast<int64_t>(words)};
}

class Padding : public ::testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(BatchesOf, Padding, ::testing::Values(2, 7, 64),
                         [](const auto& p) { return std::to_string(p.param); });

TEST_P(Padding, ASentenceHasTheSameLogProbabilitiesAloneAndInABatch) {
  const std::vector<Example> all = examples(GetParam(), 31, true);
  for (const Seq2SeqOptions& o : variants()) {
    const Seq2Seq m = small_model(o);
    const TestBatch batch = batch_of(all);
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t n = all[i].target.size();
      expect_close(label(o) + ", sentence " + std::to_string(i),
                   log_probabilities(m, batch, static_cast<int64_t>(i), n),
                   log_probabilities(m, batch_of({&all[i], 1}), 0, n), 1e-12);
    }
  }
}

TEST_P(Padding, GradientsOfABatchAreTheSumOverItsSentences) {
  const std::vector<Example> all = examples(GetParam(), 32, true);
  for (const Seq2SeqOptions& o : variants()) {
    Seq2Seq m = small_model(o);
    std::vector<Numbers> summed;
    for (const Example& e : all)
      add_gradients(summed, loss_and_gradients(m, batch_of({&e, 1})).gradients);
    const Pass together = loss_and_gradients(m, batch_of(all));
    const Parameters p = parameters(m);
    for (size_t i = 0; i < p.size(); ++i)
      expect_close(label(o) + ", gradient of " + p[i].name, together.gradients[i], summed[i],
                   1e-10);
  }
}

TEST_P(Padding, WhatStandsInThePaddingDoesNotMatter) {
  const std::vector<Example> all = examples(GetParam(), 33, true);
  for (const Seq2SeqOptions& o : variants()) {
    Seq2Seq m = small_model(o);
    const Pass clean = loss_and_gradients(m, batch_of(all, 0)),
               dirty = loss_and_gradients(m, batch_of(all, 10));
    EXPECT_EQ(clean.outputs, dirty.outputs) << label(o);
    EXPECT_EQ(clean.gradients, dirty.gradients) << label(o);
    const Pass longer = loss_and_gradients(m, batch_of(all, 7, 5));
    expect_same(label(o), leaves_of(parameters(m)), longer, clean, 1e-12);
  }
}

TEST_P(Padding, MicroBatchesAddUpToTheBatch) {
  const std::vector<Example> all = examples(GetParam(), 34);
  const std::span<const Example> half(all);
  Seq2Seq m = small_model();
  const size_t middle = all.size() / 2;
  std::vector<Numbers> summed = loss_and_gradients(m, batch_of(half.first(middle))).gradients;
  add_gradients(summed, loss_and_gradients(m, batch_of(half.subspan(middle))).gradients);
  const Pass whole = loss_and_gradients(m, batch_of(all));
  const Parameters p = parameters(m);
  for (size_t i = 0; i < p.size(); ++i)
    expect_close("gradient of " + p[i].name, whole.gradients[i], summed[i], 1e-12);
}

}  // namespace
}  // namespace heed::test
