// Rows of the layer table: multi-head attention, positions and the Transformer.
#include "layers/transformer_seq2seq.h"
#include "tests/layers/layer_table.h"

namespace heed::test {
namespace {

// With noise on every parameter, so that biases of 0 and gains of 1 matter too.
template <class L>
L stirred(L layer, Rng& rng) {
  Visitor stir([&](const std::string&, Tensor& p) {
    p = leaf(add(detach(p), Tensor::normal(p.shape(), 0, 0.3, rng)));
  });
  layer.visit(stir);
  return layer;
}

void append(NamedShapes& all, const std::string& prefix, const NamedShapes& names) {
  for (const auto& [name, shape] : names) all.push_back({prefix + name, shape});
}

NamedShapes multi_head_names(int64_t e) {
  return {{"in_proj_weight", {3 * e, e}},
          {"in_proj_bias", {3 * e}},
          {"out_proj.weight", {e, e}},
          {"out_proj.bias", {e}}};
}

// PyTorch's names of nn.TransformerEncoderLayer or DecoderLayer.
NamedShapes transformer_names(int64_t e, int64_t feed_forward, bool decoder) {
  NamedShapes all;
  append(all, "self_attn.", multi_head_names(e));
  if (decoder) append(all, "multihead_attn.", multi_head_names(e));
  append(all, "",
         {{"linear1.weight", {feed_forward, e}},
          {"linear1.bias", {feed_forward}},
          {"linear2.weight", {e, feed_forward}},
          {"linear2.bias", {e}}});
  for (const std::string norm : {"norm1.", "norm2.", "norm3."})
    if (decoder || norm != "norm3.") append(all, norm, {{"weight", {e}}, {"bias", {e}}});
  return all;
}
NamedShapes stack_names(int64_t e, int64_t feed_forward, bool decoder, int64_t layers, bool norm) {
  NamedShapes all;
  for (int64_t i = 0; i < layers; ++i)
    append(all, "layers." + std::to_string(i) + ".", transformer_names(e, feed_forward, decoder));
  if (norm) append(all, "norm.", {{"weight", {e}}, {"bias", {e}}});
  return all;
}

// The same row for every sentence of the batch: [B, S, E].
Tensor for_each_of(const Tensor& x, int64_t steps, int64_t size) {
  const Tensor one = noise({1, steps, size}, 5, x.dtype());
  return concat(Tensors(static_cast<size_t>(x.shape()[0]), one), 0);
}

void add_multi_head(std::vector<Row>& all) {
  const auto add = [&](const std::string& label, const MultiHeadOptions& o, int64_t key,
                       int64_t value, const NamedShapes& names) {
    all.push_back(row(
        "MultiHead", label, names,
        {{"keys", {2, 5, key}}, {"query", {2, 3, 4}}, {"values", {2, 5, value}}},
        {{2, 3, 4}, {2, o.heads, 3, 5}}, [o](Rng& rng) { return stirred(MultiHead(o, rng), rng); },
        [](const MultiHead& f, const Tensors& in) {
          const auto [y, weights] = f(in[1], f.memory(in[0], Mask::lengths({5, 2}), in[2]));
          return Tensors{y, weights};
        },
        [](const MultiHead& f, const Tensor& x, const Mask& mask) {
          const Tensor values = f.options.key == f.options.value ? Tensor{} : concat({x, x}, 2);
          const HeadMemory m = f.memory(x, mask, values);
          return Sequence{{}, {f(for_each_of(x, 2, 4), m).y}};
        }));
  };
  add("cross", {.query = 4, .heads = 2}, 4, 4, multi_head_names(4));
  NamedShapes names{
      {"q_proj_weight", {4, 4}}, {"k_proj_weight", {4, 3}}, {"v_proj_weight", {4, 6}}};
  names.insert(names.end(),
               {{"in_proj_bias", {12}}, {"out_proj.weight", {4, 4}}, {"out_proj.bias", {4}}});
  add("other sizes", {.query = 4, .key = 3, .value = 6, .heads = 4}, 3, 6, names);
  add("no bias", {.query = 4, .heads = 1, .bias = false}, 4, 4,
      {{"in_proj_weight", {12, 4}}, {"out_proj.weight", {4, 4}}});
  all.push_back(row(
      "MultiHead", "self, causal", multi_head_names(6), {{"x", {2, 4, 6}}},
      {{2, 4, 6}, {2, 3, 4, 4}},
      [](Rng& rng) { return stirred(MultiHead({.query = 6, .heads = 3}, rng), rng); },
      [](const MultiHead& f, const Tensors& in) {
        const SelfAttended a = f.self(in[0], Mask::causal() & Mask::lengths({4, 2}));
        return Tensors{a.y, a.weights};
      },
      [](const MultiHead& f, const Tensor& x, const Mask& mask) {
        return Sequence{{f.self(x, mask).y}, {}};
      }));
}

void add_transformer_layers(std::vector<Row>& all) {
  const auto encode = [](const auto& f, const Tensors& in) {
    const auto [y, weights] = f(in[0], Mask::lengths({4, 2}));
    return Tensors{y, weights};
  };
  const auto walk = [](const auto& f, const Tensor& x, const Mask& mask) {
    return Sequence{{f(x, mask).y}, {}};
  };
  const auto decode = [](const TransformerDecoderLayer& f, const Tensors& in) {
    const auto memory = f.multihead_attn.memory(in[1], Mask::lengths({5, 3}));
    const TransformerDecoderLayerOutput o = f(in[0], memory);
    return Tensors{o.y, o.self_weights, o.cross_weights};
  };
  const auto walk_decoder = [](const TransformerDecoderLayer& f, const Tensor& x, const Mask&) {
    return Sequence{{f(x, f.multihead_attn.memory(for_each_of(x, 3, 4))).y}, {}};
  };
  for (const bool pre_norm : {false, true}) {
    const TransformerLayerOptions o{.model = 4,
                                    .heads = 2,
                                    .feed_forward = 5,
                                    .pre_norm = pre_norm,
                                    .activation = pre_norm ? Activation::gelu : Activation::relu};
    const std::string label = pre_norm ? "pre-norm, gelu" : "post-norm, relu";
    all.push_back(row(
        "TransformerEncoderLayer", label, transformer_names(4, 5, false), {{"x", {2, 4, 4}}},
        {{2, 4, 4}, {2, 2, 4, 4}},
        [o](Rng& rng) { return stirred(TransformerEncoderLayer(o, rng), rng); }, encode, walk));
    all.push_back(row(
        "TransformerDecoderLayer", label, transformer_names(4, 5, true),
        {{"x", {2, 3, 4}}, {"encoded", {2, 5, 4}}}, {{2, 3, 4}, {2, 2, 3, 3}, {2, 2, 3, 5}},
        [o](Rng& rng) { return stirred(TransformerDecoderLayer(o, rng), rng); }, decode,
        walk_decoder));
    const TransformerStackOptions stack{.layer = o, .layers = 2, .norm = {}};
    all.push_back(row(
        "TransformerEncoder", label, stack_names(4, 5, false, 2, pre_norm), {{"x", {2, 4, 4}}},
        {{2, 4, 4}, {2, 2, 4, 4}, {2, 2, 4, 4}},
        [stack](Rng& rng) { return stirred(TransformerEncoder(stack, rng), rng); },
        [](const TransformerEncoder& f, const Tensors& in) {
          const auto [y, weights] = f(in[0], Mask::lengths({4, 2}));
          return Tensors{y, weights[0], weights[1]};
        },
        walk));
    all.push_back(row(
        "TransformerDecoder", label, stack_names(4, 5, true, 2, pre_norm),
        {{"x", {2, 3, 4}}, {"encoded", {2, 5, 4}}},
        {{2, 3, 4}, {2, 2, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 5}, {2, 2, 3, 5}},
        [stack](Rng& rng) { return stirred(TransformerDecoder(stack, rng), rng); },
        [](const TransformerDecoder& f, const Tensors& in) {
          const auto o2 = f(in[0], f.memory(in[1], Mask::lengths({5, 3})));
          return Tensors{o2.y, o2.self_weights[0], o2.self_weights[1], o2.cross_weights[0],
                         o2.cross_weights[1]};
        },
        [](const TransformerDecoder& f, const Tensor& x, const Mask&) {
          return Sequence{{f(x, f.memory(for_each_of(x, 3, 4))).y}, {}};
        }));
  }
}

void add_transformer_seq2seq(std::vector<Row>& all) {
  all.push_back(row(
      "LearnedPositions", "", {{"weight", {7, 4}}}, {{"x", {2, 5, 4}}}, {{2, 5, 4}},
      [](Rng& rng) { return LearnedPositions({.count = 7, .size = 4}, rng); },
      [](const LearnedPositions& f, const Tensors& in) { return Tensors{f(in[0], 2)}; },
      [](const LearnedPositions& f, const Tensor& x, const Mask&) {
        return Sequence{{f(x)}, {}};
      }));
  const auto add = [&](const std::string& label, const TransformerOptions& o) {
    NamedShapes names{{"source.weight", {7, 4}}, {"target.weight", {6, 4}}};
    if (o.learned_positions > 0)
      names.insert(names.end(),
                   {{"source_positions.weight", {9, 4}}, {"target_positions.weight", {9, 4}}});
    append(names, "encoder.", stack_names(4, 5, false, o.encoder_layers, o.pre_norm));
    append(names, "decoder.", stack_names(4, 5, true, o.decoder_layers, o.pre_norm));
    if (!o.tied) names.push_back({"output.weight", {6, 4}});
    names.push_back({"output.bias", {6}});
    all.push_back(row(
        "TransformerSeq2Seq", label, names, {{"source", {2, 4}, 7}, {"target_in", {2, 3}, 6}},
        {{2, 3, 6}, {2, 3, 4}}, [o](Rng& rng) { return stirred(TransformerSeq2Seq(o, rng), rng); },
        [](const TransformerSeq2Seq& f, const Tensors& in) {
          const Seq2SeqOutput out = f({in[0], in[1], {4, 2}});
          return Tensors{out.logits, out.weights};
        },
        [](const TransformerSeq2Seq& f, const Tensor& x, const Mask& mask) {
          const int64_t b = x.shape()[0];
          std::vector<int64_t> words;
          for (int64_t i = 0; i < b; ++i) words.insert(words.end(), {1, 4, 2});
          const auto lengths = mask.lengths_of("test", b, x.shape()[1]);
          return Sequence{
              {}, {f({x, Tensor::ids(words, {b, 3}), {lengths.begin(), lengths.end()}}).logits}};
        }));
  };
  TransformerOptions o{.source_vocabulary = 7,
                       .target_vocabulary = 6,
                       .model = 4,
                       .heads = 2,
                       .encoder_layers = 1,
                       .decoder_layers = 2,
                       .feed_forward = 5};
  add("sinusoids", o);
  o.tied = true;
  o.pre_norm = true;
  o.learned_positions = 9;
  o.weights_layer = 0;
  add("tied, pre-norm, learned positions", o);
}

}  // namespace

void add_transformer_rows(std::vector<Row>& all) {
  add_multi_head(all);
  add_transformer_layers(all);
  add_transformer_seq2seq(all);
}

}  // namespace heed::test
