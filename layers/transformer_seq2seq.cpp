#include "layers/transformer_seq2seq.h"

#include <cmath>

#include "core/scope.h"

namespace heed {
namespace {

// Words at positions offset, offset + 1, ... as the stacks read them: [B, T] -> [B, T, E].
Tensor embedded(const Embedding& words, const LearnedPositions& positions, const Tensor& ids,
                int64_t offset, double dropout, Rng* rng) {
  const Tensor x = scale(words(ids), std::sqrt(static_cast<double>(words.weight.shape()[1])));
  const Tensor placed =
      positions.weight.defined() ? positions(x, offset) : add_sinusoids(x, offset);
  return Dropout{dropout}(placed, rng);
}

Tensor logits_of(const TransformerSeq2Seq& m, const Tensor& y) {
  const Scope scope("output");
  return noted(linear(y, m.options.tied ? m.target.weight : m.output.weight, m.output.bias), "z");
}

// The weights [B, N, T, S] of the reported layer, averaged over its heads: [B, T, S].
Tensor reported(const TransformerSeq2Seq& m, const Tensors& layers) {
  const int64_t l = m.options.weights_layer;
  return mean(l < 0 ? layers.back() : layers[static_cast<size_t>(l)], {1});
}

// State: keys and values of layer 0, of layer 1, ...
List<HeadMemory> past_of(const DecoderState& state) {
  List<HeadMemory> past;
  for (size_t i = 0; i + 1 < state.tensors.size(); i += 2)
    past.push_back({state.tensors[i], state.tensors[i + 1], {}});
  return past;
}

DecoderState state_of(const List<HeadMemory>& past, int64_t position) {
  DecoderState state{{}, position};
  for (const HeadMemory& m : past) state.tensors.insert(state.tensors.end(), {m.keys, m.values});
  return state;
}

void require_options(const TransformerOptions& o) {
  require(o.source_vocabulary > 0 && o.target_vocabulary > 0 && o.model > 0,
          "transformer: expected vocabularies and a model size >= 1, got {}, {}, {}",
          o.source_vocabulary, o.target_vocabulary, o.model);
  require(o.learned_positions >= 0, "transformer: expected learned_positions >= 0, got {}",
          o.learned_positions);
  require(o.learned_positions > 0 || o.model % 2 == 0,
          "transformer: sinusoids need an even model size, got {}; use learned positions", o.model);
  require(o.weights_layer >= -1 && o.weights_layer < o.decoder_layers,
          "transformer: expected weights_layer in [0, {}), or -1 for the last, got {}",
          o.decoder_layers, o.weights_layer);
}

}  // namespace

TransformerEncoded rows_of(const TransformerEncoded& e, std::span<const int64_t> rows) {
  const auto lengths = e.mask.lengths_of("rows_of", e.y.shape()[0], e.y.shape()[1]);
  TransformerEncoded kept{rows_of(e.y, rows), {}, {}, {}};
  std::vector<int64_t> kept_lengths;
  for (const int64_t r : rows) kept_lengths.push_back(lengths[static_cast<size_t>(r)]);
  kept.mask = Mask::lengths(std::move(kept_lengths));
  for (const Tensor& w : e.weights) kept.weights.push_back(rows_of(w, rows));
  for (const HeadMemory& m : e.memory)
    kept.memory.push_back({rows_of(m.keys, rows), rows_of(m.values, rows), kept.mask});
  return kept;
}

TransformerSeq2Seq::TransformerSeq2Seq(const TransformerOptions& o, Rng& rng) : options(o) {
  require_options(o);
  // Times sqrt(E) the embeddings have deviation 1, like what the norms make of everything else.
  const double deviation = 1 / std::sqrt(static_cast<double>(o.model));
  source = Embedding({.count = o.source_vocabulary, .size = o.model, .deviation = deviation}, rng);
  target = Embedding({.count = o.target_vocabulary, .size = o.model, .deviation = deviation}, rng);
  if (o.learned_positions > 0) {
    source_positions = LearnedPositions({.count = o.learned_positions, .size = o.model}, rng);
    target_positions = LearnedPositions({.count = o.learned_positions, .size = o.model}, rng);
  }
  const TransformerLayerOptions layer{.model = o.model,
                                      .heads = o.heads,
                                      .feed_forward = o.feed_forward,
                                      .dropout = o.dropout,
                                      .pre_norm = o.pre_norm,
                                      .activation = o.activation};
  encoder = TransformerEncoder({.layer = layer, .layers = o.encoder_layers, .norm = {}}, rng);
  decoder = TransformerDecoder({.layer = layer, .layers = o.decoder_layers, .norm = {}}, rng);
  output = Linear({.in = o.model, .out = o.target_vocabulary}, rng);
  if (o.tied) output.weight = {};
}

void TransformerSeq2Seq::visit(Visitor& see) {
  see("source", source);
  see("target", target);
  see("source_positions", source_positions);
  see("target_positions", target_positions);
  see("encoder", encoder);
  see("decoder", decoder);
  see("output", output);
}

TransformerEncoded TransformerSeq2Seq::encode(const Tensor& ids,
                                              const std::vector<int64_t>& lengths, Rng* rng) const {
  require(ids.defined() && ids.rank() == 2, "transformer: expected source ids [B, S], got {}", ids);
  TransformerEncoded e;
  e.mask = Mask::lengths(lengths);
  e.mask.check("transformer", ids.shape());
  {
    const Scope scope("encoder");
    const Tensor x = embedded(source, source_positions, ids, 0, options.dropout, rng);
    auto [y, weights] = encoder(noted(x, "x"), e.mask, rng);
    e.y = noted(y, "h");
    e.weights = std::move(weights);
  }
  const Scope scope("decoder");
  e.memory = decoder.memory(e.y, e.mask);
  return e;
}

DecoderState TransformerSeq2Seq::start(const TransformerEncoded& e) const {
  const Shape none{e.y.shape()[0], 0, options.heads, options.model / options.heads};
  return {Tensors(2 * decoder.layers.size(), Tensor::zeros(none, e.y.dtype())), 0};
}

DecoderStep TransformerSeq2Seq::step(const Tensor& ids, const DecoderState& state,
                                     const TransformerEncoded& e) const {
  const int64_t b = e.y.shape()[0];
  require(ids.defined() && ids.shape() == Shape({b}), "transformer: expected ids [{}], got {}", b,
          ids);
  require(state.tensors.size() == 2 * decoder.layers.size(),
          "transformer: expected a state of {} tensors, got {}; begin with start(encoded)",
          2 * decoder.layers.size(), state.tensors.size());
  const Scope scope("decoder");
  const Tensor x = embedded(target, target_positions, reshape(ids, {b, 1}), state.position,
                            options.dropout, nullptr);
  const TransformerDecoderOutput out = decoder(x, e.memory, past_of(state));
  return {state_of(out.past, state.position + 1), logits_of(*this, select(out.y, 1, 0)),
          select(reported(*this, out.cross_weights), 1, 0)};
}

TransformerDecoded TransformerSeq2Seq::decode(const Tensor& ids, const TransformerEncoded& e,
                                              Rng* rng) const {
  require(
      ids.defined() && ids.rank() == 2 && ids.shape()[0] == e.y.shape()[0] && ids.shape()[1] > 0,
      "transformer: expected target ids [{}, T >= 1], got {}", e.y.shape()[0], ids);
  const Scope scope("decoder");
  const Tensor y = embedded(target, target_positions, ids, 0, options.dropout, rng);
  TransformerDecoderOutput out = decoder(noted(y, "y"), e.memory, {}, rng);
  return {logits_of(*this, out.y), std::move(out.self_weights), std::move(out.cross_weights)};
}

Seq2SeqOutput TransformerSeq2Seq::operator()(const Seq2SeqBatch& batch, Rng* rng) const {
  const TransformerEncoded e = encode(batch.source, batch.source_lengths, rng);
  const TransformerDecoded d = decode(batch.target_in, e, rng);
  return {d.logits, reported(*this, d.cross_weights)};
}

}  // namespace heed
