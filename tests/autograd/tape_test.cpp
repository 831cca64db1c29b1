// The tape: order of accumulation, what is recorded and what is not, nesting, threads, memory, and
// a chain of a million ops.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

#include "autograd/ops.h"
#include "core/rng.h"
#include "core/scope.h"

namespace heed {
namespace {

using V = std::vector<double>;

double slope(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  const Tensor w = leaf(x);
  Tape tape;
  tape.backward(f(w));
  return tape.grad(w).item();
}

TEST(Tape, AGradientIsPassedOnOnlyWhenItIsComplete) {
  const auto twice_twice = [](const Tensor& a) {
    const Tensor b = a + a;
    return b + b;
  };
  EXPECT_EQ(slope(Tensor::scalar(3), twice_twice), 4);
}

TEST(Tape, DiamondsAddUpTheirPaths) {
  // y = (x^2) * (3 x) + x^2, dy/dx = 9 x^2 + 2 x
  const auto diamond = [](const Tensor& x) {
    const Tensor left = square(x), right = scale(x, 3);
    return left * right + left;
  };
  EXPECT_EQ(slope(Tensor::scalar(2, f64), diamond), 40);
}

TEST(Tape, ALeafIsItsOwnGradientsSource) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  tape.backward(w, Tensor::of({5, 6}));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{5, 6}));
}

TEST(Tape, KeepsTheGradientsThatItIsAskedFor) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor h = square(w);
  tape.keep_grad(h);
  tape.backward(sum(square(h)));
  EXPECT_EQ(tape.grad(h).to_vector(), (V{2, 8}));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{4, 32}));
}

TEST(Tape, GradientsComeInTheOrderOfFirstUse) {
  const Tensor a = leaf(Tensor::of({1})), b = leaf(Tensor::of({2})), c = leaf(Tensor::of({3}));
  Tape tape;
  const Tensor unused = c + c;
  tape.backward(sum(b * a));
  const Gradients g = tape.gradients();
  ASSERT_EQ(g.entries().size(), 2u);
  EXPECT_EQ(g.entries()[0].leaf, b.ref().slot);
  EXPECT_EQ(g.find(b)->item(), 1);
  EXPECT_EQ(g.find(a)->item(), 2);
  EXPECT_EQ(g.find(c), nullptr);
  EXPECT_EQ(g.find(detach(a)), nullptr);
}

// ---- what is recorded ----

TEST(Tape, RecordsNothingWithoutATape) {
  const Tensor w = leaf(Tensor::of({1, 2, 3}));
  const uint64_t before = Tape::recorded();
  const Tensor y = sum(softmax(w * w));
  EXPECT_EQ(Tape::recorded(), before);
  EXPECT_FALSE(requires_grad(y));
}

TEST(Tape, RecordsNothingThatDependsOnNoLeaf) {
  const Tensor x = Tensor::of({1, 2, 3});
  Tape tape;
  const uint64_t before = Tape::recorded();
  EXPECT_FALSE(requires_grad(sum(x * x)));
  EXPECT_EQ(Tape::recorded(), before);
  EXPECT_TRUE(tape.nodes().empty());
}

TEST(Tape, RecordsNothingWhileThereIsANoTape) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor a = square(w);
  {
    const NoTape quiet;
    EXPECT_EQ(Tape::active(), nullptr);
    EXPECT_FALSE(requires_grad(square(w)));
  }
  EXPECT_EQ(Tape::active(), &tape);
  EXPECT_EQ(tape.nodes().size(), 1u);
  tape.backward(sum(a));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{2, 4}));
}

TEST(Tape, BackwardRecordsNothing) {
  const Tensor w = leaf(Tensor::of({{1, 2}, {3, 4}}));
  Tape tape;
  const Tensor y = sum(square(transpose(matmul(w, w))));
  const uint64_t before = Tape::recorded();
  tape.backward(y);
  EXPECT_EQ(Tape::recorded(), before);
}

TEST(Tape, DetachCutsTheWay) {
  EXPECT_EQ(slope(Tensor::scalar(3), [](const Tensor& x) { return x * detach(x); }), 3);
}

TEST(Tape, IsClearedAndUsedAgain) {
  const Tensor w = leaf(Tensor::of({3}));
  Tape tape;
  for (int i = 0; i < 3; ++i) {
    tape.backward(sum(square(w)));
    EXPECT_EQ(tape.grad(w).item(), 6);
    tape.clear();
    EXPECT_TRUE(tape.nodes().empty());
  }
}

// ---- nesting ----

TEST(Tape, TapesNest) {
  const Tensor w = leaf(Tensor::of({3}));
  Tape outer;
  const Tensor a = square(w);
  {
    Tape inner;
    EXPECT_EQ(Tape::active(), &inner);
    inner.backward(sum(scale(w, 5)));
    EXPECT_EQ(inner.grad(w).item(), 5);
  }
  EXPECT_EQ(Tape::active(), &outer);
  outer.backward(sum(a));
  EXPECT_EQ(outer.grad(w).item(), 6);
}

TEST(Tape, KeepsItsScopesWhileAnotherTapeComesAndGoes) {
  const Tensor w = leaf(Tensor::of({3}));
  Tape tape;
  {
    const Scope scope("encoder");
    square(w);
  }
  {
    const NoTape quiet;  // as in an evaluation that itself needs gradients
    Tape other;
    square(w);
  }
  {
    const Scope scope("decoder");
    square(w);
  }
  EXPECT_EQ(scope_path(tape.nodes()[0].scope), "encoder");
  EXPECT_EQ(scope_path(tape.nodes()[1].scope), "decoder");
}

// ---- as data ----

TEST(Tape, IsReadAsAList) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Scope scope("decoder");
  named(w, "w");
  const Tensor y = named(sum(named(square(w), "h")), "loss");
  const std::string text = to_text(tape);
  EXPECT_NE(text.find("square(w)"), std::string::npos) << text;
  EXPECT_NE(text.find("sum(h)"), std::string::npos) << text;
  EXPECT_NE(text.find("y = x^2"), std::string::npos) << text;
  EXPECT_NE(text.find("decoder"), std::string::npos) << text;
  EXPECT_EQ(tape.nodes().size(), 2u);
  EXPECT_EQ(tape.name_of(y.ref().slot), "loss");
}

// ---- threads ----

// Gradient of a small network on a shared weight, from data of its own.
V train_once(const Tensor& w, uint64_t seed) {
  Rng rng(seed);
  V last;
  for (int step = 0; step < 20; ++step) {
    const Tensor x = Tensor::normal({4, 8}, 0, 1, rng);
    Tape tape;
    const Scope scope("step", step);
    tape.backward(sum(square(tanh(matmul(x, w)))));
    last = tape.grad(w).to_vector();
  }
  return last;
}

TEST(Tape, TwoThreadsTrainOnOneWeightAsIfAlone) {
  Rng rng(4);
  const Tensor w = leaf(Tensor::normal({8, 8}, 0, 1, rng));
  const V alone_1 = train_once(w, 1), alone_2 = train_once(w, 2);
  V first, second;
  std::thread one([&] { first = train_once(w, 1); });
  std::thread two([&] { second = train_once(w, 2); });
  one.join();
  two.join();
  EXPECT_EQ(first, alone_1);
  EXPECT_EQ(second, alone_2);
}

// ---- memory ----

TEST(Tape, ARepeatedStepTakesNothingFromTheSystem) {
  if (!pool_reuses()) GTEST_SKIP() << "under AddressSanitizer no memory is reused";
  Rng rng(6);
  const Tensor w = leaf(Tensor::normal({16, 16}, 0, 0.1, rng));
  const Tensor bias = leaf(Tensor::zeros({16}));
  const Tensor x = Tensor::normal({8, 16}, 0, 1, rng);
  const auto step = [&] {
    Tape tape;
    Tensor h = x;
    for (int i = 0; i < 5; ++i) h = tanh(linear(h, w, bias));
    tape.backward(sum(softmax(h) * h));
    return tape.grad(w).at({0, 0});
  };
  const double first = step();
  step();
  const uint64_t before = pool_stats().allocations, requests = pool_stats().requests;
  EXPECT_EQ(step(), first);
  EXPECT_EQ(pool_stats().allocations, before);
  EXPECT_GT(pool_stats().requests, requests);
}

TEST(Tape, LetsGoOfWhatAnOpSavedOnceItsGradientIsPassedOn) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tensor early, late;
  Tape tape;
  {
    const Tensor a = exp(w), b = exp(a);
    early = a, late = b;
    BackwardSweep sweep(tape, sum(b), Tensor::scalar(1));
    EXPECT_FALSE(early.buffer().unique() || late.buffer().unique());
    ASSERT_TRUE(sweep.next() && sweep.next());  // sum, the second exp
  }
  EXPECT_TRUE(late.buffer().unique()) << "its op has been walked";
  EXPECT_FALSE(early.buffer().unique()) << "its op has not";
}

// What the newest op of the active tape keeps.
std::set<std::string> kept() {
  struct Names final : SavedVisitor {
    std::set<std::string> all;
    void operator()(std::string_view name, const Saved& saved) override {
      if (saved->defined()) all.emplace(name);
    }
  } names;
  const Node& newest = Tape::active()->nodes().back();
  newest.table->saved(newest.op, names);
  return names.all;
}

TEST(Tape, AnOpKeepsOnlyWhatTheGradientsOfItsInputsNeed) {
  using Names = std::set<std::string>;
  Rng rng(1);
  const Tensor x = Tensor::uniform({3, 3}, 1, 2, rng, f64);
  const Tensor w = leaf(x);
  struct Binary {
    Tensor (*op)(const Tensor& a, const Tensor& b);
    Names both, first, second;  // which of a and b have a gradient
  };
  const auto affine = [](const Tensor& a, const Tensor& b) { return linear(a, b, {}); };
  const Binary all[] = {
      {mul, {"a", "b"}, {"b"}, {"a"}},       {div, {"b", "y"}, {"b"}, {"b", "y"}},
      {matmul, {"a", "b"}, {"b"}, {"a"}},    {matmul_nt, {"a", "b"}, {"b"}, {"a"}},
      {matmul_tn, {"a", "b"}, {"b"}, {"a"}}, {affine, {"x", "weight"}, {"weight"}, {"x"}}};
  for (const Binary& b : all) {
    Tape tape;
    (void)b.op(w, w);
    EXPECT_EQ(kept(), b.both) << tape.nodes().back().table->info->name;
    (void)b.op(w, x);
    EXPECT_EQ(kept(), b.first) << tape.nodes().back().table->info->name;
    (void)b.op(x, w);
    EXPECT_EQ(kept(), b.second) << tape.nodes().back().table->info->name;
  }
  Tape tape;
  const Tensor z = neg(w), product = matmul(z, x);
  EXPECT_TRUE(z.buffer().unique()) << "nobody asks for the gradient of x";
}

// ctest runs this with a stack of 1 MiB: nothing in it may recurse.
TEST(LongChain, AMillionOpsAreBuiltDifferentiatedAndFreed) {
  const Tensor w = leaf(Tensor::scalar(1.5, f64));
  const Tensor one = Tensor::scalar(1, f64);
  for (int round = 0; round < 2; ++round) {
    Tape tape;
    Tensor y = w;
    for (int i = 0; i < 500'000; ++i) y = neg(mul(y, one));
    EXPECT_EQ(tape.nodes().size(), 1'000'000u);
    tape.backward(y);
    EXPECT_EQ(y.item(), 1.5);
    EXPECT_EQ(tape.grad(w).item(), 1);
  }
}

}  // namespace
}  // namespace heed
