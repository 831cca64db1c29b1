// bench step: one training step beside its floor.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tests/bench/commands.h"
#include "tests/bench/floor.h"

namespace heed::bench {
namespace {

constexpr int kWarmUp = 3, kRounds = 5;

std::string sizes_text(const Workload& w) {
  const std::string middle =
      w.model == Model::transformer
          ? fmt::format("feed forward {}, heads {}", w.ff, w.heads)
          : fmt::format("hidden {}, {}, {}", w.hidden, name_of(w.cell), name_of(w.score));
  return fmt::format("vocabulary {}/{}, emb {}, {}, layers {}, batch {}, length {}/{}", w.vocab_src,
                     w.vocab_tgt, w.emb, middle, w.layers, w.batch, w.src_len, w.tgt_len);
}

void print(const std::vector<OpTime>& ops) {
  double sum = 0;
  for (const OpTime& t : ops) sum += t.forward_ms + t.backward_ms;
  fmt::print("\n  {:24} {:>9} {:>11} {:>12} {:>7}\n", "op (of shard 0)", "per step", "forward ms",
             "backward ms", "share");
  for (const OpTime& t : ops)
    fmt::print("  {:24} {:9.0f} {:11.3f} {:12.3f} {:6.1f}%\n", t.op, t.nodes, t.forward_ms,
               t.backward_ms, 100 * (t.forward_ms + t.backward_ms) / sum);
}

void print(const Workload& w, const StepFigures& f) {
  const double gflop = 1e-9 * flops(unavoidable_products(w, w.batch));
  const auto tokens = static_cast<double>(w.target_tokens());
  const double ms =
      1e3 * (f.phases.forward + f.phases.backward + f.phases.gather + f.phases.update);
  fmt::print("{}: {}\n{}\n", w.config, sizes_text(w), machine_text());
  fmt::print("  threads {}, parameters {}\n", f.threads,
             thousands(static_cast<double>(f.parameters)));
  fmt::print("  target tokens/s   {:>9}   median of {} rounds, best {}\n",
             thousands(f.tokens_per_second), kRounds, thousands(f.best_tokens_per_second));
  fmt::print(
      "  floor             {:>9}   ratio {:.2f}; {:.3g} GFLOP at {:.0f} GFLOP/s through BLAS\n",
      thousands(f.floor_tokens_per_second), f.ratio(), gflop,
      gflop * f.floor_tokens_per_second / tokens);
  fmt::print("  heed's own gemm   {:>9}   the same products at {:.0f} GFLOP/s\n",
             thousands(f.heed_floor_tokens_per_second),
             gflop * f.heed_floor_tokens_per_second / tokens);
  fmt::print(
      "  a step {:.2f} ms: forward {:.2f}, backward {:.2f}, other shards {:.2f}, clip and Adam "
      "{:.2f}\n",
      ms, 1e3 * f.phases.forward, 1e3 * f.phases.backward, 1e3 * f.phases.gather,
      1e3 * f.phases.update);
  fmt::print(
      "  resident {:.0f} MB, allocations per step {:.1f} (buffers {:.1f}), first update after "
      "{:.3f} s, CPU/wall {:.2f}\n",
      f.peak_mb, f.allocations, f.new_buffers, f.first_update, f.cpu_per_wall);
}

Phases operator-(const Phases& a, const Phases& b) {
  return {a.forward - b.forward, a.backward - b.backward, a.gather - b.gather, a.update - b.update};
}
Phases operator/(const Phases& a, double n) {
  return {a.forward / n, a.backward / n, a.gather / n, a.update / n};
}

}  // namespace

StepFigures measure_step(const Workload& w, int64_t threads, double seconds, bool details) {
  Stopwatch start;
  Training training(w, threads);
  training.step();
  StepFigures f{.config = w.config,
                .threads = threads,
                .parameters = training.parameters(),
                .first_update = start.lap()};
  const auto tokens = static_cast<double>(w.target_tokens());
  for (int i = 1; i < kWarmUp; ++i) training.step();
  std::optional<Floor> floor, own;
  std::vector<double> rates;
  const Phases before = training.phases();
  const double each = seconds / kRounds;
  Burst all;
  for (int round = 0; round < kRounds; ++round) {
    training.step();  // after the floor's products the caches hold nothing of the model
    const Burst burst = train_for(training, each);
    all += burst;
    rates.push_back(burst.steps * tokens / burst.wall);
    if (!floor) {
      f.peak_mb = peak_resident_mb();
      floor.emplace(w, threads, multiply_blas);
      if (details) own.emplace(w, threads, multiply_heed);
    }
    floor->round(each);
    if (own) own->round(each);
  }
  f.phases = (training.phases() - before) / (all.steps + kRounds);  // one before each
  f.tokens_per_second = median(rates);
  f.best_tokens_per_second = *std::max_element(rates.begin(), rates.end());
  f.floor_tokens_per_second = tokens / floor->seconds_per_step();
  if (own) f.heed_floor_tokens_per_second = tokens / own->seconds_per_step();
  f.allocations = all.allocations / all.steps;
  f.new_buffers = all.new_buffers / all.steps;
  f.cpu_per_wall = all.cpu / all.wall;
  if (details) f.ops = time_by_op(training, seconds / 2);
  return f;
}

Json to_json(const StepFigures& f) {
  return {{"config", f.config},
          {"threads", f.threads},
          {"parameters", f.parameters},
          {"target_tokens_per_second", f.tokens_per_second},
          {"floor_target_tokens_per_second", f.floor_tokens_per_second},
          {"ratio_to_floor", f.ratio()},
          {"resident_mb", f.peak_mb},
          {"allocations_per_step", f.allocations}};
}

Run add_step(CommandLine& program) {
  CommandLine command = program.add_command(
      "step", "A training step: target tokens per second, its floor, where the time goes");
  auto f = std::make_shared<Flags>();
  add_config(command, *f, false).required();
  add_sizes(command, *f);
  add_threads(command, *f, "Shards of the batch, each with a thread");
  add_seconds(command, *f, "To measure the step for, and the floor as long");
  add_json(command, *f);
  return measured([f] {
    const Workload w = workload(f->configs.back(), f->sizes);
    const StepFigures figures = measure_step(w, f->threads, f->seconds, !f->json);
    if (f->json) {
      fmt::print("{}\n", to_json(figures).dump());
    } else {
      print(w, figures);
      print(figures.ops);
    }
  });
}

}  // namespace heed::bench
