// bench growth: what doubling one size costs in time and memory, beside what it costs in
// arithmetic.
#include <fmt/format.h>

#include <array>

#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

constexpr std::array<const char*, 4> kSizes{"batch", "length", "hidden", "vocabulary"};

Workload grown(Workload w, const std::string& what, int64_t factor) {
  if (what == "batch") w.batch *= factor;
  if (what == "length") w.src_len *= factor, w.tgt_len *= factor;
  if (what == "hidden" && w.model == Model::transformer) w.emb *= factor, w.ff *= factor;
  if (what == "hidden" && w.model != Model::transformer) w.hidden *= factor;
  if (what == "vocabulary") w.vocab_src *= factor, w.vocab_tgt *= factor;
  return w;
}

constexpr const char* kWhy =
    "arithmetic: operations of the matrix products that a step cannot avoid. Each doubling leaves\n"
    "a part of the step as it is, which pulls a figure towards 1:\n"
    "  batch       weights, Adam and the cost per op stay; more rows make products faster\n"
    "  length      attention grows with S*T, all else with S + T\n"
    "  hidden      weights between states grow with its square; in the transformer it is emb and "
    "ff\n"
    "  vocabulary  the output layer, the embedding tables and their Adam grow, the rest stays\n";

}  // namespace

std::vector<GrowthFigure> measure_growth(const Workload& w, int64_t threads, int64_t doublings,
                                         double seconds) {
  std::vector<GrowthFigure> all;
  const double each =
      seconds / static_cast<double>(kSizes.size()) / static_cast<double>(doublings + 1);
  for (const char* what : kSizes)
    for (int64_t factor = 1; factor <= int64_t{1} << doublings; factor *= 2) {
      const Workload large = grown(w, what, factor);
      const Json m = in_child([&]() -> Json {
        Training training(large, threads);
        for (int i = 0; i < 3; ++i) training.step();
        std::vector<double> steps;
        Stopwatch watch;
        for (double spent = 0; spent < each || steps.empty(); spent += steps.back()) {
          training.step();
          steps.push_back(watch.lap());
        }
        return {{"seconds", median(steps)}, {"mb", peak_resident_mb()}};
      });
      all.push_back({what, factor, 1e3 * m.at("seconds").get<double>(), m.at("mb").get<double>(),
                     1e-9 * flops(unavoidable_products(large, large.batch))});
    }
  return all;
}

Run add_growth(CommandLine& program) {
  CommandLine command = program.add_command(
      "growth", "Doubles batch, length, hidden size and vocabulary, one at a time");
  auto f = std::make_shared<Flags>();
  auto doublings = std::make_shared<int64_t>(2);
  f->seconds = 6;
  add_config(command, *f, true);
  add_sizes(command, *f);
  command.add_option("--doublings", *doublings, "Of each size").show_default().between(1, 8);
  add_threads(command, *f, "Shards of the batch, each with a thread");
  add_seconds(command, *f, "To measure each configuration for");
  add_json(command, *f);
  return measured([f, doublings] {
    if (!f->json) fmt::print("{}\n", machine_text());
    if (f->configs.empty()) f->configs = {"toy-gru"};
    for (const std::string& config : f->configs) {
      const Workload w = workload(config, f->sizes);
      const auto all = measure_growth(w, f->threads, *doublings, f->seconds);
      if (!f->json)
        fmt::print("{}: a doubling multiplies\n  {:12} {:>4} {:>10} {:>9} {:>7} {:>7} {:>11}\n",
                   config, "", "", "ms/step", "peak MB", "time", "memory", "arithmetic");
      for (size_t i = 0; i < all.size(); ++i) {
        const GrowthFigure& g = all[i];
        const GrowthFigure& before = g.factor == 1 ? g : all[i - 1];
        const double time = g.step_ms / before.step_ms, memory = g.peak_mb / before.peak_mb,
                     arithmetic = g.gflop / before.gflop;
        if (f->json) {
          fmt::print("{}\n", Json{{"config", config},
                                  {"what", g.what},
                                  {"factor", g.factor},
                                  {"ms_per_step", g.step_ms},
                                  {"peak_resident_mb", g.peak_mb},
                                  {"gflop", g.gflop},
                                  {"time_per_doubling", time},
                                  {"memory_per_doubling", memory},
                                  {"arithmetic_per_doubling", arithmetic}}
                                 .dump());
        } else if (g.factor == 1) {
          fmt::print("  {:12} {:>4} {:10.2f} {:9.1f}\n", g.what, "x1", g.step_ms, g.peak_mb);
        } else {
          fmt::print("  {:12} {:>4} {:10.2f} {:9.1f} {:7.2f} {:7.2f} {:11.2f}\n", "",
                     fmt::format("x{}", g.factor), g.step_ms, g.peak_mb, time, memory, arithmetic);
        }
      }
    }
    if (!f->json) fmt::print("{}", kWhy);
  });
}

}  // namespace heed::bench
