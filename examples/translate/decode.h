// From a trained network to sentences: greedy decoding, and forced decoding of a given target.
// Nothing is recorded: no tape is active while decoding.
#pragma once
#include <span>
#include <vector>

#include "examples/translate/attention_view.h"
#include "examples/translate/metrics.h"
#include "examples/translate/translator.h"

namespace heed::translate {

/// One decoded sentence. `weights` is [target steps, source positions], the last step being the one
/// that said <eos> (if it did), the last position being <eos>; empty without attention.
struct Decoded {
  std::vector<std::string> tokens;
  std::vector<double> weights;
  int64_t columns = 0;         // of weights: source tokens + 1
  double log_probability = 0;  // of tokens and <eos>, in nats
  bool cut = false;            // the length limit came before <eos>
};

struct DecodeOptions {
  int64_t threads = 1;          // batches at the same time; changes no result
  int64_t batch_tokens = 4000;  // bound on sentences times longest source
  // A translation has at most this many tokens, in terms of its source's length.
  double length_factor = 2;
  int64_t length_extra = 10;
};

/// The most probable word at each step until <eos>. Sentences are independent: what else is in the
/// batch changes nothing. An empty sentence gives an empty one.
std::vector<Decoded> decode_greedy(const Translator& translator, std::span<const Tokens> sources,
                                   const DecodeOptions& options = {});

/// The given targets fed word by word: their log-probabilities and attention.
std::vector<Decoded> decode_forced(const Translator& translator, std::span<const Tokens> sources,
                                   std::span<const Tokens> targets,
                                   const DecodeOptions& options = {});

/// A decoded sentence for the views, with "</s>" at the ends.
AttentionMap attention_map(const Tokens& source, const Decoded& decoded);

/// Sum of -log p over the target tokens (<eos> included) of all pairs, and their number.
struct Likelihood {
  double nats = 0;
  int64_t tokens = 0;
  [[nodiscard]] double loss() const { return tokens ? nats / static_cast<double>(tokens) : 0; }
};
Likelihood likelihood(const Network& network, std::span<const IdPair> pairs,
                      const BatchOptions& options);

/// A padded batch as the network's input.
Seq2SeqBatch network_batch(const Batch& batch);

}  // namespace heed::translate
