#include "tests/bench/training.h"

#include "autograd/ops.h"
#include "core/error.h"
#include "optim/clip.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

constexpr uint64_t kSeed = 1;

Tensor random_ids(int64_t rows, int64_t length, int64_t vocabulary, Rng& rng) {
  std::vector<int64_t> ids(static_cast<size_t>(rows * length));
  for (int64_t& id : ids) id = static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  return Tensor::ids(ids, {rows, length});
}

}  // namespace

std::variant<Seq2Seq, TransformerSeq2Seq> make_model(const Workload& w) {
  Rng rng = Rng(kSeed).fork("init");
  if (w.model == Model::transformer)
    return TransformerSeq2Seq({.source_vocabulary = w.vocab_src,
                               .target_vocabulary = w.vocab_tgt,
                               .model = w.emb,
                               .heads = w.heads,
                               .encoder_layers = w.layers,
                               .decoder_layers = w.layers,
                               .feed_forward = w.ff,
                               .dropout = 0.1},
                              rng);
  const bool luong = w.model == Model::lstm;
  return Seq2Seq({.source_vocabulary = w.vocab_src,
                  .target_vocabulary = w.vocab_tgt,
                  .embedding = w.emb,
                  .encoder_hidden = w.hidden,
                  .decoder_hidden = w.hidden,
                  .score = w.score,
                  .cell = w.cell,
                  .decoder = luong ? DecoderKind::luong : DecoderKind::bahdanau,
                  .bridge = luong ? Bridge::last : Bridge::learned,
                  .encoder_layers = w.layers,
                  .decoder_layers = w.layers,
                  .bidirectional = !luong,
                  .longest = w.score == Score::location ? w.src_len : 0},
                 rng);
}

int64_t Training::rows_of(const Workload& w, int64_t threads, int64_t shard) {
  return (shard + 1) * w.batch / threads - shard * w.batch / threads;
}

Training::Training(const Workload& w, int64_t threads)
    : model_(make_model(w)),
      target_tokens_(w.target_tokens()),
      noise_(Rng(kSeed).fork("dropout")),
      shards_(threads) {
  require(threads <= w.batch, "bench: expected at most as many threads as sentences, got {} and {}",
          threads, w.batch);
  Rng rng = Rng(kSeed).fork("tokens");
  for (int64_t shard = 0; shard < threads; ++shard) {
    const int64_t rows = rows_of(w, threads, shard);
    Part& part = parts_.emplace_back();
    part.batch.source = random_ids(rows, w.src_len, w.vocab_src, rng);
    part.batch.target_in = random_ids(rows, w.tgt_len, w.vocab_tgt, rng);
    part.batch.source_lengths.assign(static_cast<size_t>(rows), w.src_len);
    part.gold = random_ids(rows, w.tgt_len, w.vocab_tgt, rng);
  }
  std::visit(
      [&](auto& model) {
        adam_ = std::make_unique<Adam>(heed::parameters(model), AdamOptions{.rate = 1e-3});
        parameters_ = parameter_count(model);
      },
      model_);
}

Tensor Training::loss(int64_t shard) {
  const Part& part = parts_[static_cast<size_t>(shard)];
  Tensor logits;
  if (const auto* transformer = std::get_if<TransformerSeq2Seq>(&model_)) {
    Rng rng = noise_.fork(static_cast<uint64_t>(adam_->steps())).fork(static_cast<uint64_t>(shard));
    logits = (*transformer)(part.batch, &rng).logits;
  } else {
    logits = std::get<Seq2Seq>(model_)(part.batch).logits;
  }
  return scale(cross_entropy(logits, part.gold, {.reduction = Reduction::sum}),
               1 / static_cast<double>(target_tokens_));
}

double Training::step() {
  Stopwatch watch;
  Gradients gradients = shards_.run([&](int64_t shard) {
    Part& part = parts_[static_cast<size_t>(shard)];
    const PoolStats before = pool_stats();
    Tape tape;
    const Tensor share = loss(shard);
    if (shard == 0) phases_.forward += watch.lap();
    tape.backward(share);
    part.loss = share.item();
    Gradients mine = tape.gradients();
    const PoolStats after = pool_stats();
    part.buffers = after.requests - before.requests;
    part.new_buffers = after.allocations - before.allocations;
    if (shard == 0) phases_.backward += watch.lap();
    return mine;
  });
  phases_.gather += watch.lap();
  clip_global_norm(gradients, 1.0, shards_.for_each());
  adam_->step(gradients, shards_.for_each());
  phases_.update += watch.lap();
  double sum = 0;
  for (const Part& part : parts_) sum += part.loss;
  return sum;
}

uint64_t Training::buffers() const {
  uint64_t sum = 0;
  for (const Part& part : parts_) sum += part.buffers;
  return sum;
}
uint64_t Training::new_buffers() const {
  uint64_t sum = 0;
  for (const Part& part : parts_) sum += part.new_buffers;
  return sum;
}

Burst& Burst::operator+=(const Burst& other) {
  steps += other.steps, wall += other.wall, cpu += other.cpu;
  allocations += other.allocations;
  buffers += other.buffers, new_buffers += other.new_buffers;
  return *this;
}

Burst train_for(Training& training, double seconds, int64_t steps) {
  Burst b;
  const uint64_t before = allocations();
  const double cpu = cpu_seconds();
  Stopwatch watch;
  while (steps > 0 ? b.steps < static_cast<double>(steps) : b.wall < seconds || b.steps == 0) {
    training.step();
    b.wall += watch.lap();
    ++b.steps;
    b.buffers += static_cast<double>(training.buffers());
    b.new_buffers += static_cast<double>(training.new_buffers());
  }
  b.cpu = cpu_seconds() - cpu;
  b.allocations = static_cast<double>(allocations() - before);
  return b;
}

}  // namespace heed::bench
