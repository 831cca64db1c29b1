// Learning rates as functions of the step. Each schedule is a small struct of numbers with its
// formula; `Schedule` is any of them. All but PlateauRate depend on the step alone, so a run that
// is taken up again needs the step and nothing else; of a PlateauRate save rate, best and waited.
//
//     Schedule schedule = make_schedule("inverse-sqrt", {.rate = 1e-3, .warmup = 4000});
//     optimizer.rate = rate_at(schedule, optimizer.steps());   // before every step
//     observe(schedule, validation_loss);                      // after every epoch
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <variant>

namespace heed {

// Everywhere below `t` is the number of steps taken before this one: 0 for the first. Each `at`
// throws std::invalid_argument when a member makes no sense.

/// rate
struct ConstantRate {
  double rate;
  double at(int64_t t) const;
};

/// rate * factor^floor(t / every); every = 1 is the exponential schedule.
struct StepRate {
  double rate;
  int64_t every;        // > 0
  double factor = 0.5;  // in [0, 1]
  double at(int64_t t) const;
};

/// least + (rate - least) (1 + cos(pi t / total)) / 2, and `least` from t = total on. Loshchilov &
/// Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts. With `warmup` the rate first rises in a
/// line, rate * (t + 1) / warmup, and the curve is that of t - warmup out of total - warmup.
struct CosineRate {
  double rate;
  int64_t total;       // > 0
  double least = 0;    // in [0, rate]
  int64_t warmup = 0;  // in [0, total)
  double at(int64_t t) const;
};

/// rate * min((t + 1) / warmup, sqrt(warmup / (t + 1))): rises in a line, has its peak `rate` in
/// step number `warmup`, then falls. Vaswani et al. 2017 (arXiv:1706.03762), sec. 5.3, written with
/// its peak.
struct InverseSqrtRate {
  double rate;
  int64_t warmup;  // > 0
  double at(int64_t t) const;
};

/// The same curve as the paper writes it (eq. 3), for a model of this width:
///   scale * width^-0.5 * min((t + 1)^-0.5, (t + 1) * warmup^-1.5)
struct NoamRate {
  int64_t width;   // > 0
  int64_t warmup;  // > 0
  double scale = 1;
  double at(int64_t t) const;
};

/// Multiplies the rate by `factor` when the observed loss has not become better for more than
/// `patience` observations in a row, down to `least`. Better: below best - threshold |best|. A NaN
/// is not better. For positive losses this is PyTorch's ReduceLROnPlateau.
struct PlateauRate {
  double rate;            // now
  double factor = 0.1;    // in [0, 1]
  int64_t patience = 10;  // >= 0
  double least = 0;       // in [0, rate]
  double threshold = 1e-4;
  double best = std::numeric_limits<double>::infinity();
  int64_t waited = 0;  // observations that were not better, since the last that was
  double at(int64_t t) const;
  void observe(double loss);
};

using Schedule =
    std::variant<ConstantRate, StepRate, CosineRate, InverseSqrtRate, NoamRate, PlateauRate>;

/// The learning rate for the step that follows `t` others.
double rate_at(const Schedule& schedule, int64_t t);
/// Tells the schedule a loss; only PlateauRate listens.
void observe(Schedule& schedule, double loss);

/// The members of all schedules together. What is not set has the schedule's default, or is asked
/// for if there is none; `rate` has 1e-3 (noam: its scale, 1).
struct ScheduleOptions {
  std::optional<double> rate = {};
  std::optional<int64_t> every = {};     // step
  std::optional<double> factor = {};     // step, plateau
  std::optional<int64_t> total = {};     // cosine
  std::optional<double> least = {};      // cosine, plateau
  std::optional<int64_t> warmup = {};    // inverse-sqrt, noam, cosine
  std::optional<int64_t> width = {};     // noam
  std::optional<int64_t> patience = {};  // plateau
};

/// "constant", "step", "cosine", "inverse-sqrt", "noam" or "plateau". Throws std::invalid_argument
/// for another name, for an option that the schedule does not have, and for one that is missing or
/// makes no sense.
Schedule make_schedule(std::string_view name, const ScheduleOptions& options = {});

}  // namespace heed
