// The recorder: it changes no number, keeps every contribution, knows why there is no gradient, and
// is told of nothing once it is gone.
#include "autograd/recording.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <cstring>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/rng.h"
#include "core/scope.h"

namespace heed {
namespace {

using V = std::vector<double>;

const RecordedTensor& at(const Recorded& r, std::string_view name) {
  const int i = r.find(name);
  EXPECT_GE(i, 0) << name;
  return r.tensors.at(static_cast<size_t>(i));
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const V x = a.to_vector(), y = b.to_vector();
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

// Fused ops of several outputs, views, broadcasting, a weight that is used twice.
struct Model {
  DType dtype;
  Rng rng{7};
  Tensor x = leaf(Tensor::normal({2, 3, 8}, 0, 1, rng, dtype));
  Tensor w = leaf(Tensor::normal({8, 2}, 0, 1, rng, dtype));
  Tensor w2 = leaf(Tensor::normal({8, 2}, 0, 1, rng, dtype));
  Tensor q = leaf(Tensor::normal({2, 2}, 0, 1, rng, dtype));
  Tensor v = leaf(Tensor::normal({2}, 0, 1, rng, dtype));

  Tensor loss() const {
    const Scope scope("model");
    const Tensor zero = Tensor::zeros({2, 2}, dtype);
    const Recurrence r = lstm_sequence(x, zero, zero, w, {}, {.lengths = {3, 2}, .reverse = false});
    const Tensor keys = named(matmul_nt(r.y, slice(w2, 0, 0, 2)), "keys");
    const Tensor e = named(additive_score(q, keys, v), "e");
    const Tensor a = named(softmax(e, Mask::lengths({3, 2})), "a");
    const Tensor c = matmul(reshape(a, {2, 1, 3}), r.y);
    return named(sum(square(c)) + mean(w2) + sum(r.h * r.c), "L");
  }
};

class EveryDType : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Recording, EveryDType, ::testing::Values(f32, f64),
                         [](const auto& p) { return std::string(name_of(p.param)); });

TEST_P(EveryDType, ValuesAndGradientsAreThoseOfAPlainRun) {
  const Model plain{GetParam()}, watched{GetParam()};
  Tape t1;
  const Tensor loss = plain.loss();
  t1.backward(loss);
  Tape t2;
  Recording recording(t2);
  const Tensor again = watched.loss();
  const Recorded& r = recording.backward(again);
  EXPECT_TRUE(same_bits(loss, again));
  EXPECT_TRUE(same_bits(loss, at(r, "L").value));
  ASSERT_EQ(t1.nodes().size(), r.ops.size());
  const double u = GetParam() == f32 ? 1e-6 : 1e-15;
  for (const auto& [one, other] : {std::pair{&plain.x, &watched.x},
                                   {&plain.w, &watched.w},
                                   {&plain.w2, &watched.w2},
                                   {&plain.q, &watched.q},
                                   {&plain.v, &watched.v}}) {
    const V a = t1.grad(*one).to_vector(), b = t2.grad(*other).to_vector();
    double largest = 0;
    for (const double g : a) largest = std::max(largest, std::abs(g));
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 4 * u * largest);
  }
}

TEST_P(EveryDType, EveryGradientIsTheSumOfItsContributionsToTheBit) {
  const Model m{GetParam()};
  Tape tape;
  Recording recording(tape);
  const Recorded& r = recording.backward(m.loss());
  Tensors sum(r.tensors.size());
  sum.at(static_cast<size_t>(r.differentiated)) = clone(r.seed);
  for (const RecordedContribution& c : r.contributions) {
    Tensor& s = sum.at(static_cast<size_t>(c.tensor));
    if (!s.defined()) s = Tensor::zeros(c.value.shape(), c.value.dtype());
    add_into(s, c.value);
  }
  size_t done = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    const RecordedTensor& t = r.tensors[i];
    EXPECT_EQ(sum[i].defined(), t.state == GradState::done) << i;
    if (t.state != GradState::done) continue;
    EXPECT_TRUE(same_bits(sum[i], t.grad)) << i << " " << t.name;
    ++done;
  }
  EXPECT_GE(done, 15u);
}

TEST(Recording, StepsNamesScopesFormulasAndSavedTensors) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  Recording recording(tape);
  Tensor loss;
  {
    const Scope outer("decoder");
    const Scope inner("step", 3);
    const Tensor y = named(tanh(named(w, "w")), "y");
    loss = sum(y * y);
  }
  const Recorded& r = recording.backward(loss);
  ASSERT_EQ(r.ops.size(), 3u);
  EXPECT_EQ(r.ops[0].info->name, "tanh");
  EXPECT_EQ(r.ops[0].info->forward, "y = tanh x");
  EXPECT_EQ(r.ops[0].step, 2);
  EXPECT_EQ(r.ops[2].step, 0);
  ASSERT_EQ(r.ops[0].saved.size(), 1u);
  EXPECT_EQ(r.ops[0].saved[0].name, "y");
  EXPECT_EQ(r.ops[0].saved[0].tensor, r.find("y"));
  EXPECT_EQ(r.ops[1].in, (std::vector<int>{r.find("y"), r.find("y")}));
  const RecordedScope& step = r.scopes.at(static_cast<size_t>(r.ops[0].scope));
  EXPECT_EQ(step.name, "step");
  EXPECT_EQ(step.index, 3);
  EXPECT_EQ(r.scopes.at(static_cast<size_t>(step.parent)).name, "decoder");
  EXPECT_EQ(at(r, "w").role, TensorRole::param);
  EXPECT_EQ(r.tensors.at(static_cast<size_t>(r.differentiated)).role, TensorRole::output);
  ASSERT_EQ(r.contributions.size(), 4u);  // y * y sends to y twice
  EXPECT_EQ(r.contributions[1].tensor, r.contributions[2].tensor);
  EXPECT_EQ(r.contributions[1].input, 0);
  EXPECT_EQ(r.contributions[2].input, 1);
}

TEST(Recording, SaysWhyThereIsNoGradient) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64)), unused = leaf(Tensor::of({3, 4}, f64)),
               zero = leaf(Tensor::of({5, 6}, f64)), scores = leaf(Tensor::of({7, 8}, f64));
  const Tensor constant = Tensor::of({9, 10}, f64);
  Tape tape;
  Recording recording(tape);
  const Tensor top = named(exp(w), "top");
  const Tensor aside = named(named(unused, "unused") + constant, "aside");
  recording.cut(named(scale(named(scores, "scores"), 2), "logits"), "argmax");
  const Tensor loss = sum(detach(top) * named(zero, "zero") * Tensor::zeros({2}, f64));
  const Recorded& r = recording.backward(loss);
  EXPECT_EQ(at(r, "top").state, GradState::cut);
  EXPECT_EQ(at(r, "top").cut, "detach");
  const RecordedTensor& leaf_w = r.tensors.at(static_cast<size_t>(r.ops.at(0).in.at(0)));
  EXPECT_EQ(leaf_w.state, GradState::cut) << "what only a cut tensor uses is cut as well";
  EXPECT_EQ(at(r, "unused").state, GradState::not_reached);
  EXPECT_EQ(at(r, "aside").state, GradState::not_reached);
  EXPECT_EQ(at(r, "scores").cut, "argmax");
  EXPECT_EQ(at(r, "logits").state, GradState::cut);
  EXPECT_EQ(at(r, "zero").state, GradState::done) << "a zero that was computed";
  EXPECT_EQ(at(r, "zero").grad.to_vector(), (V{0, 0}));
  int detached = 0;
  for (const RecordedTensor& t : r.tensors) {
    EXPECT_EQ(t.role == TensorRole::constant || t.role == TensorRole::saved,
              t.state == GradState::no_grad);
    EXPECT_EQ(t.state == GradState::done, t.grad.defined());
    if (t.detached_from >= 0) {
      EXPECT_EQ(t.detached_from, r.find("top"));
      ++detached;
    }
  }
  EXPECT_EQ(detached, 1);
}

TEST(Recording, KeepsTheValuesOfTheRunWhenParametersChangeLater) {
  Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  Recording recording(tape);
  const Recorded& r = recording.backward(sum(square(named(w, "w"))));
  w.mutable_data<double>()[0] = 100;
  EXPECT_EQ(at(r, "w").value.to_vector(), (V{1, 2}));
  EXPECT_EQ(at(r, "w").grad.to_vector(), (V{2, 4}));
}

TEST(Recording, ASeedOfAnyShapeCanBeDifferentiated) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  Recording recording(tape);
  recording.input(w);
  const Recorded& r =
      recording.backward(named(square(named(w, "w")), "y"), Tensor::of({1, -1}, f64));
  EXPECT_EQ(r.differentiated, r.find("y"));
  EXPECT_EQ(r.seed.to_vector(), (V{1, -1}));
  EXPECT_EQ(at(r, "w").grad.to_vector(), (V{2, -4}));
  EXPECT_EQ(at(r, "w").role, TensorRole::input);
}

TEST(Recording, IsRefusedOnATapeThatHasOps) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  const Tensor y = square(w);
  EXPECT_THROW(Recording{tape}, std::logic_error);
}

TEST(Recording, IsRefusedWhenItsTapeWasCleared) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  const Recording recording(tape);
  const Tensor y = square(w);
  tape.clear();
  EXPECT_THROW(square(w), std::logic_error);
}

TEST(Recording, AfterItIsGoneTheTapeGoesOn) {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  { const Recording recording(tape); }
  tape.backward(sum(square(w)));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{2, 4}));
}

// What replaces an output is what the rest is computed from: numeric checks rest on this.
TEST(Recording, AWatcherCanReplaceAnOutput) {
  struct Replace final : TapeWatcher {
    void recorded(Tape&, const Node& node, std::span<const Tensor* const>,
                  std::span<Tensor> out) override {
      if (node.table->info->name == "square")
        out[0] = Tensor::of({10, 20}, f64).with_ref(out[0].ref());
    }
  } replace;
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  tape.watch(&replace);
  EXPECT_EQ(sum(square(w)).item(), 30);
}

}  // namespace
}  // namespace heed
