// bench all: everything as one Markdown table.
#include <fmt/format.h>

#include <cstdio>
#include <thread>

#include "core/version.h"
#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

void row(const std::string& what, int64_t threads, const std::string& measured,
         const std::string& beside, const std::string& memory) {
  fmt::print("| {} | {} | {} | {} | {} |\n", what, threads, measured, beside, memory);
  std::fflush(stdout);  // it takes minutes, and a line that is there is worth reading
}

void steps(const Flags& f) {
  for (const std::string& config : f.configs) {
    const Workload w = workload(config, f.sizes);
    const Json s = in_child([&] { return to_json(measure_step(w, 1, f.seconds, false)); });
    const auto number = [&](const char* key) { return s.at(key).get<double>(); };
    row(config + ", a training step", 1,
        thousands(number("target_tokens_per_second")) + " target tokens/s",
        fmt::format("{:.2f} of the floor of products, {}", number("ratio_to_floor"),
                    thousands(number("floor_target_tokens_per_second"))),
        fmt::format("{:.0f} MB, {:.1f} allocations per step", number("resident_mb"),
                    number("allocations_per_step")));
  }
}

void scaling(const Flags& f) {
  for (const std::string& config : f.configs) {
    const Workload w = workload(config, f.sizes);
    const Json all = in_child([&] {
      Json list = Json::array();
      for (const ScalingFigure& s : measure_scaling(w, f.threads, f.seconds))
        list.push_back({{"threads", s.threads},
                        {"rate", s.tokens_per_second},
                        {"speedup", s.speedup},
                        {"cpu", s.cpu_per_wall}});
      return list;
    });
    for (const Json& s : all)
      if (const auto threads = s.at("threads").get<int64_t>(); threads > 1)
        row(config + ", scaling", threads,
            thousands(s.at("rate").get<double>()) + " target tokens/s",
            fmt::format("{:.2f}x of one thread, CPU/wall {:.2f}", s.at("speedup").get<double>(),
                        s.at("cpu").get<double>()),
            "");
  }
}

void growth(const Flags& f) {
  const std::string& config = f.configs[0];
  for (const GrowthFigure& g : measure_growth(workload(config, f.sizes), 1, 1, f.seconds)) {
    static GrowthFigure before;
    if (g.factor > 1)
      row(fmt::format("{}, {} doubled", config, g.what), 1,
          fmt::format("{:.2f} ms per step, x{:.2f}", g.step_ms, g.step_ms / before.step_ms),
          fmt::format("arithmetic x{:.2f}", g.gflop / before.gflop),
          fmt::format("{:.0f} MB, x{:.2f}", g.peak_mb, g.peak_mb / before.peak_mb));
    before = g;
  }
}

void gemms(const Flags& f) {
  for (const GemmFigure& g : measure_gemms(f.seconds))
    row(fmt::format("product {} ({}): {}", g.shape, g.use, g.by), 1,
        fmt::format("{:.0f} GFLOP/s", g.gflops), g.core, "");
}

void ops(const Flags& f) {
  const Json all = in_child([&] {
    Json list = Json::array();
    for (const OpFigure& o : measure_ops(f.seconds)) list.push_back({o.op, o.nanoseconds});
    return list;
  });
  for (const Json& o : all)
    row(fmt::format("{} of 4x4, forward and backward", o[0].get<std::string>()), 1,
        fmt::format("{:.0f} ns", o[1].get<double>()), "", "");
}

}  // namespace

Run add_all(CommandLine& program) {
  CommandLine command = program.add_command("all", "Everything, as one Markdown table");
  auto f = std::make_shared<Flags>();
  f->threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
  add_config(command, *f, true);
  add_sizes(command, *f);
  add_threads(command, *f, "The most to try");
  add_seconds(command, *f, "To measure each part for");
  return measured([f] {
    if (f->configs.empty()) f->configs = config_names();
    for (const std::string& config : f->configs) (void)workload(config, f->sizes);  // or refuse now
    // All of it in child processes: kernels are chosen once per process, and memory only grows.
    const Json about = in_child([]() -> Json { return {version_text("bench"), machine_text()}; });
    fmt::print("{}{}\n\n", about[0].get<std::string>(), about[1].get<std::string>());
    fmt::print("| what | threads | measured | beside it | memory |\n|---|---|---|---|---|\n");
    steps(*f);
    scaling(*f);
    ops(*f);
    gemms(*f);
    growth(*f);
  });
}

}  // namespace heed::bench
