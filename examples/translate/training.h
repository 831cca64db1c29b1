// The training loop: batches of similar length, teacher forcing, clipping, Adam, one log line an
// epoch. The weights that stay are the best by validation loss, or the last.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/translate/decode.h"
#include "layers/teacher_forcing.h"

namespace heed::translate {

struct TrainingOptions {
  int64_t epochs = 12;
  int64_t batch_tokens = 1500;
  std::string optimiser = "adam";
  double rate = 2e-3;
  std::string schedule = "cosine";  // over all steps; or constant, plateau (per epoch)
  double clip = 1;                  // global norm
  double label_smoothing = 0;
  double forcing = 1;  // probability of feeding the gold word, at the end of its schedule
  ForcingSchedule forcing_schedule = ForcingSchedule::constant;
  int64_t soft_epochs = 0;  // hard attention is trained as a soft one for so many epochs first
  int64_t warmup = 0;       // steps; cosine, and inverse-sqrt (0: a twentieth of all)
  int64_t patience = 0;     // stop after so many epochs without a better validation loss; 0: never
  // Whose weights stay: of the best epoch by validation loss, or of the last. The last are better
  // where validation is harder than training in a way that more training does not mend.
  std::string keep = "best";
  int64_t threads = 1;  // shards of every batch; the result depends on their number
  bool check_numerics = false;
  uint64_t seed = 1;
};

/// What is known after each epoch.
struct EpochReport {
  int64_t epoch, steps;
  double train_loss;         // nats per token, smoothing included, while training
  double valid_loss;         // nats per token
  double valid_exact;        // share of up to 200 sentences translated exactly
  double gradient_norm;      // mean over the steps, before clipping
  double clipped;            // share of the steps
  double rate;               // of the last step
  bool best;                 // the best validation loss so far
  bool kept;                 // its weights stay unless a later epoch's do
  double tokens_per_second;  // target tokens, validation left out
  [[nodiscard]] nlohmann::ordered_json json() const;  // without speed: same seed, same bytes
};

/// Where training stands, several times a second at most.
struct TrainingProgress {
  int64_t epoch, epochs, tokens, epoch_tokens;
  double loss;  // of this epoch so far
  double tokens_per_second, seconds_left;
};

struct TrainingWatcher {
  std::function<void(const TrainingProgress&)> progress = [](const auto&) {};
  std::function<void(const EpochReport&)> epoch = [](const auto&) {};
};

/// Trains the translator's network in place. Throws NumericError when a gradient is not finite and
/// std::logic_error naming parameters that got none.
std::vector<EpochReport> train(Translator& translator, std::span<const Example> train,
                               std::span<const Example> valid, const TrainingOptions& options,
                               const TrainingWatcher& watcher = {});

}  // namespace heed::translate
