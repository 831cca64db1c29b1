#include "optim/shards.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"

namespace heed {

struct Shards::Crew {
  std::mutex mutex;
  std::condition_variable wake, done;
  const std::function<void(int64_t shard)>* work = nullptr;  // of this round
  uint64_t round = 0;                                        // counts the calls of run
  int64_t running = 0;  // workers that have not finished this round
  bool stop = false;
  std::vector<Gradients> results;  // one per shard
  std::vector<std::exception_ptr> errors;
  std::vector<std::thread> threads;

  void compute(int64_t shard) {
    try {
      (*work)(shard);
    } catch (...) {
      errors[static_cast<size_t>(shard)] = std::current_exception();
    }
  }

  void serve(int64_t shard) {
    for (uint64_t seen = 0;;) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return stop || round != seen; });
      if (stop) break;
      seen = round;
      lock.unlock();
      compute(shard);
      lock.lock();
      if (--running == 0) done.notify_one();
    }
    results[static_cast<size_t>(shard)] = {};  // to the pool of the thread that took the memory
  }

  // Every thread does `what` with its own number; returns when all have.
  void all(const std::function<void(int64_t)>& what) {
    {
      const std::lock_guard lock(mutex);
      work = &what;
      errors.assign(errors.size(), nullptr);
      running = std::ssize(threads);
      ++round;
    }
    wake.notify_all();
    compute(0);
    {
      std::unique_lock lock(mutex);
      done.wait(lock, [&] { return running == 0; });
    }
    for (const std::exception_ptr& e : errors)
      if (e) std::rethrow_exception(e);
  }
};

Shards::Shards(int64_t count) : count_(count), crew_(std::make_unique<Crew>()) {
  require(count >= 1 && count <= 256, "shards: expected between 1 and 256 threads, got {}", count);
  crew_->results.resize(static_cast<size_t>(count));
  crew_->errors.resize(static_cast<size_t>(count));
  for (int64_t shard = 1; shard < count; ++shard)
    crew_->threads.emplace_back([this, shard] { crew_->serve(shard); });
}

Shards::~Shards() {
  {
    const std::lock_guard lock(crew_->mutex);
    crew_->stop = true;
  }
  crew_->wake.notify_all();
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
  std::atomic<int64_t> next{0};
  const auto take_some = [&](int64_t) {
    for (int64_t i = next++; i < count; i = next++) f(i);
  };
  crew_->all(std::cref(take_some));
}

}  // namespace heed
