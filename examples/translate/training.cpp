#include "examples/translate/training.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/kernels.h"
#include "core/rng.h"
#include "core/scope.h"
#include "optim/clip.h"
#include "optim/make_optimizer.h"
#include "optim/schedule.h"
#include "optim/shards.h"

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

double exact_share(const Translator& t, std::span<const Example> examples, int64_t threads) {
  const auto some = examples.first(std::min<size_t>(examples.size(), 200));
  std::vector<Tokens> sources, found;
  for (const Example& e : some) sources.push_back(e.src);
  for (const Decoded& d : decode_greedy(t, sources, {.threads = threads}))
    found.push_back(d.tokens);
  return exact_matches(found, some).share();
}

// Whether a hard attention chooses, or is still trained as a soft one: choices of a network that
// knows nothing teach it little. Its options say hard all the while.
void set_hard(Network& network, bool hard) {
  if (auto* rnn = std::get_if<Seq2Seq>(&network.kind); rnn && rnn->options.attention)
    rnn->attention.options.hard = hard ? rnn->options.hard : Hard::none;
}

// From the network's own temperature down to half of it at the end, exponentially.
GumbelTemperature temperature_for(const Network& network, int64_t steps) {
  const auto* rnn = std::get_if<Seq2Seq>(&network.kind);
  const double start = rnn ? rnn->options.temperature : 1;
  return {.start = start,
          .rate = std::log(2.0) / static_cast<double>(std::max<int64_t>(1, steps)),
          .least = start / 2};
}

Schedule schedule_for(const TrainingOptions& o, int64_t steps) {
  ScheduleOptions s{.rate = o.rate};
  if (o.schedule == "cosine") {
    s.total = std::max<int64_t>(1, steps);
    s.least = o.rate / 100;
    s.warmup = std::min(o.warmup, *s.total - 1);
  }
  if (o.schedule == "inverse-sqrt")
    s.warmup = o.warmup > 0 ? o.warmup : std::max<int64_t>(1, steps / 20);
  if (o.schedule == "plateau") s.factor = 0.5, s.patience = 0;
  if (o.schedule == "step") s.every = std::max<int64_t>(1, steps / 4);
  return make_schedule(o.schedule, s);
}

// What REINFORCE adds to the summed loss of a batch. A position drawn at step t is answerable for
// what its token costs above the average, and by halves for the tokens after it: they depend on it
// less and less, and taking them whole adds more noise than knowledge (a bias for a variance).
Tensor hard_attention_term(const Batch& b, const Tensor& losses, const Seq2SeqOutput& out,
                           double baseline) {
  constexpr double kEntropyWeight = 0.01, kDiscount = 0.5;
  const std::vector<double> loss = losses.to_vector();
  std::vector<float> excess(loss.size());
  for (int64_t i = 0; i < b.size; ++i) {
    double to_come = 0;
    for (int64_t t = b.tgt_lengths[static_cast<size_t>(i)] - 1; t >= 0; --t) {
      const auto at = static_cast<size_t>(i * b.T + t);
      to_come = loss[at] - baseline + kDiscount * to_come;
      excess[at] = static_cast<float>(to_come);
    }
  }
  const Tensor terms = reinforce_terms(Tensor::from<float>(excess, losses.shape()),
                                       out.log_probability, out.entropy, 0, kEntropyWeight);
  return sum(masked_fill(terms, Mask::lengths(b.tgt_lengths), 0));
}

// One optimiser with what it needs from step to step.
struct Stepper {
  const TrainingOptions& options;
  Translator& translator;
  std::span<const IdPair> pairs;
  std::unique_ptr<Optimizer> optimizer;
  Schedule schedule;
  int64_t total_steps;
  Shards shards;
  Rng noise;  // dropout masks, forcing coins, hard choices, forked per step and shard
  GumbelTemperature temperature{};
  RunningBaseline baseline{};  // nats per token
  double norms = 0, clipped = 0;

  // The gradient of one shard's share of the batch's mean loss; `nats` is the shard's summed loss.
  Gradients differentiate(const Batch& b, int64_t batch_tokens, Rng rng, double& nats) {
    std::optional<CheckNumerics> checking;
    if (options.check_numerics) checking.emplace();
    Rng dropout = rng.fork("dropout"), coins = rng.fork("forcing"), choices = rng.fork("attention");
    const int64_t done = optimizer->steps();
    Tape tape;
    const Seq2SeqOutput out = heed::translate::run(
        translator.network, network_batch(b),
        {.forcing = forcing_ratio(options.forcing_schedule, options.forcing, done, total_steps),
         .coins = &coins,
         .dropout = &dropout,
         .attention = &choices,
         .temperature = temperature.at(done)});
    const Tensor losses = cross_entropy(
        out.logits, Tensor::ids(b.tgt_out, {b.size, b.T}),
        {.ignore = kPad,
         .label_smoothing = options.label_smoothing,
         .reduction = out.log_probability.defined() ? Reduction::per_token : Reduction::sum});
    Tensor total = losses;
    if (out.log_probability.defined())
      total = sum(losses) + hard_attention_term(b, losses, out, baseline.value);
    tape.backward(scale(total, 1 / static_cast<double>(batch_tokens)));
    nats = sum(losses).item();
    return tape.gradients();
  }

  // Forward and backward by shards, clip, update. Returns the summed loss and the target tokens.
  Likelihood step(std::span<const int64_t> rows) {
    const Batch whole = make_batch(pairs, rows);
    const auto ranges = shard_ranges(whole.tgt_lengths, shards.count());
    const Rng rng = noise.fork(static_cast<uint64_t>(optimizer->steps()));
    std::vector<double> nats(ranges.size());
    Gradients gradients = shards.run([&](int64_t shard) -> Gradients {
      const auto at = static_cast<size_t>(shard);
      const auto [begin, end] = ranges[at];
      if (begin == end) return {};
      const Batch part = make_batch(
          pairs, rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
      return differentiate(part, whole.target_tokens, rng.fork(static_cast<uint64_t>(shard)),
                           nats[at]);
    });
    const double norm = clip_global_norm(gradients, options.clip, shards.for_each());
    norms += norm;
    clipped += norm > options.clip;
    optimizer->rate = rate_at(schedule, optimizer->steps());
    optimizer->step(gradients, shards.for_each());
    const Likelihood all{std::accumulate(nats.begin(), nats.end(), 0.0), whole.target_tokens};
    baseline.observe(Tensor::scalar(all.loss()));
    return all;
  }

  // The step, with the user's remedy added to what stopped it.
  Likelihood checked_step(std::span<const int64_t> rows) {
    try {
      return step(rows);
    } catch (const NumericError& e) {
      throw NumericError(fmt::format(
          "training stopped at step {}: {}. A smaller --rate helps{}", optimizer->steps() + 1,
          e.what(),
          options.check_numerics ? "" : "; --check-numerics names the first operation to blame"));
    }
  }
};

// The best epoch so far, and its weights where they are to stay.
struct Best {
  double loss = std::numeric_limits<double>::infinity();
  int64_t epoch = 0;
  Tensors weights;
  void keep(Network& network) {
    weights.clear();
    for (const auto& p : parameters(network)) weights.push_back(clone(p.value));
  }
  void restore(Network& network) const {
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
          {"best", best},
          {"kept", kept}};
}

std::vector<EpochReport> train(Translator& t, std::span<const Example> train_set,
                               std::span<const Example> valid_set, const TrainingOptions& o,
                               const TrainingWatcher& watcher) {
  const Rng rng(o.seed);
  const auto pairs = encode_all(t, train_set), valid = encode_all(t, valid_set);
  const BatchOptions batches{.max_tokens = o.batch_tokens};
  const int64_t epoch_tokens = target_tokens(pairs);
  const auto steps = static_cast<int64_t>(plan_epoch(pairs, batches, rng.fork("plan")).size());
  Stepper stepper{o,
                  t,
                  pairs,
                  make_optimizer(o.optimiser, parameters(t.network), {.rate = o.rate}),
                  schedule_for(o, steps * o.epochs),
                  std::max<int64_t>(1, steps * o.epochs),
                  Shards(o.threads),
                  rng.fork("noise"),
                  temperature_for(t.network, steps * o.epochs)};
  const bool keep_last = o.keep == "last";
  Best best;
  std::vector<EpochReport> reports;
  double spent = 0;  // seconds of training, validation left out
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    const auto plan =
        plan_epoch(pairs, batches, rng.fork("shuffle").fork(static_cast<uint64_t>(epoch)));
    set_hard(t.network, epoch > o.soft_epochs);
    if (epoch == o.soft_epochs + 1) best = {};  // what was soft until now is another network
    const auto start = Clock::now();
    Likelihood sum;
    stepper.norms = stepper.clipped = 0;
    for (const auto& rows : plan) {
      const Likelihood l = stepper.checked_step(rows);
      sum.nats += l.nats;
      sum.tokens += l.tokens;
      const double speed = static_cast<double>((epoch - 1) * epoch_tokens + sum.tokens) /
                           (spent + seconds_since(start));
      const auto left = static_cast<double>((o.epochs - epoch + 1) * epoch_tokens - sum.tokens);
      watcher.progress(
          {epoch, o.epochs, sum.tokens, epoch_tokens, sum.loss(), speed, left / speed});
    }
    const double seconds = seconds_since(start);
    spent += seconds;
    const double valid_loss = likelihood(t.network, valid, batches).loss();
    observe(stepper.schedule, valid_loss);
    const bool better = valid_loss < best.loss;
    if (better) {
      best.loss = valid_loss;
      best.epoch = epoch;
      if (!keep_last) best.keep(t.network);
    }
    const auto n = static_cast<double>(plan.size());
    reports.push_back({epoch, stepper.optimizer->steps(), sum.loss(), valid_loss,
                       exact_share(t, valid_set, o.threads), stepper.norms / n, stepper.clipped / n,
                       stepper.optimizer->rate, better, better || keep_last,
                       static_cast<double>(sum.tokens) / seconds});
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
