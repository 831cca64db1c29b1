// Positions: sinusoids against the closed form and their own algebra, learned tables, and errors.
#include "layers/positions.h"

#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

TEST(Sinusoids, AreTheFormulaOfThePaper) {
  const Tensor pe = sinusoids(3, 4, 0, f64);  // frequencies 1 and 1 / 100
  expect_close("size 4", pe.to_vector(),
               {0, 1, 0, 1,                                                    // position 0
                std::sin(1.0), std::cos(1.0), std::sin(0.01), std::cos(0.01),  // 1
                std::sin(2.0), std::cos(2.0), std::sin(0.02), std::cos(0.02)},
               1e-15);
  // Size 6: 10000^(2/6) = 21.544..., 10000^(4/6) = 464.158...
  const Tensor one = sinusoids(1, 6, 7, f64);
  expect_close("size 6", one.to_vector(),
               {0.6569865987187891, 0.7539022543433046, 0.31922465060631494, 0.9476790714399449,
                0.015080471170057421, 0.9998862832288925},
               1e-15);
}

// A shift by k positions is a rotation of every pair, by an angle that does not depend on where.
TEST(Sinusoids, AShiftIsARotation) {
  const int64_t size = 8, k = 5;
  const Tensor pe = sinusoids(20, size, 0, f64);
  for (int64_t i = 0; i < size; i += 2) {
    const double w = std::pow(10000.0, -static_cast<double>(i) / size), c = std::cos(k * w),
                 s = std::sin(k * w);
    for (int64_t t = 0; t + k < 20; ++t) {
      EXPECT_NEAR(pe.at({t + k, i}), c * pe.at({t, i}) + s * pe.at({t, i + 1}), 1e-14);
      EXPECT_NEAR(pe.at({t + k, i + 1}), c * pe.at({t, i + 1}) - s * pe.at({t, i}), 1e-14);
    }
  }
}

TEST(Sinusoids, AnOffsetIsTheTailOfTheTable) {
  EXPECT_EQ(sinusoids(3, 6, 4, f64).to_vector(),
            slice(sinusoids(7, 6, 0, f64), 0, 4, 7).to_vector());
  EXPECT_EQ(sinusoids(0, 6).shape(), (Shape{0, 6}));
}

TEST(Sinusoids, SinglePrecisionIsTheRoundedDouble) {
  EXPECT_EQ(sinusoids(50, 16, 1000).to_vector(),
            cast(sinusoids(50, 16, 1000, f64), f32).to_vector());
}

TEST(Sinusoids, AreAddedToEverySentence) {
  const Tensor x = leaf(noise({2, 3, 4}, 1));
  const Tensor y = add_sinusoids(x, 2), pe = sinusoids(3, 4, 2, f64);
  ASSERT_EQ(y.shape(), x.shape());
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(y.at({b, t, i}), x.at({b, t, i}) + pe.at({t, i}));
  const Tensor dy = noise({2, 3, 4}, 2);
  Tape tape;
  tape.backward(add_sinusoids(x), dy);
  EXPECT_EQ(tape.grad(x).to_vector(), dy.to_vector());
}

TEST(Sinusoids, SayWhatDoesNotFit) {
  EXPECT_EQ(argument_error([] { sinusoids(3, 5); }),
            "sinusoids: expected an even size >= 2 (a sine and a cosine for each frequency), got "
            "5; a learned table has any size");
  EXPECT_NE(argument_error([] {
              add_sinusoids(noise({2, 3, 5}, 1));
            }).find("got 5"),
            std::string::npos);
  EXPECT_NE(argument_error([] { sinusoids(3, 0); }).find("got 0"), std::string::npos);
  EXPECT_EQ(argument_error([] { sinusoids(3, 4, -1); }),
            "sinusoids: expected steps and an offset >= 0, got 3 and -1");
  EXPECT_EQ(argument_error([] { sinusoids(-1, 4); }),
            "sinusoids: expected steps and an offset >= 0, got -1 and 0");
  EXPECT_EQ(argument_error([] { add_sinusoids(noise({4}, 1)); }),
            "sinusoids: expected x [..., T, size], got tensor f64 [4]");
  EXPECT_EQ(argument_error([] { add_sinusoids({}); }),
            "sinusoids: expected x [..., T, size], got tensor (none)");
}

LearnedPositions table() {
  Rng rng(1);
  LearnedPositions f({.count = 6, .size = 3}, rng);
  to(f, f64);
  return f;
}

TEST(LearnedPositions, AddTheRowsOfTheTable) {
  const LearnedPositions f = table();
  const Tensor x = noise({2, 4, 3}, 1), y = f(x, 2);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t i = 0; i < 3; ++i)
        EXPECT_EQ(y.at({b, t, i}), x.at({b, t, i}) + f.weight.at({t + 2, i}));
}

TEST(LearnedPositions, RowsThatAreNotReachedGetNoGradient) {
  const LearnedPositions f = table();
  Tape tape;
  tape.backward(sum(f(noise({2, 3, 3}, 1), 1)));
  const Numbers g = tape.grad(f.weight).to_vector();
  for (size_t i = 0; i < g.size(); ++i) EXPECT_EQ(g[i], i >= 3 && i < 12 ? 2 : 0) << i;
}

TEST(LearnedPositions, AreAsLargeAsSinusoidsAtFirst) {
  Rng rng(1);
  const LearnedPositions f({.count = 200, .size = 8}, rng);
  EXPECT_NEAR(mean(square(f.weight)).item(), 0.5, 0.05);
  EXPECT_NEAR(mean(square(sinusoids(200, 8))).item(), 0.5, 1e-6);
}

TEST(LearnedPositions, SayWhatDoesNotFit) {
  const LearnedPositions f = table();
  EXPECT_EQ(argument_error([&] {
              f(noise({2, 7, 3}, 1));
            }),
            "learned positions: the table ends at position 5, got a sentence that reaches position "
            "6; make the table longer or use sinusoids");
  EXPECT_EQ(argument_error([&] {
              f(noise({2, 1, 3}, 1), 6);
            }),
            "learned positions: the table ends at position 5, got a sentence that reaches position "
            "6; make the table longer or use sinusoids");
  EXPECT_EQ(argument_error([&] {
              f(noise({2, 3, 4}, 1));
            }),
            "learned positions: expected x [..., T, 3], got tensor f64 [2, 3, 4]");
  EXPECT_EQ(argument_error([&] {
              f(noise({2, 3, 3}, 1), -1);
            }),
            "learned positions: expected an offset >= 0, got -1");
  EXPECT_EQ(argument_error([] {
              Rng rng(1);
              LearnedPositions({.count = 0, .size = 3}, rng);
            }),
            "learned positions: expected a count and a size >= 1, got 0 and 3");
}

}  // namespace
}  // namespace heed::test
