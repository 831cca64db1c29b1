// Schedules at points where their formula can be worked out by hand.
#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/optim/optim_checks.h"

namespace heed {
namespace {

TEST(Schedule, ConstantStays) {
  const Schedule s = make_schedule("constant", {.rate = 0.3});
  EXPECT_EQ(rate_at(s, 0), 0.3);
  EXPECT_EQ(rate_at(s, 1000000), 0.3);
  EXPECT_EQ(rate_at(make_schedule("constant"), 5), 1e-3);
}

TEST(Schedule, StepFallsAtMultiples) {
  const Schedule s = make_schedule("step", {.rate = 8, .every = 10, .factor = 0.5});
  EXPECT_EQ(rate_at(s, 0), 8);
  EXPECT_EQ(rate_at(s, 9), 8);
  EXPECT_EQ(rate_at(s, 10), 4);
  EXPECT_EQ(rate_at(s, 39), 1);
  EXPECT_DOUBLE_EQ(rate_at(StepRate{.rate = 1, .every = 1, .factor = 0.9}, 3), 0.729);
}

TEST(Schedule, CosineRisesInALineWhileItWarmsUp) {
  const Schedule s = make_schedule("cosine", {.rate = 8, .total = 12, .least = 2, .warmup = 4});
  for (int64_t t = 0; t < 4; ++t)
    EXPECT_NEAR(rate_at(s, t), 2.0 * static_cast<double>(t + 1), 1e-12);
  EXPECT_NEAR(rate_at(s, 4), 8, 1e-12);   // the curve begins at its peak
  EXPECT_NEAR(rate_at(s, 8), 5, 1e-12);   // is half way in its middle
  EXPECT_NEAR(rate_at(s, 12), 2, 1e-12);  // and ends where it always did
}

TEST(Schedule, CosineFallsFromRateToLeast) {
  const Schedule s = make_schedule("cosine", {.rate = 5, .total = 12, .least = 1});
  EXPECT_EQ(rate_at(s, 0), 5);
  EXPECT_NEAR(rate_at(s, 4), 4, 1e-14);  // cos 60 degrees = 1/2
  EXPECT_NEAR(rate_at(s, 6), 3, 1e-14);
  EXPECT_NEAR(rate_at(s, 8), 2, 1e-14);
  EXPECT_EQ(rate_at(s, 12), 1);
  EXPECT_EQ(rate_at(s, 100), 1);
}

TEST(Schedule, InverseSqrtRisesToItsPeakAndFalls) {
  const Schedule s = make_schedule("inverse-sqrt", {.rate = 2, .warmup = 4});
  EXPECT_EQ(rate_at(s, 0), 0.5);
  EXPECT_EQ(rate_at(s, 1), 1);
  EXPECT_EQ(rate_at(s, 3), 2);   // step number 4
  EXPECT_EQ(rate_at(s, 15), 1);  // step number 16: half of the peak
  EXPECT_EQ(rate_at(s, 63), 0.5);
}

TEST(Schedule, NoamIsTheFormulaOfThePaper) {
  // d = 512, warmup = 4000, the base model: the peak is 512^-0.5 4000^-0.5 = 6.98771e-4.
  const Schedule s = make_schedule("noam", {.warmup = 4000, .width = 512});
  EXPECT_NEAR(rate_at(s, 3999), 6.98771243e-4, 1e-12);
  EXPECT_NEAR(rate_at(s, 0), 6.98771243e-4 / 4000, 1e-15);
  EXPECT_NEAR(rate_at(s, 15999), 6.98771243e-4 / 2, 1e-12);
  // The same curve as the plain one, with that peak; `rate` scales it.
  const Schedule twice = make_schedule("noam", {.rate = 2, .warmup = 100, .width = 64});
  const InverseSqrtRate plain{.rate = 2 / std::sqrt(64.0 * 100), .warmup = 100};
  for (const int64_t t : {0, 1, 50, 98, 99, 100, 101, 5000})
    EXPECT_NEAR(rate_at(twice, t), plain.at(t), 1e-16) << t;
}

TEST(Schedule, PlateauWaitsThenFalls) {
  Schedule s = make_schedule("plateau", {.rate = 1, .factor = 0.5, .least = 0.2, .patience = 2});
  const auto after = [&](double loss) {
    observe(s, loss);
    return rate_at(s, 0);
  };
  EXPECT_EQ(rate_at(s, 0), 1);
  EXPECT_EQ(after(10), 1);
  EXPECT_EQ(after(9), 1);
  EXPECT_EQ(after(9), 1);       // waited 1
  EXPECT_EQ(after(8.9995), 1);  // 2: better by less than the threshold, 1e-4 of 9
  EXPECT_EQ(after(8), 1);       // better: counts from 0 again
  EXPECT_EQ(after(9), 1);
  EXPECT_EQ(after(NAN), 1);
  EXPECT_EQ(after(8), 0.5);  // the third: more than patience
  EXPECT_EQ(after(8), 0.5);
  EXPECT_EQ(after(8), 0.5);
  EXPECT_EQ(after(8), 0.25);
  for (int i = 0; i < 9; ++i) after(8);
  EXPECT_EQ(rate_at(s, 0), 0.2) << "never below least";
}

TEST(Schedule, PlateauKnowsBetterBelowZero) {
  PlateauRate s{.rate = 1, .factor = 0.5, .patience = 0};
  s.observe(-10);
  s.observe(-11);
  EXPECT_EQ(s.rate, 1);
  s.observe(-11);
  EXPECT_EQ(s.rate, 0.5);
}

TEST(Schedule, PlateauWithNothingButNaNFallsToo) {
  PlateauRate s{.rate = 1, .factor = 0.5, .patience = 0};
  s.observe(NAN);
  s.observe(INFINITY);
  EXPECT_EQ(s.rate, 0.25);
}

TEST(Schedule, OthersDoNotListen) {
  Schedule s = make_schedule("constant", {.rate = 0.3});
  for (int i = 0; i < 50; ++i) observe(s, 1);
  EXPECT_EQ(rate_at(s, 0), 0.3);
}

TEST(Schedule, RefusesWhatMakesNoSense) {
  const auto refused = [](const char* name, const ScheduleOptions& o, const std::string& text) {
    expect_error<std::invalid_argument>([&] { make_schedule(name, o); }, text);
  };
  refused("constant", {.rate = -1}, "constant: expected a finite rate >= 0, got -1");
  refused("constant", {.rate = NAN}, "constant: expected a finite rate >= 0, got nan");
  refused("step", {}, "step: expected every > 0, got 0");
  refused("step", {.every = 5, .factor = 2}, "step: expected factor in [0, 1], got 2");
  refused("cosine", {}, "cosine: expected total > 0, got 0");
  refused("cosine", {.rate = 1, .total = 5, .least = 2},
          "cosine: expected least in [0, rate = 1], got 2");
  refused("inverse-sqrt", {.warmup = -3}, "inverse-sqrt: expected warmup > 0, got -3");
  refused("noam", {.warmup = 3}, "noam: expected width > 0, got 0");
  refused("noam", {.width = 3}, "noam: expected warmup > 0, got 0");
  refused("plateau", {.patience = -1}, "plateau: expected patience >= 0, got -1");
  refused("plateau", {.factor = -1}, "plateau: expected factor in [0, 1], got -1");
  refused("cosine", {.rate = 1, .total = 5, .warmup = 5},
          "cosine: expected warmup in [0, total = 5), got 5");
  refused("cosine", {.total = 5, .width = 3},
          "the schedule cosine has no option 'width'; it has rate, total, least, warmup");
  refused("constant", {.total = 5}, "the schedule constant has no option 'total'; it has rate");
  refused(
      "linear", {},
      "expected a schedule constant, step, cosine, inverse-sqrt, noam or plateau, got 'linear'");
  expect_error<std::invalid_argument>([] { rate_at(ConstantRate{1}, -1); },
                                      "schedule: expected a step >= 0, got -1");
}

}  // namespace
}  // namespace heed
