// The sub-commands of `bench`. Each adds its options to the command line and, once they are parsed,
// measures and prints, as text or (--json) as one JSON object per line. Nothing here judges a time.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "examples/console/command_line.h"
#include "tests/bench/by_op.h"
#include "tests/bench/measure.h"

namespace heed::bench {

Run add_step(CommandLine& program);
Run add_op(CommandLine& program);
Run add_scaling(CommandLine& program);
Run add_memory(CommandLine& program);
Run add_gemm(CommandLine& program);
Run add_growth(CommandLine& program);
Run add_decode(CommandLine& program);
Run add_looking(CommandLine& program);
Run add_all(CommandLine& program);

// ---- options that several of them have ----

struct Flags {
  std::vector<std::string> configs;
  Overrides sizes;
  int64_t threads = 1;
  double seconds = 2;
  bool json = false;
};
Option add_config(CommandLine& app, Flags& flags, bool many);
void add_sizes(CommandLine& app, Flags& flags);
void add_threads(CommandLine& app, Flags& flags, const std::string& text);
void add_seconds(CommandLine& app, Flags& flags, const std::string& text);
void add_json(CommandLine& app, Flags& flags);

/// A command that measures and prints; its exit code is 0, or that of a child process that failed.
Run measured(std::function<void()> measure);

// ---- measurements that several of them print ----

struct StepFigures {
  std::string config;
  int64_t threads = 1, parameters = 0;
  double tokens_per_second = 0, best_tokens_per_second = 0;  // of the rounds: median, best
  double floor_tokens_per_second = 0;
  double heed_floor_tokens_per_second = 0;  // the same products through core/blas.h; of the details
  double peak_mb = 0;                       // before the floor took memory
  double allocations = 0, new_buffers = 0;  // per step
  double first_update = 0;                  // seconds from nothing to the first update
  double cpu_per_wall = 0;
  Phases phases{};            // seconds per step
  std::vector<OpTime> ops{};  // where they go
  double ratio() const { return tokens_per_second / floor_tokens_per_second; }
};

/// Rounds of steps in turn with rounds of the floor, about `seconds` each in all. With `details`
/// also the floor through core/blas.h and the time by op.
StepFigures measure_step(const Workload& w, int64_t threads, double seconds, bool details);
Json to_json(const StepFigures& figures);

/// Nanoseconds per op on 4x4 tensors, forward and backward: add, tanh, matmul.
struct OpFigure {
  std::string op;
  double nanoseconds;
};
std::vector<OpFigure> measure_ops(double seconds);

/// Of one product by one maker.
struct GemmFigure {
  std::string use, shape;
  std::string by;    // "BLAS", "heed's kernel", "heed's gemm"
  std::string core;  // of BLAS, or the instruction set of heed's kernel
  double gflops;
};
/// In child processes, because the choice of kernels is made once in each.
std::vector<GemmFigure> measure_gemms(double seconds);

/// Speed at 1, 2, 4, ... threads up to `most`, measured in turn.
struct ScalingFigure {
  int64_t threads;
  double tokens_per_second, speedup, cpu_per_wall;
};
std::vector<ScalingFigure> measure_scaling(const Workload& w, int64_t most, double seconds);

/// Greedy decoding of random sentences by an untrained model.
struct DecodeFigures {
  std::string config;
  int64_t threads, sentences;
  int64_t words = 0;  // that were written
  double seconds = 0;
};
DecodeFigures measure_decoding(const Workload& w, int64_t threads, int64_t sentences);

/// A forward and a backward pass with nobody looking, checked for NaN, and recorded.
struct LookingFigures {
  std::string config;
  double pass = 0;  // seconds, nobody looking
  int64_t ops = 0, scopes = 0, names = 0;
  double off = 0;  // share of them that these take: each counted, times what one takes
  double checked = 0, recorded = 0;  // times the plain pass
};
LookingFigures measure_looking(const Workload& w, double seconds);

/// One point of a growth: what was multiplied by what, and what a step took.
struct GrowthFigure {
  std::string what;  // batch, length, hidden, vocabulary
  int64_t factor;
  double step_ms, peak_mb;
  double gflop;  // of the products that the step cannot avoid
};
std::vector<GrowthFigure> measure_growth(const Workload& w, int64_t threads, int64_t doublings,
                                         double seconds);

}  // namespace heed::bench
