// The encoder-decoder Transformer (Vaswani et al. 2017, arXiv:1706.03762):
//   x = dropout(sqrt(E) embedding(source) + positions),   h = encoder(x)
//   s = decoder(dropout(sqrt(E) embedding(target) + positions), h)
//   p(y[t]) = softmax(W_o s[t] + b_o)
// It has the batches and results of seq2seq.h, and learns by teacher forcing only: all target steps
// are computed at once.
#pragma once
#include <vector>

#include "layers/decoder_state.h"
#include "layers/embedding.h"
#include "layers/positions.h"
#include "layers/seq2seq.h"
#include "layers/transformer.h"

namespace heed {

struct TransformerOptions {
  int64_t source_vocabulary, target_vocabulary;
  int64_t model = 128;  // E
  int64_t heads = 4;    // N; divides E
  int64_t encoder_layers = 2;
  int64_t decoder_layers = 2;
  int64_t feed_forward = 256;
  double dropout = 0;
  bool pre_norm = false;
  Activation activation = Activation::relu;
  int64_t learned_positions = 0;  // longest sentence of two learned tables; 0: sinusoids
  bool tied = false;              // W_o is the target embedding (Press & Wolf 2017)
  int64_t weights_layer = -1;     // whose weights are reported; -1: the decoder's last layer
};

/// What the encoder hands to the decoder.
struct TransformerEncoded {
  Tensor y;                 // [B, S, E]
  Mask mask;                // the source's lengths
  Tensors weights;          // of each encoder layer: [B, N, S, S]
  List<HeadMemory> memory;  // of each decoder layer
};
/// The same for other sentences, as rows_of(DecoderState).
TransformerEncoded rows_of(const TransformerEncoded& encoded, std::span<const int64_t> rows);

/// All target steps at once, with everything there is to look at.
struct TransformerDecoded {
  Tensor logits;                        // [B, T, V]
  Tensors self_weights, cross_weights;  // of each layer: [B, N, T, T], [B, N, T, S]
};

struct TransformerSeq2Seq {
  TransformerOptions options;
  Embedding source, target;
  LearnedPositions source_positions, target_positions;  // empty with sinusoids
  TransformerEncoder encoder;
  TransformerDecoder decoder;
  Linear output;  // without a weight of its own where it is tied

  TransformerSeq2Seq() = default;
  /// Throws std::invalid_argument for sizes and layers below 1, heads that do not divide E, an odd
  /// E with sinusoids, and a reported layer that does not exist.
  TransformerSeq2Seq(const TransformerOptions& options, Rng& rng);

  /// Source ids [B, S]; lengths of 0 are allowed.
  TransformerEncoded encode(const Tensor& source_ids, const std::vector<int64_t>& lengths,
                            Rng* dropout_rng = nullptr) const;
  /// The state before the first word.
  DecoderState start(const TransformerEncoded& encoded) const;
  /// Feeds the words `ids` [B] to the decoder. The new state holds each layer's keys and values of
  /// all words so far; the weights are those of the reported layer, averaged over its heads.
  DecoderStep step(const Tensor& ids, const DecoderState& state,
                   const TransformerEncoded& encoded) const;
  /// Feeds whole sentences [B, T].
  TransformerDecoded decode(const Tensor& target_ids, const TransformerEncoded& encoded,
                            Rng* dropout_rng = nullptr) const;
  /// Teacher forcing over a whole batch; weights as in `step`.
  Seq2SeqOutput operator()(const Seq2SeqBatch& batch, Rng* dropout_rng = nullptr) const;
  void visit(Visitor& see);
};

}  // namespace heed
