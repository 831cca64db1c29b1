// The examples in the comments of layers/*.h, as they stand there: they compile and say the truth.
#include "layers/attention.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/gru.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/lstm.h"
#include "layers/rnn.h"
#include "layers/seq2seq.h"
#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

// layer.h: how a layer is written.
struct OwnLinear {
  Tensor weight, bias;
  void visit(Visitor& see) { see("weight", weight), see("bias", bias); }
};

TEST(DocumentedShapes, ALayerIsAStructWithAVisit) {
  static_assert(Layer<OwnLinear> && Layer<Linear> && Layer<Seq2Seq> && !Layer<Dropout>);
  OwnLinear f{init::zeros({2, 3}), {}};
  ASSERT_EQ(parameters(f).size(), 1u) << "an undefined parameter is passed over";
  EXPECT_EQ(parameters(f)[0].name, "weight");
}

TEST(DocumentedShapes, Linear) {
  Rng rng(1);
  Linear f({.in = 3, .out = 2}, rng);
  Tensor y = f(noise({5, 3}, 1, f32));  // [5, 3] -> [5, 2]
  EXPECT_EQ(y.shape(), (Shape{5, 2}));
  EXPECT_EQ(f(noise({3}, 1, f32)).shape(), (Shape{2}));
  for (const double v : f.weight.to_vector()) EXPECT_LE(std::abs(v), 1 / std::sqrt(3.0));
  for (const double v : f.bias.to_vector()) EXPECT_LE(std::abs(v), 1 / std::sqrt(3.0));
}

TEST(DocumentedShapes, Embedding) {
  Rng rng(1);
  const Embedding f({.count = 300, .size = 4}, rng);
  EXPECT_EQ(f(random_ids({2, 5}, 300, 1)).shape(), (Shape{2, 5, 4}));
  EXPECT_EQ(f(random_ids({3}, 300, 1)).shape(), (Shape{3, 4}));
  double squares = 0;
  for (const double v : f.weight.to_vector()) squares += v * v / 1200;
  EXPECT_NEAR(squares, 1, 0.2);
  const std::string text = argument_error([&] {
    f(Tensor::ids(std::vector<int64_t>{1, 300, 2}, {3}));
  });
  for (const char* part : {"300", "[0, 300)", "1"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(DocumentedShapes, Dropout) {
  const Tensor x = Tensor::full({100, 100}, 2);
  const Dropout half{0.5}, none{0};
  EXPECT_EQ(half(x, nullptr).to_vector(), x.to_vector());
  Rng rng(1);
  EXPECT_EQ(none(x, &rng).to_vector(), x.to_vector());
  EXPECT_EQ(rng.next_u32(), Rng(1).next_u32()) << "p = 0 draws nothing";
  double dropped = 0;
  for (const double v : half(x, &rng).to_vector()) {
    EXPECT_TRUE(v == 0 || v == 4) << v;
    dropped += v == 0;
  }
  EXPECT_NEAR(dropped, 5000, 250);
}

TEST(DocumentedShapes, LayerNorm) {
  LayerNorm f({.size = 6});
  EXPECT_EQ(f.weight.to_vector(), Numbers(6, 1.0));
  EXPECT_EQ(f.bias.to_vector(), Numbers(6, 0.0));
  to(f, f64);
  const Tensor y = f(noise({2, 3, 6}, 1));
  EXPECT_EQ(y.shape(), (Shape{2, 3, 6}));
  for (const double m : mean(y, {2}).to_vector()) EXPECT_NEAR(m, 0, 1e-15);
  for (const double v : mean(square(y), {2}).to_vector()) EXPECT_NEAR(v, 1, 1e-4);  // biased
  // Row (1, 3): mean 2, variance 1.
  LayerNorm two({.size = 2, .eps = 0});
  EXPECT_EQ(two(Tensor::of({1, 3})).to_vector(), (Numbers{-1, 1}));
}

TEST(DocumentedShapes, Gru) {
  Rng rng(1);
  const Tensor x = noise({2, 5, 8}, 1, f32);
  Gru gru({.input = 8, .hidden = 16, .bidirectional = true}, rng);
  auto [y, state] = gru(x, Mask::lengths({5, 3}));  // x [2, 5, 8] -> y [2, 5, 32]
  EXPECT_EQ(y.shape(), (Shape{2, 5, 32}));
  ASSERT_EQ(state.h.size(), 2u);
  EXPECT_EQ(state.h[1].shape(), (Shape{2, 16}));
}

TEST(DocumentedShapes, Lstm) {
  Rng rng(1);
  const Tensor x = noise({3, 5, 32}, 1, f32);
  Lstm lstm({.input = 32, .hidden = 64, .layers = 2, .bidirectional = true}, rng);
  auto [y, state] = lstm(x, Mask::lengths({5, 4, 0}));  // x [3, 5, 32] -> y [3, 5, 128]
  EXPECT_EQ(y.shape(), (Shape{3, 5, 128}));
  ASSERT_EQ(state.h.size(), 4u);
  ASSERT_EQ(state.c.size(), 4u);
  EXPECT_EQ(state.c[3].shape(), (Shape{3, 64}));
  for (const auto& p : parameters(lstm))
    for (const double v : p.value.to_vector()) EXPECT_LE(std::abs(v), 1.0 / 8) << p.name;
}

TEST(DocumentedShapes, Rnn) {
  Rng rng(1);
  Rnn rnn({.input = 3, .hidden = 4}, rng);
  const RnnOutput out = rnn(noise({2, 5, 3}, 1, f32));
  EXPECT_EQ(out.y.shape(), (Shape{2, 5, 4}));
  EXPECT_EQ(rnn.step(noise({2, 3}, 1, f32), out.state).h[0].shape(), (Shape{2, 4}));
}

TEST(DocumentedShapes, Attention) {
  Rng rng(1);
  const Attention f({.query = 6, .key = 4}, rng);
  EXPECT_EQ(f.v.shape(), (Shape{6})) << "width 0: as wide as the query";
  const Tensor keys = noise({2, 5, 4}, 1, f32);
  const Memory m = f.memory(keys, Mask::lengths({5, 0}), noise({2, 5, 3}, 2, f32));
  EXPECT_EQ(m.projected.shape(), (Shape{2, 5, 6}));
  const Attended one = f(noise({2, 6}, 3, f32), m), many = f(noise({2, 7, 6}, 3, f32), m);
  EXPECT_EQ(one.context.shape(), (Shape{2, 3}));
  EXPECT_EQ(one.weights.shape(), (Shape{2, 5}));
  EXPECT_EQ(many.context.shape(), (Shape{2, 7, 3}));
  EXPECT_EQ(many.weights.shape(), (Shape{2, 7, 5}));
  EXPECT_EQ(f.memory(keys).values.to_vector(), keys.to_vector());
  const Attention g({.score = Score::general, .query = 6, .key = 4}, rng);
  EXPECT_EQ(g.weight.shape(), (Shape{6, 4}));
  EXPECT_EQ(g.memory(keys).projected.shape(), (Shape{2, 5, 6}));
}

TEST(DocumentedShapes, Seq2Seq) {
  Rng rng(1);
  const Seq2Seq m({.source_vocabulary = 9, .target_vocabulary = 8}, rng);
  const Tensor source = random_ids({2, 5}, 9, 1);
  const Seq2SeqOutput out = m({source, random_ids({2, 3}, 8, 2), {5, 4}});
  EXPECT_EQ(out.logits.shape(), (Shape{2, 3, 8}));
  EXPECT_EQ(out.weights.shape(), (Shape{2, 3, 5}));
  const Encoded e = m.encode(source, {5, 4});
  EXPECT_EQ(e.summary.shape(), (Shape{2, 128}));
  EXPECT_EQ(e.state.tensors[0].shape(), (Shape{2, 128}));
  const DecoderStep s = m.step(random_ids({2}, 8, 3), e.state, e);
  EXPECT_EQ(s.state.tensors[0].shape(), (Shape{2, 128}));
  EXPECT_EQ(s.logits.shape(), (Shape{2, 8}));
  EXPECT_EQ(s.weights.shape(), (Shape{2, 5}));
}

}  // namespace
}  // namespace heed::test
