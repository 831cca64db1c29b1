// An encoder-decoder with attention before the step (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473):
//   h = bidirectional GRU over the source
//   s[0] = tanh(W [h_forward_last; h_backward_last] + b)
//   c[t] = attention(s[t-1], h),   s[t] = GRU([y[t-1]; c[t]], s[t-1])
//   p(y[t]) = softmax(W_o [s[t]; c[t]; y[t-1]] + b_o), or with a readout layer (the paper's "deep
//   output", app. A.2, with tanh) softmax(W_o tanh(W_t [s[t]; c[t]; y[t-1]] + b_t) + b_o)
// Without attention c[t] is [h_forward_last; h_backward_last] at every step: the fixed vector that
// attention was invented to replace.
#pragma once
#include <vector>

#include "layers/attention.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/gru.h"

namespace heed {

struct Seq2SeqOptions {
  int64_t source_vocabulary, target_vocabulary;
  int64_t embedding = 64;
  int64_t encoder_hidden = 64;  // per direction
  int64_t decoder_hidden = 128;
  int64_t attention_width = 0;  // additive score; 0: as wide as the decoder's state
  Score score = Score::additive;
  bool attention = true;
  int64_t readout = 0;  // units of the layer before the output; 0: none
  bool tied = false;   // W_o is the target embedding (Press & Wolf 2017); needs readout = embedding
  double dropout = 0;  // on embeddings and on what the output layer reads
};

/// A batch of sentences as ids: source [B, S] and the decoder's inputs [B, T], padded; the lengths
/// say what counts. Padding ids must be valid ids; their values change nothing.
struct Seq2SeqBatch {
  Tensor source, target_in;  // i64
  std::vector<int64_t> source_lengths;
};

/// What the encoder hands to the decoder.
struct Encoded {
  Memory memory;
  Tensor summary;  // [B, 2 * encoder_hidden]: each direction's last state
  Tensor state;    // [B, H]: s[0]
};

/// One decoder step, for decoding word by word.
struct DecoderStep {
  Tensor state;    // [B, H]
  Tensor logits;   // [B, V]
  Tensor weights;  // [B, S]; undefined without attention
};

struct Seq2SeqOutput {
  Tensor logits;   // [B, T, V]
  Tensor weights;  // [B, T, S]: row t predicts target t; undefined without attention
};

/// Where the decoder's inputs come from in training.
struct Forcing {
  double ratio = 1;  // probability, per step and batch, of feeding the gold word; else its own best
  Rng* rng = nullptr;  // draws the coins; needed when ratio < 1
};

struct Seq2Seq {
  Seq2SeqOptions options;
  Embedding source, target;
  Gru encoder;
  Linear bridge;
  Attention attention;
  RecurrentWeights cell;  // of the decoder's GRU; its input is [embedding; context]
  Linear readout;
  Linear output;  // without a weight of its own where it is tied
  Dropout dropout;

  Seq2Seq() = default;
  Seq2Seq(const Seq2SeqOptions& options, Rng& rng);

  Encoded encode(const Tensor& source_ids, const std::vector<int64_t>& lengths,
                 Rng* dropout_rng = nullptr) const;
  /// Feeds the words `ids` [B] to the decoder.
  DecoderStep step(const Tensor& ids, const Tensor& state, const Encoded& encoded) const;
  /// Teacher forcing over a whole batch.
  Seq2SeqOutput operator()(const Seq2SeqBatch& batch, const Forcing& forcing = {},
                           Rng* dropout_rng = nullptr) const;
  /// What the output layer makes of [s; c; y] [..., H + C + E] -> logits [..., V].
  Tensor logits(const Tensor& read) const;
  void visit(Visitor& see);
};

}  // namespace heed
