// Data-parallel gradients: a batch is cut into shards, each shard is differentiated by a thread of
// its own, and the gradients are added up in a fixed order. Weights are shared and only read;
// tapes, buffers and gradients belong to one thread each. The result depends on the number of
// shards, never on timing. Not here: several machines, or threads inside a matrix product.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "autograd/leaf.h"

namespace heed {

/// A crew of threads, made once and reused for every step. The calling thread works too, as shard
/// 0.
///
///     Shards shards(2);
///     Gradients g = shards.run([&](int64_t shard) {
///       Tape tape;
///       tape.backward(loss_of(part_of(batch, shard)));   // a share of the batch's mean loss
///       return tape.gradients();
///     });
class Shards {
 public:
  /// Throws std::invalid_argument unless 1 <= count <= 256.
  explicit Shards(int64_t count);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  int64_t count() const { return count_; }

  /// Runs `work` for shards 0 ... count - 1 at the same time and returns the sum of what they
  /// return, added in the order of the shards. If shards throw, the first one's exception (in that
  /// order) is thrown here after all have stopped; the crew can be used again.
  Gradients run(const std::function<Gradients(int64_t shard)>& work);

  /// Calls f(0) ... f(count - 1), each once, on the threads of the crew, and returns when all have
  /// ended: what clipping and an optimiser's step do with it is in for_each.h. Each thread begins
  /// with its own part of them, the same in every pass over one list, and then helps the others.
  /// If a call throws, one of the exceptions is thrown here.
  void each(int64_t count, const std::function<void(int64_t piece)>& f);
  ForEach for_each() {
    ForEach all = [this](int64_t count, const auto& f) { each(count, f); };
    all.several_threads = count_ > 1;
    return all;
  }

 private:
  struct Crew;
  int64_t count_;
  std::unique_ptr<Crew> crew_;
};

}  // namespace heed
