// bench memory: what a training holds, and what a step asks for once it is warm.
#include <fmt/format.h>

#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

constexpr int64_t kWarmUp = 20;

Json measure_memory(const Workload& w, int64_t threads, double seconds, int64_t steps) {
  Training training(w, threads);
  train_for(training, 0, kWarmUp);
  const double warm = resident_mb();
  const Burst b = train_for(training, seconds, steps);
  return {{"config", w.config},
          {"threads", threads},
          {"steps", kWarmUp + static_cast<int64_t>(b.steps)},
          {"warm_resident_mb", warm},
          {"resident_mb", resident_mb()},
          {"peak_resident_mb", peak_resident_mb()},
          {"allocations_per_step", b.allocations / b.steps},
          {"new_buffers_per_step", b.new_buffers / b.steps},
          {"buffers_per_step", b.buffers / b.steps}};
}

}  // namespace

Run add_memory(CommandLine& program) {
  CommandLine command = program.add_command(
      "memory", "Resident memory, and allocations per step after warm-up; each in its own process");
  auto f = std::make_shared<Flags>();
  auto steps = std::make_shared<int64_t>(0);
  add_config(command, *f, true);
  add_sizes(command, *f);
  add_threads(command, *f, "Shards of the batch, each with a thread");
  add_seconds(command, *f, "To train each configuration for");
  command.add_option("--steps", *steps, "To train for, instead of --seconds").between(1, 1e9);
  add_json(command, *f);
  return measured([f, steps] {
    for (const std::string& config : f->configs.empty() ? config_names() : f->configs) {
      const Workload w = workload(config, f->sizes);
      const Json m = in_child([&] { return measure_memory(w, f->threads, f->seconds, *steps); });
      const auto number = [&](const char* key) { return m.at(key).get<double>(); };
      if (f->json) {
        fmt::print("{}\n", m.dump());
      } else {
        fmt::print(
            "  {:18} resident {:.1f} MB after {} steps, {:.1f} after {:.0f}, peak {:.1f}; "
            "allocations per step {:.2f}, of {:.0f} buffers {:.2f}\n",
            config, number("warm_resident_mb"), kWarmUp, number("resident_mb"), number("steps"),
            number("peak_resident_mb"), number("allocations_per_step"), number("buffers_per_step"),
            number("new_buffers_per_step"));
      }
    }
  });
}

}  // namespace heed::bench
