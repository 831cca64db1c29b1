// bench looking: the price of being able to look. Scopes, names and the checking mode while nobody
// looks, as a share of a step; and a step that is checked, or recorded, beside a plain one.
#include <fmt/format.h>

#include <algorithm>

#include "autograd/recording.h"
#include "core/scope.h"
#include "tests/bench/commands.h"

namespace heed::bench {
namespace {

// Nanoseconds of one call; the best of some bursts.
template <class F>
double nanoseconds_of(F call) {
  constexpr int kCalls = 2000;
  double best = 1e9;
  Stopwatch watch;
  for (int burst = 0; burst < 50; ++burst) {
    watch.lap();
    for (int i = 0; i < kCalls; ++i) call();
    best = std::min(best, watch.lap());
    forget_scopes();
  }
  return 1e9 * best / kCalls;
}

// What is done in vain while nobody looks: a scope that an op refers to, a name that is not kept,
// an op that asks whether it is checked (forward and backward).
struct InVain {
  double scope, name, op;
  InVain() {
    scope = nanoseconds_of([] {
      const Scope step("step", 1);
      pin_scope();
    });
    const Tape tape;
    const Tensor x = Tensor::scalar(1);
    name = nanoseconds_of([&] { (void)noted(x, "x"); });
    volatile int64_t checked = 0;
    op = 2 * nanoseconds_of([&] { checked = checked + (detail::checking_numerics ? 1 : 0); });
  }
};

// Forward and backward of the whole batch. The last use of the watch is its seconds.
double plain_pass(Training& training, LookingFigures* count = nullptr) {
  Stopwatch watch;
  Tape tape;
  tape.backward(training.loss(0));
  const double seconds = watch.lap();
  if (!count) return seconds;
  count->ops = std::ssize(tape.nodes());
  for (const Node& n : tape.nodes())
    count->scopes = std::max<int64_t>(count->scopes, static_cast<int64_t>(n.scope));
  return seconds;
}

double checked_pass(Training& training) {
  const CheckNumerics check;
  return plain_pass(training);
}

double recorded_pass(Training& training, LookingFigures* count = nullptr) {
  Stopwatch watch;
  Tape tape;
  Recording recording(tape);
  const Recorded& r = recording.backward(training.loss(0));
  const double seconds = watch.lap();
  if (count)
    count->names = std::count_if(r.tensors.begin(), r.tensors.end(),
                                 [](const RecordedTensor& t) { return !t.name.empty(); });
  return seconds;
}

}  // namespace

LookingFigures measure_looking(const Workload& w, double seconds) {
  Training training(w, 1);
  LookingFigures f{.config = w.config};
  plain_pass(training, &f);
  recorded_pass(training, &f);
  std::vector<double> plain, checked, recorded;
  Stopwatch watch;
  for (double spent = 0; spent < seconds || plain.size() < 3; spent += watch.lap()) {
    plain.push_back(plain_pass(training));
    checked.push_back(checked_pass(training));
    recorded.push_back(recorded_pass(training));
  }
  f.pass = median(plain);
  f.checked = median(checked) / f.pass;
  f.recorded = median(recorded) / f.pass;
  const InVain price;
  f.off = 1e-9 *
          (price.scope * static_cast<double>(f.scopes) + price.name * static_cast<double>(f.names) +
           price.op * static_cast<double>(f.ops)) /
          f.pass;
  return f;
}

Run add_looking(CommandLine& program) {
  CommandLine command = program.add_command(
      "looking", "What scopes, names, the checking mode and a recording cost a training pass");
  auto f = std::make_shared<Flags>();
  add_config(command, *f, true);
  add_sizes(command, *f);
  add_seconds(command, *f, "To measure each configuration for");
  add_json(command, *f);
  return measured([f] {
    if (!f->json) fmt::print("{}\n", machine_text());
    for (const std::string& config : f->configs.empty() ? config_names() : f->configs) {
      const LookingFigures l = measure_looking(workload(config, f->sizes), f->seconds);
      if (f->json) {
        fmt::print("{}\n", Json{{"config", l.config},
                                {"seconds", l.pass},
                                {"ops", l.ops},
                                {"scopes", l.scopes},
                                {"names", l.names},
                                {"off_share", l.off},
                                {"checked", l.checked},
                                {"recorded", l.recorded}}
                               .dump());
      } else {
        fmt::print(
            "  {:18} {:.2f} ms forward and backward; {} ops, {} scopes, {} names cost {:.2f} % "
            "while off; checked {:.2f}x, recorded {:.2f}x\n",
            l.config, 1e3 * l.pass, l.ops, l.scopes, l.names, 100 * l.off, l.checked, l.recorded);
      }
    }
  });
}

}  // namespace heed::bench
