#include "tests/bench/by_op.h"

#include <sys/time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>

#include "autograd/backward.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

// What the signal handler may touch: it runs between any two instructions of this thread.
constexpr size_t kMostSamples = 1 << 14;
std::array<uint32_t, kMostSamples> samples;
volatile std::sig_atomic_t taken = 0;
volatile std::sig_atomic_t sampling = 0;
uint64_t recorded_before = 0;

void take_sample(int) {
  if (!sampling || static_cast<size_t>(taken) >= kMostSamples) return;
  samples[static_cast<size_t>(taken)] = static_cast<uint32_t>(Tape::recorded() - recorded_before);
  taken = taken + 1;
}

// While alive the handler is called every `microseconds` of wall time.
class Timer {
 public:
  explicit Timer(int microseconds) {
    struct sigaction action {};
    action.sa_handler = take_sample;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &before_);
    set(microseconds);
  }
  ~Timer() {
    set(0);
    sigaction(SIGALRM, &before_, nullptr);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  static void set(int microseconds) {
    itimerval every{};
    every.it_interval.tv_usec = every.it_value.tv_usec = microseconds;
    setitimer(ITIMER_REAL, &every, nullptr);
  }
  struct sigaction before_ {};
};

using Times = std::map<std::string, OpTime, std::less<>>;
OpTime& entry(Times& times, std::string_view op) {
  const auto found = times.find(op);
  return found != times.end() ? found->second
                              : times.emplace(op, OpTime{std::string(op)}).first->second;
}

// Shares the time of a forward pass out to its ops, by samples. A sample says how many ops were
// recorded when it was taken, so the one at work is the next.
void share_out(const Tape& tape, double ms, Times& times) {
  const auto count = static_cast<size_t>(taken);
  if (count == 0) {
    entry(times, "(too short to sample)").forward_ms += ms;
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const auto nodes = tape.nodes();
    const std::string_view op =
        samples[i] < nodes.size() ? nodes[samples[i]].table->info->name : "(after the last op)";
    entry(times, op).forward_ms += ms / static_cast<double>(count);
  }
}

}  // namespace

std::vector<OpTime> time_by_op(Training& training, double seconds) {
  Times times;
  int64_t passes = 0;
  Stopwatch watch;
  const Timer timer(200);
  for (double spent = 0; spent < seconds || passes == 0; ++passes) {
    Tape tape;
    recorded_before = Tape::recorded();
    taken = 0;
    spent += watch.lap();
    sampling = 1;
    const Tensor loss = training.loss(0);
    sampling = 0;
    const double forward = watch.lap();
    spent += forward;
    share_out(tape, 1e3 * forward, times);
    for (const Node& node : tape.nodes()) ++entry(times, node.table->info->name).nodes;

    const NoTape quiet;
    BackwardSweep sweep(tape, loss, Tensor::full(loss.shape(), 1, loss.dtype()));
    spent += watch.lap();
    for (bool more = true; more;) {
      more = sweep.next();
      const double lap = watch.lap();
      const std::string_view op =
          more ? tape.nodes()[static_cast<size_t>(sweep.node())].table->info->name
               : "(gathered products)";
      entry(times, op).backward_ms += 1e3 * lap;
      spent += lap + watch.lap();  // the look-up counts for nobody
    }
  }
  std::vector<OpTime> all;
  const auto n = static_cast<double>(passes);
  for (const auto& [name, t] : times)
    all.push_back({name, t.nodes / n, t.forward_ms / n, t.backward_ms / n});
  std::sort(all.begin(), all.end(), [](const OpTime& a, const OpTime& b) {
    return a.forward_ms + a.backward_ms > b.forward_ms + b.backward_ms;
  });
  return all;
}

}  // namespace heed::bench
