// The training step that is measured: forward, mean cross-entropy, backward, the gradients of all
// shards added up, clipped to norm 1, Adam with rate 1e-3; on fixed random tokens without padding.
// It is made of layers/ and optim/ as a user's own program is: there is no code for the benchmark.
#pragma once
#include <memory>
#include <variant>

#include "layers/transformer_seq2seq.h"
#include "optim/adam.h"
#include "optim/shards.h"
#include "tests/bench/workload.h"

namespace heed::bench {

/// Seconds of a step, as the calling thread (shard 0) sees them.
struct Phases {
  double forward = 0, backward = 0;
  double gather = 0;  // waiting for the other shards, and adding up
  double update = 0;  // clipping and Adam
};

/// The model of a workload, with weights drawn from a fixed seed.
std::variant<Seq2Seq, TransformerSeq2Seq> make_model(const Workload& w);

class Training {
 public:
  /// Throws std::invalid_argument for sizes that the layers refuse, and for more threads than
  /// sentences.
  Training(const Workload& w, int64_t threads);

  /// One update. Returns the loss in nats per target token.
  double step();
  /// The sum over the steps so far.
  const Phases& phases() const { return phases_; }
  int64_t parameters() const { return parameters_; }
  /// Of all shards in the last step: buffers asked for, and of these taken from the system.
  uint64_t buffers() const;
  uint64_t new_buffers() const;

  /// The forward pass of one shard: its share of the batch's mean loss, on the active tape.
  Tensor loss(int64_t shard);
  /// Sentences of a shard.
  static int64_t rows_of(const Workload& w, int64_t threads, int64_t shard);

 private:
  struct Part {
    Seq2SeqBatch batch;
    Tensor gold;  // [b, T]
    double loss = 0;
    uint64_t buffers = 0, new_buffers = 0;  // in the last step
  };
  std::variant<Seq2Seq, TransformerSeq2Seq> model_;
  int64_t target_tokens_;
  int64_t parameters_ = 0;
  std::vector<Part> parts_;
  std::unique_ptr<Adam> adam_;
  Rng noise_;
  Phases phases_;
  Shards shards_;
};

/// Some steps after each other, and what they took in all.
struct Burst {
  double steps = 0, wall = 0, cpu = 0;  // seconds
  double allocations = 0;               // calls of operator new
  double buffers = 0, new_buffers = 0;
  Burst& operator+=(const Burst& other);
};
/// For about this long, at least one step; or exactly `steps` where that is not 0.
Burst train_for(Training& training, double seconds, int64_t steps = 0);

}  // namespace heed::bench
