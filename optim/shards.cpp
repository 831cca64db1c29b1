#include "optim/shards.h"

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "core/error.h"

namespace heed {

namespace {

// Waits until `value` is no longer `seen`. A round of a small model ends within microseconds, and a
// thread that sleeps takes longer than that to wake up; hence it looks again for a while first.
template <class T>
void wait_while(const std::atomic<T>& value, T seen) {
  constexpr int kLooks = 1000;
  for (int i = 0; i < kLooks; ++i) {
    if (value.load(std::memory_order_acquire) != seen) return;
    std::this_thread::yield();
  }
  value.wait(seen, std::memory_order_acquire);
}

}  // namespace

struct Shards::Crew {
  // The pieces that a thread does first in `each`; then it helps the others.
  struct alignas(64) Part {
    std::atomic<int64_t> next = 0;
    int64_t end = 0;
  };
  const std::function<void(int64_t shard)>* work = nullptr;  // of this round; null: the end
  std::atomic<uint64_t> round = 0;                           // counts the calls of `all`
  std::atomic<int64_t> running = 0;  // workers that have not finished this round
  std::vector<Gradients> results;    // one per shard
  std::vector<std::exception_ptr> errors;
  std::vector<Part> parts;  // one per shard
  std::vector<std::thread> threads;

  explicit Crew(int64_t count)
      : results(static_cast<size_t>(count)),
        errors(static_cast<size_t>(count)),
        parts(static_cast<size_t>(count)) {}

  void compute(int64_t shard) {
    try {
      (*work)(shard);
    } catch (...) {
      errors[static_cast<size_t>(shard)] = std::current_exception();
    }
  }

  void serve(int64_t shard) {
    for (uint64_t seen = 0;; ++seen) {
      wait_while(round, seen);
      if (!work) break;
      compute(shard);
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
    }
    results[static_cast<size_t>(shard)] = {};  // to the pool of the thread that took the memory
  }

  void begin(const std::function<void(int64_t)>* what) {
    work = what;
    running.store(std::ssize(threads), std::memory_order_relaxed);
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }

  // Every thread does `what` with its own number; returns when all have.
  void all(const std::function<void(int64_t)>& what) {
    errors.assign(errors.size(), nullptr);
    begin(&what);
    compute(0);
    for (int64_t n = running; n > 0; n = running) wait_while(running, n);
    for (const std::exception_ptr& e : errors)
      if (e) std::rethrow_exception(e);
  }
};

Shards::Shards(int64_t count) : count_(count) {
  require(count >= 1 && count <= 256, "shards: expected between 1 and 256 threads, got {}", count);
  crew_ = std::make_unique<Crew>(count);
  for (int64_t shard = 1; shard < count; ++shard)
    crew_->threads.emplace_back([this, shard] { crew_->serve(shard); });
}

Shards::~Shards() {
  crew_->begin(nullptr);
  for (std::thread& t : crew_->threads) t.join();
}

Gradients Shards::run(const std::function<Gradients(int64_t)>& work) {
  Crew& c = *crew_;
  // A worker's results stay until its own next round, so that memory returns to the pool of the
  // thread that took it: otherwise the calling thread's pool would grow with every step.
  c.all([&](int64_t shard) {
    Gradients& mine = c.results[static_cast<size_t>(shard)];
    mine = {};
    mine = work(shard);
  });
  Gradients sum = std::exchange(c.results[0], {});
  for (size_t shard = 1; shard < c.results.size(); ++shard) sum.add(c.results[shard], for_each());
  return sum;
}

void Shards::each(int64_t count, const std::function<void(int64_t)>& f) {
  if (count_ == 1 || count <= 1) return one_by_one(count, f);
  std::vector<Crew::Part>& parts = crew_->parts;
  for (int64_t k = 0; k < count_; ++k) {
    parts[static_cast<size_t>(k)].next = k * count / count_;
    parts[static_cast<size_t>(k)].end = (k + 1) * count / count_;
  }
  const auto take_some = [&](int64_t shard) {
    for (int64_t k = 0; k < count_; ++k) {
      Crew::Part& part = parts[static_cast<size_t>((shard + k) % count_)];
      for (int64_t i = part.next++; i < part.end; i = part.next++) f(i);
    }
  };
  crew_->all(std::cref(take_some));
}

}  // namespace heed
