#include "layers/teacher_forcing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace heed {
namespace {

constexpr std::array<std::string_view, 4> kNames{"constant", "linear", "exponential",
                                                 "inverse-sigmoid"};

// The k > 1 with k ln k = half, by Newton's method: the function is convex and rises, so from above
// every step comes closer.
double steepness(double half) {
  double k = half + std::exp(1.0);  // k ln k >= k > half
  for (int i = 0; i < 100; ++i) k -= (k * std::log(k) - half) / (std::log(k) + 1);
  return k;
}

}  // namespace

std::string_view name_of(ForcingSchedule schedule) {
  return kNames[static_cast<size_t>(schedule)];
}

std::optional<ForcingSchedule> forcing_named(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<ForcingSchedule>(i);
  return std::nullopt;
}

double forcing_ratio(ForcingSchedule schedule, double least, int64_t t, int64_t total) {
  const bool exponential = schedule == ForcingSchedule::exponential;
  require(least >= 0 && least <= 1 && (least > 0 || !exponential),
          "teacher forcing: expected a ratio in {}0, 1], got {}", exponential ? "(" : "[", least);
  require(t >= 0 && total > 0, "teacher forcing: expected a step >= 0 of > 0, got {} of {}", t,
          total);
  const double steps = static_cast<double>(std::min(t, total)),
               p = steps / static_cast<double>(total);
  switch (schedule) {
    case ForcingSchedule::constant:
      return least;
    case ForcingSchedule::linear:
      return 1 - (1 - least) * p;
    case ForcingSchedule::exponential:
      return std::pow(least, p);
    case ForcingSchedule::inverse_sigmoid:
      break;
  }
  if (t >= total) return least;
  const double k = steepness(static_cast<double>(total) / 2);
  return std::max(least, k / (k + std::exp(steps / k)));
}

}  // namespace heed
