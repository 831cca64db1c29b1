#include "layers/transformer.h"

#include "core/scope.h"

namespace heed {
namespace {

using LayerOptions = TransformerLayerOptions;

MultiHead attention_of(const LayerOptions& o, Rng& rng) {
  require(o.feed_forward > 0, "transformer: expected feed_forward >= 1, got {}", o.feed_forward);
  return MultiHead({.query = o.model, .heads = o.heads, .dropout = o.dropout}, rng);
}

LayerNorm norm_of(const LayerOptions& o) {
  return LayerNorm({.size = o.model, .eps = o.eps});
}

// The residual around a sublayer f, with the norm inside or outside of it.
template <class F>
Tensor around(const Tensor& x, const LayerNorm& norm, const LayerOptions& o, Rng* rng, F f) {
  const Dropout dropout{o.dropout};
  return o.pre_norm ? x + dropout(f(norm(x)), rng) : norm(x + dropout(f(x), rng));
}

Tensor feed_forward(const Tensor& x, const Linear& linear1, const Linear& linear2,
                    const LayerOptions& o, Rng* rng) {
  const Scope scope("feed_forward");
  const Tensor inner = linear1(x);
  const Tensor active = o.activation == Activation::gelu ? gelu(inner) : relu(inner);
  return linear2(Dropout{o.dropout}(active, rng));
}

template <class L>
std::vector<L> stack_of(const TransformerStackOptions& o, Rng& rng) {
  require(o.layers > 0, "transformer: expected layers >= 1, got {}", o.layers);
  std::vector<L> layers;
  for (int64_t i = 0; i < o.layers; ++i) layers.emplace_back(o.layer, rng);
  return layers;
}

std::optional<LayerNorm> last_norm_of(const TransformerStackOptions& o) {
  if (!o.norm.value_or(o.layer.pre_norm)) return std::nullopt;
  return norm_of(o.layer);
}

}  // namespace

// ---- layers ----

TransformerEncoderLayer::TransformerEncoderLayer(const LayerOptions& o, Rng& rng)
    : options(o),
      self_attn(attention_of(o, rng)),
      linear1({.in = o.model, .out = o.feed_forward}, rng),
      linear2({.in = o.feed_forward, .out = o.model}, rng),
      norm1(norm_of(o)),
      norm2(norm_of(o)) {}

MultiHeadOutput TransformerEncoderLayer::operator()(const Tensor& x, const Mask& mask,
                                                    Rng* rng) const {
  Tensor weights;
  const Tensor attended = around(x, norm1, options, rng, [&](const Tensor& in) {
    const Scope scope("self_attention");
    const SelfAttended a = self_attn.self(in, mask, rng);
    weights = a.weights;
    return a.y;
  });
  const Tensor y = around(attended, norm2, options, rng, [&](const Tensor& in) {
    return feed_forward(in, linear1, linear2, options, rng);
  });
  return {y, weights};
}

void TransformerEncoderLayer::visit(Visitor& see) {
  see("self_attn", self_attn);
  see("linear1", linear1);
  see("linear2", linear2);
  see("norm1", norm1);
  see("norm2", norm2);
}

TransformerDecoderLayer::TransformerDecoderLayer(const LayerOptions& o, Rng& rng)
    : options(o),
      self_attn(attention_of(o, rng)),
      multihead_attn(attention_of(o, rng)),
      linear1({.in = o.model, .out = o.feed_forward}, rng),
      linear2({.in = o.feed_forward, .out = o.model}, rng),
      norm1(norm_of(o)),
      norm2(norm_of(o)),
      norm3(norm_of(o)) {}

TransformerDecoderLayerOutput TransformerDecoderLayer::operator()(const Tensor& x,
                                                                  const HeadMemory& memory,
                                                                  const HeadMemory& past,
                                                                  Rng* rng) const {
  TransformerDecoderLayerOutput out;
  const int64_t before = past.keys.defined() ? past.keys.shape()[1] : 0;
  Tensor h = around(x, norm1, options, rng, [&](const Tensor& in) {
    const Scope scope("self_attention");
    SelfAttended a = self_attn.self(in, Mask::causal(before), rng, past);
    out.self_weights = a.weights;
    out.past = std::move(a.memory);
    return a.y;
  });
  h = around(h, norm2, options, rng, [&](const Tensor& in) {
    const Scope scope("cross_attention");
    const MultiHeadOutput a = multihead_attn(in, memory, {}, rng);
    out.cross_weights = a.weights;
    return a.y;
  });
  out.y = around(h, norm3, options, rng, [&](const Tensor& in) {
    return feed_forward(in, linear1, linear2, options, rng);
  });
  return out;
}

void TransformerDecoderLayer::visit(Visitor& see) {
  see("self_attn", self_attn);
  see("multihead_attn", multihead_attn);
  see("linear1", linear1);
  see("linear2", linear2);
  see("norm1", norm1);
  see("norm2", norm2);
  see("norm3", norm3);
}

// ---- stacks ----

TransformerEncoder::TransformerEncoder(const TransformerStackOptions& o, Rng& rng)
    : layers(stack_of<TransformerEncoderLayer>(o, rng)), norm(last_norm_of(o)) {}

TransformerEncoderOutput TransformerEncoder::operator()(const Tensor& x, const Mask& mask,
                                                        Rng* rng) const {
  TransformerEncoderOutput out{x, {}};
  for (size_t i = 0; i < layers.size(); ++i) {
    const Scope scope("layer", static_cast<int64_t>(i));
    auto [y, weights] = layers[i](out.y, mask, rng);
    out.y = y;
    out.weights.push_back(weights);
  }
  if (norm) out.y = (*norm)(out.y);
  return out;
}

void TransformerEncoder::visit(Visitor& see) {
  see("layers", layers);
  if (norm) see("norm", *norm);
}

TransformerDecoder::TransformerDecoder(const TransformerStackOptions& o, Rng& rng)
    : layers(stack_of<TransformerDecoderLayer>(o, rng)), norm(last_norm_of(o)) {}

List<HeadMemory> TransformerDecoder::memory(const Tensor& encoded, const Mask& mask) const {
  List<HeadMemory> all;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Scope scope("layer", static_cast<int64_t>(i));
    all.push_back(layers[i].multihead_attn.memory(encoded, mask));
  }
  return all;
}

TransformerDecoderOutput TransformerDecoder::operator()(const Tensor& x,
                                                        std::span<const HeadMemory> memory,
                                                        std::span<const HeadMemory> past,
                                                        Rng* rng) const {
  require(memory.size() == layers.size() && (past.empty() || past.size() == layers.size()),
          "transformer: expected a memory (and a past, or none) for each of the {} layers, got {} "
          "and {}",
          layers.size(), memory.size(), past.size());
  TransformerDecoderOutput out;
  out.y = x;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Scope scope("layer", static_cast<int64_t>(i));
    TransformerDecoderLayerOutput o =
        layers[i](out.y, memory[i], past.empty() ? HeadMemory{} : past[i], rng);
    out.y = o.y;
    out.self_weights.push_back(o.self_weights);
    out.cross_weights.push_back(o.cross_weights);
    out.past.push_back(std::move(o.past));
  }
  if (norm) out.y = (*norm)(out.y);
  return out;
}

void TransformerDecoder::visit(Visitor& see) {
  see("layers", layers);
  if (norm) see("norm", *norm);
}

}  // namespace heed
