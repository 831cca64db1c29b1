#include "optim/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace heed {
namespace {

void require_rate(std::string_view name, double rate) {
  require(rate >= 0 && std::isfinite(rate), "{}: expected a finite rate >= 0, got {}", name, rate);
}
void require_count(std::string_view name, std::string_view option, int64_t count) {
  require(count > 0, "{}: expected {} > 0, got {}", name, option, count);
}
void require_factor(std::string_view name, double factor) {
  require(factor >= 0 && factor <= 1, "{}: expected factor in [0, 1], got {}", name, factor);
}
void require_least(std::string_view name, double least, double rate) {
  require(least >= 0 && least <= rate, "{}: expected least in [0, rate = {}], got {}", name, rate,
          least);
}

}  // namespace

double ConstantRate::at(int64_t) const {
  require_rate("constant", rate);
  return rate;
}

double StepRate::at(int64_t t) const {
  require_rate("step", rate);
  require_count("step", "every", every);
  require_factor("step", factor);
  return rate * std::pow(factor, static_cast<double>(t / every));
}

double CosineRate::at(int64_t t) const {
  require_rate("cosine", rate);
  require_count("cosine", "total", total);
  require_least("cosine", least, rate);
  require(warmup >= 0 && warmup < total, "cosine: expected warmup in [0, total = {}), got {}",
          total, warmup);
  if (t < warmup) return rate * static_cast<double>(t + 1) / static_cast<double>(warmup);
  const double done =
      static_cast<double>(std::min(t, total) - warmup) / static_cast<double>(total - warmup);
  return least + (rate - least) * (1 + std::cos(std::numbers::pi * done)) / 2;
}

double InverseSqrtRate::at(int64_t t) const {
  require_rate("inverse-sqrt", rate);
  require_count("inverse-sqrt", "warmup", warmup);
  const double progress = static_cast<double>(t + 1) / static_cast<double>(warmup);
  return rate * std::min(progress, 1 / std::sqrt(progress));
}

double NoamRate::at(int64_t t) const {
  require_rate("noam", scale);
  require_count("noam", "width", width);
  require_count("noam", "warmup", warmup);
  const auto n = static_cast<double>(t + 1), w = static_cast<double>(warmup);
  return scale / std::sqrt(static_cast<double>(width)) *
         std::min(1 / std::sqrt(n), n / (w * std::sqrt(w)));
}

double PlateauRate::at(int64_t) const {
  require_rate("plateau", rate);
  require_factor("plateau", factor);
  require_least("plateau", least, rate);
  require(patience >= 0, "plateau: expected patience >= 0, got {}", patience);
  require(threshold >= 0 && std::isfinite(threshold),
          "plateau: expected a finite threshold >= 0, got {}", threshold);
  return rate;
}

void PlateauRate::observe(double loss) {
  const double margin = std::isfinite(best) ? threshold * std::abs(best) : 0;
  if (loss < best - margin) {
    best = loss;
    waited = 0;
  } else if (++waited > patience) {
    rate = std::max(rate * factor, least);
    waited = 0;
  }
}

double rate_at(const Schedule& schedule, int64_t t) {
  require(t >= 0, "schedule: expected a step >= 0, got {}", t);
  return std::visit([t](const auto& s) { return s.at(t); }, schedule);
}

void observe(Schedule& schedule, double loss) {
  if (auto* plateau = std::get_if<PlateauRate>(&schedule)) plateau->observe(loss);
}

// ---- by name ----

namespace {

void require_known(std::string_view name, const ScheduleOptions& o,
                   std::initializer_list<std::string_view> known) {
  const std::pair<std::string_view, bool> options[] = {
      {"every", o.every.has_value()},      {"factor", o.factor.has_value()},
      {"total", o.total.has_value()},      {"least", o.least.has_value()},
      {"warmup", o.warmup.has_value()},    {"width", o.width.has_value()},
      {"patience", o.patience.has_value()}};
  for (const auto& [option, given] : options)
    require(!given || std::find(known.begin(), known.end(), option) != known.end(),
            "the schedule {} has no option '{}'; it has rate{}{}", name, option,
            known.size() ? ", " : "", fmt::join(known, ", "));
}

Schedule schedule_named(std::string_view name, const ScheduleOptions& o) {
  const double rate = o.rate.value_or(1e-3);
  // A count without a default is 0 when it was not given, which the schedule refuses by name.
  const int64_t every = o.every.value_or(0), total = o.total.value_or(0),
                warmup = o.warmup.value_or(0), width = o.width.value_or(0);
  if (name == "constant") {
    require_known(name, o, {});
    return ConstantRate{.rate = rate};
  }
  if (name == "step") {
    require_known(name, o, {"every", "factor"});
    StepRate s{.rate = rate, .every = every};
    s.factor = o.factor.value_or(s.factor);
    return s;
  }
  if (name == "cosine") {
    require_known(name, o, {"total", "least", "warmup"});
    CosineRate s{.rate = rate, .total = total};
    s.least = o.least.value_or(s.least);
    s.warmup = o.warmup.value_or(s.warmup);
    return s;
  }
  if (name == "inverse-sqrt") {
    require_known(name, o, {"warmup"});
    return InverseSqrtRate{.rate = rate, .warmup = warmup};
  }
  if (name == "noam") {
    require_known(name, o, {"width", "warmup"});
    NoamRate s{.width = width, .warmup = warmup};
    s.scale = o.rate.value_or(s.scale);
    return s;
  }
  require(name == "plateau",
          "expected a schedule constant, step, cosine, inverse-sqrt, noam or plateau, got '{}'",
          name);
  require_known(name, o, {"factor", "patience", "least"});
  PlateauRate s{.rate = rate};
  s.factor = o.factor.value_or(s.factor);
  s.patience = o.patience.value_or(s.patience);
  s.least = o.least.value_or(s.least);
  return s;
}

}  // namespace

Schedule make_schedule(std::string_view name, const ScheduleOptions& options) {
  Schedule schedule = schedule_named(name, options);
  rate_at(schedule, 0);  // refuses what makes no sense now and not in the first step
  return schedule;
}

}  // namespace heed
