// bench op: what recording costs, shown by ops so small that there is nothing else.
#include <fmt/format.h>

#include <algorithm>

#include "autograd/ops.h"
#include "core/rng.h"
#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

// Nanoseconds per op of a chain of ops, recorded and walked back; the best of many chains.
template <class F>
double time_chain(double seconds, F op) {
  constexpr int kChain = 1000;
  Rng rng(1);
  const Tensor start = leaf(Tensor::uniform({4, 4}, -1, 1, rng));
  double best = 1e9;
  Stopwatch watch;
  for (double spent = 0; spent < seconds || best == 1e9;) {
    watch.lap();
    {
      Tape tape;
      Tensor y = start;
      for (int i = 0; i < kChain; ++i) y = op(y);
      tape.backward(sum(y));
    }
    const double lap = watch.lap();
    spent += lap;
    best = std::min(best, lap);
  }
  return 1e9 * best / kChain;
}

}  // namespace

std::vector<OpFigure> measure_ops(double seconds) {
  // Turning a matrix round keeps its numbers in range however often it is done.
  const Tensor turn = Tensor::of({{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {-1, 0, 0, 0}});
  const double each = seconds / 3;
  return {{"add", time_chain(each, [&](const Tensor& y) { return add(y, turn); })},
          {"tanh", time_chain(each, [](const Tensor& y) { return tanh(y); })},
          {"matmul", time_chain(each, [&](const Tensor& y) { return matmul(y, turn); })}};
}

Run add_op(CommandLine& program) {
  CommandLine command = program.add_command(
      "op", "Nanoseconds per recorded op on 4x4 tensors, forward and backward together");
  auto f = std::make_shared<Flags>();
  f->seconds = 1;
  add_seconds(command, *f, "To measure for");
  add_json(command, *f);
  return measured([f] {
    const auto figures = measure_ops(f->seconds);
    if (!f->json) fmt::print("{}\n", machine_text());
    for (const OpFigure& o : figures) {
      if (f->json) {
        fmt::print("{}\n", Json{{"op", o.op}, {"nanoseconds", o.nanoseconds}}.dump());
      } else {
        fmt::print("  {:8} {:6.0f} ns\n", o.op, o.nanoseconds);
      }
    }
  });
}

}  // namespace heed::bench
