// The schedules of teacher forcing against their formulas.
#include "layers/teacher_forcing.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

using S = ForcingSchedule;

TEST(TeacherForcing, FollowsItsFormulas) {
  EXPECT_EQ(forcing_ratio(S::constant, 0.3, 7, 10), 0.3);
  EXPECT_NEAR(forcing_ratio(S::linear, 0.2, 0, 10), 1, 1e-15);
  EXPECT_NEAR(forcing_ratio(S::linear, 0.2, 5, 10), 0.6, 1e-15);
  EXPECT_NEAR(forcing_ratio(S::exponential, 0.25, 5, 10), 0.5, 1e-15);
  // k = e^2: k ln k = 2 e^2, so total = 4 e^2 has its middle there; 30 is close to it.
  const double half = forcing_ratio(S::inverse_sigmoid, 0, 15, 30);
  EXPECT_NEAR(half, 0.5, 1e-12);
  EXPECT_GT(forcing_ratio(S::inverse_sigmoid, 0, 0, 1000), 0.98);
}

TEST(TeacherForcing, FallsFromOneToItsLeast) {
  for (const S s : {S::linear, S::exponential, S::inverse_sigmoid}) {
    double last = 1 + 1e-12;
    for (int64_t t = 0; t <= 200; ++t) {
      const double now = forcing_ratio(s, 0.1, t, 200);
      EXPECT_LE(now, last) << name_of(s) << " at " << t;
      EXPECT_GE(now, 0.1 - 1e-12) << name_of(s) << " at " << t;
      last = now;
    }
    EXPECT_NEAR(last, 0.1, 1e-12) << name_of(s);
    EXPECT_NEAR(forcing_ratio(s, 0.1, 5000, 200), 0.1, 1e-12) << name_of(s);
    EXPECT_EQ(forcing_named(name_of(s)), s);
  }
  EXPECT_FALSE(forcing_named("cosine"));
}

TEST(TeacherForcing, RefusesWhatMakesNoSense) {
  EXPECT_EQ(argument_error([] { forcing_ratio(S::linear, 1.5, 0, 1); }),
            "teacher forcing: expected a ratio in [0, 1], got 1.5");
  EXPECT_EQ(argument_error([] { forcing_ratio(S::exponential, 0, 0, 1); }),
            "teacher forcing: expected a ratio in (0, 1], got 0");
  EXPECT_EQ(argument_error([] { forcing_ratio(S::linear, 0.5, 0, 0); }),
            "teacher forcing: expected a step >= 0 of > 0, got 0 of 0");
}

}  // namespace
}  // namespace heed::test
