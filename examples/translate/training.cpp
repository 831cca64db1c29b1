#include "examples/translate/training.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "core/kernels.h"
#include "core/rng.h"
#include "core/scope.h"
#include "optim/clip.h"
#include "optim/make_optimizer.h"
#include "optim/schedule.h"

namespace heed::translate {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<IdPair> encode_all(const Translator& t, std::span<const Example> examples) {
  std::vector<IdPair> pairs;
  pairs.reserve(examples.size());
  for (const Example& e : examples) pairs.push_back(t.encode(e.src, e.tgt));
  return pairs;
}

int64_t target_tokens(std::span<const IdPair> pairs) {
  int64_t n = 0;
  for (const IdPair& p : pairs) n += static_cast<int64_t>(p.tgt.size()) + 1;
  return n;
}

double exact_share(const Translator& t, std::span<const Example> examples) {
  const auto some = examples.first(std::min<size_t>(examples.size(), 500));
  std::vector<Tokens> sources, found;
  for (const Example& e : some) sources.push_back(e.src);
  for (const Decoded& d : decode_greedy(t, sources)) found.push_back(d.tokens);
  return exact_matches(found, some).share();
}

Schedule schedule_for(const TrainingOptions& o, int64_t steps) {
  ScheduleOptions s{.rate = o.rate};
  if (o.schedule == "cosine") {
    s.total = std::max<int64_t>(1, steps);
    s.least = o.rate / 100;
  }
  if (o.schedule == "inverse-sqrt") s.warmup = std::max<int64_t>(1, steps / 20);
  if (o.schedule == "plateau") s.factor = 0.5, s.patience = 0;
  if (o.schedule == "step") s.every = std::max<int64_t>(1, steps / 4);
  return make_schedule(o.schedule, s);
}

// One optimiser with what it needs from step to step.
struct Stepper {
  const TrainingOptions& options;
  Translator& translator;
  std::unique_ptr<Optimizer> optimizer;
  Schedule schedule;
  Rng dropout, coins;
  double norms = 0, clipped = 0;

  // Forward, backward, clip, update; returns the sum of the loss over the batch's tokens.
  double step(const Batch& b) {
    Tape tape;
    const Seq2SeqOutput out =
        translator.network(network_batch(b), {.ratio = options.forcing, .rng = &coins}, &dropout);
    const Tensor loss = cross_entropy(out.logits, Tensor::ids(b.tgt_out, {b.size, b.T}),
                                      {.ignore = kPad, .label_smoothing = options.label_smoothing});
    tape.backward(loss);
    Gradients gradients = tape.gradients();
    const double norm = clip_global_norm(gradients, options.clip);
    norms += norm;
    clipped += norm > options.clip;
    optimizer->rate = rate_at(schedule, optimizer->steps());
    optimizer->step(gradients);
    return loss.item() * static_cast<double>(b.target_tokens);
  }
};

// The best weights so far, kept in memory.
struct Best {
  double loss = std::numeric_limits<double>::infinity();
  int64_t epoch = 0;
  std::vector<Tensor> weights;
  void keep(Seq2Seq& network) {
    weights.clear();
    for (const auto& p : parameters(network)) weights.push_back(clone(p.value));
  }
  void restore(Seq2Seq& network) const {
    if (weights.empty()) return;
    auto all = parameters(network);
    for (size_t i = 0; i < all.size(); ++i) copy_into(all[i].value, weights[i]);
  }
};

}  // namespace

nlohmann::ordered_json EpochReport::json() const {
  return {{"epoch", epoch},
          {"steps", steps},
          {"loss", train_loss},
          {"valid_loss", valid_loss},
          {"valid_perplexity", std::exp(valid_loss)},
          {"valid_exact_match", valid_exact},
          {"gradient_norm", gradient_norm},
          {"clipped", clipped},
          {"rate", rate},
          {"best", best}};
}

std::vector<EpochReport> train(Translator& t, std::span<const Example> train_set,
                               std::span<const Example> valid_set, const TrainingOptions& o,
                               const TrainingWatcher& watcher) {
  const Rng run(o.seed);
  const auto pairs = encode_all(t, train_set), valid = encode_all(t, valid_set);
  const BatchOptions batches{.max_tokens = o.batch_tokens};
  const int64_t epoch_tokens = target_tokens(pairs);
  const auto steps = static_cast<int64_t>(plan_epoch(pairs, batches, run.fork("plan")).size());
  Stepper stepper{o,
                  t,
                  make_optimizer(o.optimiser, parameters(t.network), {.rate = o.rate}),
                  schedule_for(o, steps * o.epochs),
                  run.fork("dropout"),
                  run.fork("forcing")};
  std::optional<CheckNumerics> checking;
  if (o.check_numerics) checking.emplace();
  Best best;
  std::vector<EpochReport> reports;
  double spent = 0;  // seconds of training, validation left out
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    const auto plan =
        plan_epoch(pairs, batches, run.fork("shuffle").fork(static_cast<uint64_t>(epoch)));
    const auto start = Clock::now();
    double sum = 0;
    int64_t tokens = 0;
    stepper.norms = stepper.clipped = 0;
    for (const auto& rows : plan) {
      const Batch b = make_batch(pairs, rows);
      sum += stepper.step(b);
      tokens += b.target_tokens;
      const double speed =
          static_cast<double>((epoch - 1) * epoch_tokens + tokens) / (spent + seconds_since(start));
      const auto left = static_cast<double>((o.epochs - epoch + 1) * epoch_tokens - tokens);
      watcher.progress({epoch, o.epochs, tokens, epoch_tokens, sum / static_cast<double>(tokens),
                        speed, left / speed});
    }
    const double seconds = seconds_since(start);
    spent += seconds;
    const double valid_loss = likelihood(t.network, valid, batches).loss();
    observe(stepper.schedule, valid_loss);
    const bool better = valid_loss < best.loss;
    if (better) {
      best.loss = valid_loss;
      best.epoch = epoch;
      best.keep(t.network);
    }
    const auto n = static_cast<double>(plan.size());
    reports.push_back({epoch, stepper.optimizer->steps(), sum / static_cast<double>(tokens),
                       valid_loss, exact_share(t, valid_set), stepper.norms / n,
                       stepper.clipped / n, stepper.optimizer->rate, better,
                       static_cast<double>(tokens) / seconds});
    watcher.epoch(reports.back());
    if (!std::isfinite(valid_loss))
      throw NumericError(
          "the validation loss is not a number; use a smaller --rate, or "
          "--check-numerics to find the first operation that made it");
    if (o.patience > 0 && epoch - best.epoch >= o.patience) break;
  }
  best.restore(t.network);
  return reports;
}

}  // namespace heed::translate
