// bench scaling: the same step by 1, 2, 4, ... threads, all measured in turn.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "tests/bench/commands.h"

namespace heed::bench {

std::vector<ScalingFigure> measure_scaling(const Workload& w, int64_t most, double seconds) {
  constexpr int kRounds = 5;
  struct Point {
    int64_t threads;
    std::unique_ptr<Training> training;
    std::vector<double> rates{};
    Burst all{};
  };
  std::vector<Point> points;
  for (int64_t n = 1; n <= most; n = n < most ? std::min(2 * n, most) : most + 1) {
    points.push_back({n, std::make_unique<Training>(w, n)});
    for (int i = 0; i < 3; ++i) points.back().training->step();
  }
  const double each = seconds / kRounds / static_cast<double>(points.size());
  const auto tokens = static_cast<double>(w.target_tokens());
  for (int round = 0; round < kRounds; ++round)
    for (Point& p : points) {
      p.training->step();  // the caches hold the other point's model
      const Burst burst = train_for(*p.training, each);
      p.all += burst;
      p.rates.push_back(burst.steps * tokens / burst.wall);
    }
  std::vector<ScalingFigure> all;
  for (const Point& p : points) {
    const double rate = median(p.rates);
    all.push_back({p.threads, rate, all.empty() ? 1 : rate / all[0].tokens_per_second,
                   p.all.cpu / p.all.wall});
  }
  return all;
}

Run add_scaling(CommandLine& program) {
  CommandLine command =
      program.add_command("scaling", "Target tokens per second at 1, 2, 4, ... threads");
  auto f = std::make_shared<Flags>();
  f->threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
  add_config(command, *f, true);
  add_sizes(command, *f);
  add_threads(command, *f, "The most to try");
  add_seconds(command, *f, "To measure each configuration for");
  add_json(command, *f);
  return measured([f] {
    if (!f->json) fmt::print("{}\n", machine_text());
    for (const std::string& config : f->configs.empty() ? config_names() : f->configs)
      for (const auto& s : measure_scaling(workload(config, f->sizes), f->threads, f->seconds)) {
        if (f->json) {
          fmt::print("{}\n", Json{{"config", config},
                                  {"threads", s.threads},
                                  {"target_tokens_per_second", s.tokens_per_second},
                                  {"speedup", s.speedup},
                                  {"cpu_per_wall", s.cpu_per_wall}}
                                 .dump());
        } else {
          fmt::print("  {:18} {:3} threads {:>9} target tokens/s, {:.2f}x, CPU/wall {:.2f}\n",
                     config, s.threads, thousands(s.tokens_per_second), s.speedup, s.cpu_per_wall);
        }
      }
  });
}

}  // namespace heed::bench
