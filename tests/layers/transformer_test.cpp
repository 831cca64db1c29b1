// Transformer layers and stacks: their equations one after the other, what depends on what, and
// decoding step by step. Gradients, files and padding are in the layer table.
#include "layers/transformer.h"

#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

constexpr int64_t kModel = 6;
constexpr double kEps = 1e-3;

TransformerLayerOptions options(bool pre_norm, double dropout = 0) {
  return {.model = kModel,
          .heads = 3,
          .feed_forward = 7,
          .dropout = dropout,
          .pre_norm = pre_norm,
          .activation = pre_norm ? Activation::gelu : Activation::relu,
          .eps = kEps};
}

// In f64, with gains that are not 1 and biases that are not 0.
template <class L, class O>
L make(const O& o, uint64_t seed = 3) {
  Rng rng(seed);
  L f(o, rng);
  to(f, f64);
  Visitor stir([&](const std::string&, Tensor& p) {
    p = leaf(detach(p) + Tensor::normal(p.shape(), 0, 0.3, rng, f64));
  });
  f.visit(stir);
  return f;
}
using EncoderLayer = TransformerEncoderLayer;
using DecoderLayer = TransformerDecoderLayer;

template <class L>
L stack_of(bool pre_norm, std::optional<bool> norm = {}, double dropout = 0) {
  return make<L>(
      TransformerStackOptions{.layer = options(pre_norm, dropout), .layers = 2, .norm = norm});
}

// (x - mean) / sqrt(var + eps) * gain + bias, from small ops.
Tensor normed(const Tensor& x, const LayerNorm& n) {
  const Tensor centred = x - mean(x, {-1}, true);
  const Tensor variance = mean(square(centred), {-1}, true);
  return centred / sqrt(variance + Tensor::scalar(kEps, f64)) * n.weight + n.bias;
}

template <class L>
Tensor fed_forward(const Tensor& x, const L& f, bool smooth) {
  const Tensor inner = linear(x, f.linear1.weight, f.linear1.bias);
  return linear(smooth ? gelu(inner) : relu(inner), f.linear2.weight, f.linear2.bias);
}

// ---- the equations at the head of transformer.h ----

TEST(TransformerEncoderLayer, ComputesItsEquations) {
  const Tensor x = noise({2, 4, kModel}, 1);
  const Mask mask = Mask::lengths({4, 2});
  const auto post = make<EncoderLayer>(options(false));
  const auto pre = make<EncoderLayer>(options(true));

  const Tensor a = normed(x + post.self_attn(x, post.self_attn.memory(x, mask)).y, post.norm1);
  expect_close("post-norm", post(x, mask).y.to_vector(),
               normed(a + fed_forward(a, post, false), post.norm2).to_vector(), 1e-13);

  const Tensor n = normed(x, pre.norm1);
  const Tensor b = x + pre.self_attn(n, pre.self_attn.memory(n, mask)).y;
  expect_close("pre-norm", pre(x, mask).y.to_vector(),
               (b + fed_forward(normed(b, pre.norm2), pre, true)).to_vector(), 1e-13);
  expect_close("weights", pre(x, mask).weights.to_vector(),
               pre.self_attn(n, pre.self_attn.memory(n, mask)).weights.to_vector(), 1e-14);
}

TEST(TransformerDecoderLayer, ComputesItsEquations) {
  const Tensor x = noise({2, 3, kModel}, 1), encoded = noise({2, 5, kModel}, 2);
  const Mask mask = Mask::lengths({5, 3});
  for (const bool pre_norm : {false, true}) {
    const auto f = make<DecoderLayer>(options(pre_norm));
    const HeadMemory memory = f.multihead_attn.memory(encoded, mask);
    const auto inside = [&](const Tensor& t, const LayerNorm& n) {
      return pre_norm ? normed(t, n) : t;
    };
    const auto outside = [&](const Tensor& t, const LayerNorm& n) {
      return pre_norm ? t : normed(t, n);
    };
    const Tensor n1 = inside(x, f.norm1);
    const MultiHeadOutput own = f.self_attn(n1, f.self_attn.memory(n1), Mask::causal());
    const Tensor a = outside(x + own.y, f.norm1);
    const MultiHeadOutput cross = f.multihead_attn(inside(a, f.norm2), memory);
    const Tensor b = outside(a + cross.y, f.norm2);
    const Tensor y = outside(b + fed_forward(inside(b, f.norm3), f, pre_norm), f.norm3);
    const TransformerDecoderLayerOutput out = f(x, memory);
    expect_close("y", out.y.to_vector(), y.to_vector(), 1e-13);
    expect_close("self", out.self_weights.to_vector(), own.weights.to_vector(), 1e-14);
    expect_close("cross", out.cross_weights.to_vector(), cross.weights.to_vector(), 1e-14);
  }
}

TEST(TransformerStacks, AreTheirLayersAndALastNormIfPreNorm) {
  const Tensor x = noise({2, 4, kModel}, 1);
  for (const bool pre_norm : {false, true})
    for (const std::optional<bool> norm : {std::optional<bool>{}, {false}, {true}}) {
      const auto encoder = stack_of<TransformerEncoder>(pre_norm, norm);
      EXPECT_EQ(encoder.norm.has_value(), norm.value_or(pre_norm));
      const auto last = [](const Tensor& y, const std::optional<LayerNorm>& n) {
        return n ? normed(y, *n).to_vector() : y.to_vector();
      };
      const MultiHeadOutput e0 = encoder.layers[0](x), e1 = encoder.layers[1](e0.y);
      const TransformerEncoderOutput e = encoder(x);
      expect_close("encoder", e.y.to_vector(), last(e1.y, encoder.norm), 1e-13);
      EXPECT_EQ(e.weights[0].to_vector(), e0.weights.to_vector());
      EXPECT_EQ(e.weights[1].to_vector(), e1.weights.to_vector());

      const auto decoder = stack_of<TransformerDecoder>(pre_norm, norm);
      EXPECT_EQ(decoder.norm.has_value(), norm.value_or(pre_norm));
      const auto after = [&](size_t i, const Tensor& in) {
        return decoder.layers[i](in, decoder.layers[i].multihead_attn.memory(e.y));
      };
      const auto d0 = after(0, x), d1 = after(1, d0.y);
      const TransformerDecoderOutput d = decoder(x, decoder.memory(e.y));
      expect_close("decoder", d.y.to_vector(), last(d1.y, decoder.norm), 1e-13);
      EXPECT_EQ(d.self_weights[1].to_vector(), d1.self_weights.to_vector());
      EXPECT_EQ(d.cross_weights[0].to_vector(), d0.cross_weights.to_vector());
      EXPECT_EQ(d.cross_weights[1].to_vector(), d1.cross_weights.to_vector());
    }
}

// ---- what depends on what ----

// Attention alone has no idea of order: that is what positions are for.
TEST(TransformerEncoder, PermutingThePositionsPermutesTheResult) {
  const int64_t order[] = {2, 0, 3, 1};
  const Tensor x = noise({2, 4, kModel}, 1);
  Tensors rows;
  for (const int64_t s : order) rows.push_back(select(x, 1, s));
  for (const bool pre_norm : {false, true}) {
    const auto f = stack_of<TransformerEncoder>(pre_norm);
    const Tensor y = f(x).y, permuted = f(stack(rows, 1)).y;
    for (int64_t s = 0; s < 4; ++s)
      expect_close("position " + std::to_string(s), select(permuted, 1, s).to_vector(),
                   select(y, 1, order[s]).to_vector(), 1e-13);
  }
}

TEST(TransformerEncoder, EveryKeptPositionMattersToEveryOther) {
  for (const bool pre_norm : {false, true}) {
    const auto f = stack_of<TransformerEncoder>(pre_norm);
    const Tensor x = leaf(noise({1, 5, kModel}, 1));
    for (int64_t s = 0; s < 4; ++s) {
      Tape tape;
      tape.backward(sum(square(select(f(x, Mask::lengths({4})).y, 1, s)) * noise({kModel}, 2)));
      const Tensor dx = tape.grad(x);
      for (int64_t t = 0; t < 5; ++t)
        EXPECT_EQ(sum(square(select(dx, 1, t))).item() > 0, t < 4) << s << " from " << t;
    }
  }
}

TEST(TransformerDecoder, TheFutureChangesNothing) {
  const Tensor encoded = noise({2, 3, kModel}, 1), x = noise({2, 5, kModel}, 2);
  for (const bool pre_norm : {false, true}) {
    const auto f = stack_of<TransformerDecoder>(pre_norm);
    const auto memory = f.memory(encoded);
    const Tensor before = f(x, memory).y;
    for (int64_t t = 0; t < 5; ++t) {
      const Tensor changed =
          concat({slice(x, 1, 0, t), noise({2, 1, kModel}, 3), slice(x, 1, t + 1, 5)}, 1);
      const Tensor after = f(changed, memory).y;
      EXPECT_EQ(slice(after, 1, 0, t).to_vector(), slice(before, 1, 0, t).to_vector()) << t;
      for (int64_t s = t; s < 5; ++s)
        EXPECT_NE(select(after, 1, s).to_vector(), select(before, 1, s).to_vector());
    }
  }
}

// ---- step by step ----

TEST(TransformerDecoder, CachedStepsEqualTheWholeSequence) {
  const Tensor x = leaf(noise({2, 6, kModel}, 1)), encoded = leaf(noise({2, 3, kModel}, 2));
  const Mask mask = Mask::lengths({3, 1});
  for (const bool pre_norm : {false, true}) {
    auto f = stack_of<TransformerDecoder>(pre_norm);
    Leaves leaves = leaves_of(parameters(f));
    leaves.insert(leaves.end(), {{"x", x}, {"encoded", encoded}});
    const auto flat = [](const TransformerDecoderOutput& o) {
      return Tensors{o.y, o.cross_weights[0], o.cross_weights[1]};
    };
    const Pass whole = pass(leaves, [&] { return flat(f(x, f.memory(encoded, mask))); });
    for (const int64_t chunk : {1, 3}) {
      const Pass steps = pass(leaves, [&] {
        const auto memory = f.memory(encoded, mask);
        List<HeadMemory> past;
        std::vector<Tensors> parts(3);
        for (int64_t t = 0; t < 6; t += chunk) {
          const TransformerDecoderOutput o = f(slice(x, 1, t, t + chunk), memory, past);
          past = o.past;
          const Tensors now = flat(o);
          for (size_t i = 0; i < 3; ++i) parts[i].push_back(now[i]);
        }
        return Tensors{concat(parts[0], 1), concat(parts[1], 2), concat(parts[2], 2)};
      });
      expect_same("chunks of " + std::to_string(chunk), leaves, steps, whole, 1e-12);
    }
  }
}

// ---- dropout ----

TEST(TransformerLayers, DropoutIsInEverySublayerAndOnlyWithAGenerator) {
  const Tensor x = noise({2, 4, kModel}, 1), encoded = noise({2, 3, kModel}, 2);
  for (const bool pre_norm : {false, true}) {
    const auto encoder = make<EncoderLayer>(options(pre_norm, 0.5)),
               plain = make<EncoderLayer>(options(pre_norm));
    EXPECT_EQ(encoder(x).y.to_vector(), plain(x).y.to_vector());
    Rng used(1), same(1), again(1), other(2);
    const Numbers once = encoder(x, {}, &used).y.to_vector();
    EXPECT_NE(once, plain(x).y.to_vector());
    EXPECT_EQ(once, encoder(x, {}, &again).y.to_vector());
    EXPECT_NE(once, encoder(x, {}, &other).y.to_vector());
    for (int key = 0; key < 4; ++key) same.next_key();
    EXPECT_EQ(used.next_u32(), same.next_u32()) << "weights, attended, inner, fed forward";

    const auto decoder = make<DecoderLayer>(options(pre_norm, 0.5));
    const HeadMemory memory = decoder.multihead_attn.memory(encoded);
    Rng drawn(1), counted(1);
    EXPECT_NE(decoder(x, memory, {}, &drawn).y.to_vector(), decoder(x, memory).y.to_vector());
    for (int key = 0; key < 6; ++key) counted.next_key();
    EXPECT_EQ(drawn.next_u32(), counted.next_u32());
  }
}

TEST(TransformerLayers, GradientsUnderDropoutAreDerivatives) {
  auto f = stack_of<TransformerEncoder>(true, {}, 0.3);
  const Tensor x = leaf(noise({2, 3, kModel}, 1));
  Leaves leaves = leaves_of(parameters(f));
  leaves.emplace_back("x", x);
  expect_gradients(
      "dropout",
      [&] {
        Rng fixed(1);
        return Tensors{f(x, {}, &fixed).y};
      },
      leaves, 8);
}

// ---- nothing there ----

TEST(TransformerStacks, EmptyBatchesAndNoPositionsGiveEmptyResults) {
  for (const bool pre_norm : {false, true}) {
    const auto encoder = stack_of<TransformerEncoder>(pre_norm);
    const auto decoder = stack_of<TransformerDecoder>(pre_norm);
    for (const Shape& shape : {Shape{0, 3, kModel}, Shape{2, 0, kModel}}) {
      const Tensor e = encoder(Tensor::zeros(shape, f64)).y;
      EXPECT_EQ(e.shape(), shape);
      const Shape target{shape[0], 2, kModel};
      const Tensor y = decoder(noise(target, 1), decoder.memory(e)).y;
      EXPECT_EQ(y.shape(), target);
      for (const double v : y.to_vector()) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

// ---- errors ----

TEST(TransformerLayers, SayWhatDoesNotFit) {
  const auto built = [](TransformerLayerOptions o) {
    return argument_error([&] { make<EncoderLayer>(o); });
  };
  EXPECT_EQ(built({.model = 6, .heads = 4, .feed_forward = 5}),
            "multi_head: expected a number of heads that divides the size 6, got 4");
  EXPECT_EQ(built({.model = 6, .heads = 2, .feed_forward = 0}),
            "transformer: expected feed_forward >= 1, got 0");
  EXPECT_EQ(argument_error([] {
              make<TransformerDecoder>(
                  TransformerStackOptions{.layer = options(false), .layers = 0, .norm = {}});
            }),
            "transformer: expected layers >= 1, got 0");

  const auto encoder = stack_of<TransformerEncoder>(false);
  EXPECT_EQ(argument_error([&] {
              encoder(noise({2, 3, 5}, 1));
            }),
            "multi_head: expected x [B, T, 6], got tensor f64 [2, 3, 5] (in "
            "layer[0]/self_attention)");
  EXPECT_EQ(argument_error([&] {
              encoder(noise({2, 3, kModel}, 1), Mask::lengths({1, 2, 3}));
            }),
            "multi_head: expected 2 lengths, one per sentence of the batch, got 3 (in "
            "layer[0]/self_attention/multi_head)");
  const auto decoder = stack_of<TransformerDecoder>(false);
  const auto memory = decoder.memory(noise({2, 3, kModel}, 1));
  const std::vector<HeadMemory> one(memory.begin(), memory.begin() + 1);
  EXPECT_EQ(argument_error([&] {
              decoder(noise({2, 1, kModel}, 1), one);
            }),
            "transformer: expected a memory (and a past, or none) for each of the 2 layers, got 1 "
            "and 0");
  EXPECT_EQ(argument_error([&] {
              decoder(noise({2, 1, kModel}, 1), memory, one);
            }),
            "transformer: expected a memory (and a past, or none) for each of the 2 layers, got 2 "
            "and 1");
  EXPECT_EQ(argument_error([&] {
              decoder(noise({3, 1, kModel}, 1), memory);
            }),
            "multi_head: expected a memory [3, S, 3, 2] for queries [3, 1, 6], got tensor f64 [2, "
            "3, 3, 2] (in layer[0]/cross_attention)");
}

}  // namespace
}  // namespace heed::test
