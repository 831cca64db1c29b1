// Training as a whole: a frozen trajectory of losses, and what optimisers see of a layer.
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/autograd/texts.h"
#include "tests/core/file_checks.h"
#include "tests/layers/seq2seq_examples.h"

namespace heed::test {
namespace {

// Ten steps of Adam on five fixed sentences: the mean loss per token before each step, and the
// bytes of all parameters after the last.
struct Trajectory {
  Numbers losses;
  std::string weights;
};

Trajectory train(DType dtype) {
  Rng rng(2024);
  Seq2Seq m({.source_vocabulary = kSourceWords,
             .target_vocabulary = kTargetWords,
             .embedding = 6,
             .encoder_hidden = 5,
             .decoder_hidden = 7,
             .attention_width = 4},
            rng);
  to(m, dtype);
  const TestBatch batch = batch_of(std::vector<Example>{{{2, 3, 4, 5}, {6, 7, 8}},
                                                        {{9, 1}, {4, 4, 2, 11, 12}},
                                                        {{}, {5}},
                                                        {{10, 0, 3}, {3, 0, 9, 1}},
                                                        {{6}, {10, 2}}});
  Adam adam(parameters(m), {.rate = 0.01});
  Trajectory t;
  for (int step = 0; step < 10; ++step) {
    Tape tape;
    const Tensor loss = cross_entropy(m(batch.in).logits, batch.target_out, {.ignore = kIgnore});
    t.losses.push_back(loss.item());
    tape.backward(loss);
    adam.step(tape);
  }
  for (const auto& p : parameters(m)) t.weights += raw_bytes(p.value);
  return t;
}

// Made by this program once; a change of numbers here is a change of what heed computes. To make
// them again, after a change that is meant: run heed_layers_test with
// --gtest_filter=Trajectory.IsFrozen and copy the list that the failure prints.
const Numbers kFrozen{2.54205810404816, 2.51661440419537, 2.49106084939127, 2.46448349901186,
                      2.43602847153665, 2.40484226690876, 2.37009744109358, 2.33106276540102,
                      2.2872015326694,  2.23821179467576};

TEST(Trajectory, IsFrozen) {
  const Numbers got = train(f64).losses;
  std::string list;
  for (const double v : got) list += fmt::format("{:.15g}, ", v);
  ASSERT_EQ(got.size(), kFrozen.size()) << list;
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], kFrozen[i], 1e-9) << list;
}

// An untrained model knows nothing: it says every word with about probability 1/V.
TEST(Trajectory, BeginsNearTheLogarithmOfTheVocabularyAndFalls) {
  const Numbers losses = train(f64).losses;
  const double guess = std::log(static_cast<double>(kTargetWords));
  EXPECT_NEAR(losses.front(), guess, 0.1 * guess);
  for (size_t i = 1; i < losses.size(); ++i) EXPECT_LT(losses[i], losses[i - 1]) << i;
}

TEST(Trajectory, IsTheSameInSinglePrecision) {
  const Numbers single = train(f32).losses, twice = train(f64).losses;
  for (size_t i = 0; i < single.size(); ++i) EXPECT_NEAR(single[i], twice[i], 1e-3);
}

TEST(Trajectory, IsTheSameToTheByteWhenRunAgain) {
  for (const DType dtype : {f32, f64}) {
    const Trajectory a = train(dtype), b = train(dtype);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.weights, b.weights);
  }
}

// ---- optimisers and layers ----

struct TwoMaps {
  Linear used, forgotten;
  explicit TwoMaps(Rng& rng)
      : used({.in = 2, .out = 1}, rng), forgotten({.in = 2, .out = 1}, rng) {}
  void visit(Visitor& see) { see("used", used), see("forgotten", forgotten); }
};

TEST(LayersAndOptimisers, AForgottenLayerIsNamed) {
  Rng rng(1);
  TwoMaps m(rng);
  Adam adam(parameters(m));
  Tape tape;
  tape.backward(sum(m.used(noise({3, 2}, 1, f32))));
  const std::string text = misuse([&] { adam.step(tape); });
  EXPECT_NE(text.find("'forgotten.weight', 'forgotten.bias'"), std::string::npos) << text;
  EXPECT_EQ(text.find("'used."), std::string::npos) << text;
}

TEST(LayersAndOptimisers, AStepMovesTheLayerItself) {
  for (const DType dtype : {f32, f64}) {
    Rng rng(1);
    Linear f({.in = 2, .out = 1}, rng);
    to(f, dtype);
    const Numbers before = f.weight.to_vector();
    Sgd sgd(parameters(f), {.rate = 0.5});
    Tape tape;
    tape.backward(sum(f(Tensor::of({{2, -4}, {1, 1}}, dtype))));
    sgd.step(tape);
    // d sum / d weight is the sum of the rows: (3, -3).
    expect_close("weight", f.weight.to_vector(), {before[0] - 1.5, before[1] + 1.5}, 1e-6);
  }
}

// `to` makes new leaves: an optimiser from before holds the old ones, and says so.
TEST(LayersAndOptimisers, AnOptimiserFromBeforeAConversionComplains) {
  Rng rng(1);
  Linear f({.in = 2, .out = 1}, rng);
  Sgd sgd(parameters(f), {.rate = 0.5});
  to(f, f64);
  Tape tape;
  tape.backward(sum(f(noise({3, 2}, 1))));
  const std::string text = misuse([&] { sgd.step(tape); });
  EXPECT_NE(text.find("'weight', 'bias'"), std::string::npos) << text;
}

}  // namespace
}  // namespace heed::test
