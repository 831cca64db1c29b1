// The layers of the Transformer and their stacks (Vaswani et al. 2017, arXiv:1706.03762, sec. 3.1).
// A sublayer f is wrapped in a residual and a norm:
//   post-norm   x <- norm(x + dropout(f(x)))      (the paper)
//   pre-norm    x <- x + dropout(f(norm(x)))      (Xiong et al. 2020, arXiv:2002.04745), and one
//                                                 more norm after the last layer
//   encoder layer: f = self-attention, feed forward
//   decoder layer: f = causal self-attention, attention over the encoder's result, feed forward
//   feed forward:  linear2(dropout(activation(linear1(x))))
// Names and shapes are those of PyTorch's layers of the same names, always batch first. Not here:
// embeddings, positions and the output layer (transformer_seq2seq.h).
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "layers/layer_norm.h"
#include "layers/multi_head.h"

namespace heed {

enum class Activation { relu, gelu };

struct TransformerLayerOptions {
  int64_t model;         // E, the size of all vectors between layers
  int64_t heads;         // N; divides E
  int64_t feed_forward;  // units between linear1 and linear2
  double dropout = 0;    // on weights, sublayers and inside feed forward
  bool pre_norm = false;
  Activation activation = Activation::relu;
  double eps = 1e-5;  // of the norms
};

/// x [B, S, E] -> y [B, S, E] and the weights [B, N, S, S]. Positions that the mask does not keep
/// change nothing at those that it keeps; what y holds there means nothing. Dropout only with a
/// generator.
struct TransformerEncoderLayer {
  TransformerLayerOptions options;
  MultiHead self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;

  TransformerEncoderLayer() = default;
  TransformerEncoderLayer(const TransformerLayerOptions& options, Rng& rng);

  MultiHeadOutput operator()(const Tensor& x, const Mask& mask = {}, Rng* rng = nullptr) const;
  void visit(Visitor& see);
};

struct TransformerDecoderLayerOutput {
  Tensor y;              // [B, T, E]
  Tensor self_weights;   // [B, N, T, P + T]
  Tensor cross_weights;  // [B, N, T, S]
  HeadMemory past;       // of P + T positions, for the next step
};

/// x [B, T, E] after `past` of P positions (none at first), each attending to itself, to those
/// before it and to the memory of S positions.
struct TransformerDecoderLayer {
  TransformerLayerOptions options;
  MultiHead self_attn, multihead_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2, norm3;

  TransformerDecoderLayer() = default;
  TransformerDecoderLayer(const TransformerLayerOptions& options, Rng& rng);

  TransformerDecoderLayerOutput operator()(const Tensor& x, const HeadMemory& memory,
                                           const HeadMemory& past = {}, Rng* rng = nullptr) const;
  void visit(Visitor& see);
};

struct TransformerStackOptions {
  TransformerLayerOptions layer;
  int64_t layers;
  std::optional<bool> norm;  // a LayerNorm after the last layer; unless said, as layer.pre_norm
};

struct TransformerEncoderOutput {
  Tensor y;         // [B, S, E]
  Tensors weights;  // of each layer: [B, N, S, S]
};

/// The layers one after the other, and the last norm.
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;

  TransformerEncoder() = default;
  TransformerEncoder(const TransformerStackOptions& options, Rng& rng);

  TransformerEncoderOutput operator()(const Tensor& x, const Mask& mask = {},
                                      Rng* rng = nullptr) const;
  void visit(Visitor& see);
};

struct TransformerDecoderOutput {
  Tensor y;                             // [B, T, E]
  Tensors self_weights, cross_weights;  // of each layer
  List<HeadMemory> past;                // of each layer
};

/// The layers one after the other, and the last norm. T words at once or word by word, with the
/// `past` of the step before: both give the same.
struct TransformerDecoder {
  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;

  TransformerDecoder() = default;
  TransformerDecoder(const TransformerStackOptions& options, Rng& rng);

  /// What each layer attends to: the encoder's result [B, S, E], projected once per sentence.
  List<HeadMemory> memory(const Tensor& encoded, const Mask& mask = {}) const;
  TransformerDecoderOutput operator()(const Tensor& x, std::span<const HeadMemory> memory,
                                      std::span<const HeadMemory> past = {},
                                      Rng* rng = nullptr) const;
  void visit(Visitor& see);
};

}  // namespace heed
