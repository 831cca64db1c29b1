// nn.MultiheadAttention with masks of both kinds, nn.TransformerEncoderLayer and
// nn.TransformerDecoderLayer with the norm after (relu) and before (gelu) the sublayer.
#include "layers/transformer.h"
#include "tests/parity/parity.h"

namespace heed::test {
namespace {

class TransformerParity : public Parity {};
INSTANTIATE_TEST_SUITE_P(, TransformerParity, kPrecisions, precision_name);

Mask lengths_of(const TensorMap& in) {
  return Mask::lengths(in.at("lengths").to_ids());
}

TransformerLayerOptions options(bool pre_norm) {
  return {.model = 8,
          .heads = 2,
          .feed_forward = 12,
          .pre_norm = pre_norm,
          .activation = pre_norm ? Activation::gelu : Activation::relu};
}

TEST_P(TransformerParity, SelfAttentionCausalAndPadded) {
  Rng rng(1);
  expect_parity("attention_self", GetParam(), MultiHead({.query = 8, .heads = 2}, rng),
                [](const MultiHead& f, const TensorMap& in) -> TensorMap {
                  const auto a = f.self(in.at("x"), lengths_of(in) & Mask::causal());
                  return {{"y", a.y}, {"weights", a.weights}};
                });
}

TEST_P(TransformerParity, CrossAttentionOfOtherSizes) {
  Rng rng(1);
  expect_parity(
      "attention_cross", GetParam(), MultiHead({.query = 8, .key = 3, .value = 6, .heads = 2}, rng),
      [](const MultiHead& f, const TensorMap& in) -> TensorMap {
        const auto a = f(in.at("query"), f.memory(in.at("key"), lengths_of(in), in.at("value")));
        return {{"y", a.y}, {"weights", a.weights}};
      });
}

TEST_P(TransformerParity, AttentionMaskOfEachHead) {
  Rng rng(1);
  expect_parity("attention_mask", GetParam(), MultiHead({.query = 8, .heads = 2}, rng),
                [](const MultiHead& f, const TensorMap& in) -> TensorMap {
                  const auto a = f(in.at("query"), f.memory(in.at("key"), lengths_of(in)),
                                   mask_of(in.at("keep")));
                  return {{"y", a.y}, {"weights", a.weights}};
                });
}

// Positions after a sentence's end mean nothing in either library: both sides make them 0.
TensorMap run_encoder(const TransformerEncoderLayer& f, const TensorMap& in) {
  const Tensor y = f(in.at("x"), lengths_of(in)).y;
  const std::vector<int64_t> lengths = in.at("lengths").to_ids();
  std::vector<double> kept;
  for (const int64_t n : lengths)
    for (int64_t s = 0; s < y.shape()[1]; ++s) kept.push_back(s < n);
  const Tensor keep = Tensor::from<double>(kept, y.shape().with(2, 1));
  return {{"y", y * cast(keep, y.dtype())}};
}

TensorMap run_decoder(const TransformerDecoderLayer& f, const TensorMap& in) {
  return {{"y", f(in.at("x"), f.multihead_attn.memory(in.at("memory"), lengths_of(in))).y}};
}

TEST_P(TransformerParity, EncoderLayerPostNorm) {
  Rng rng(1);
  expect_parity("encoder_layer_post_norm", GetParam(), TransformerEncoderLayer(options(false), rng),
                run_encoder);
}
TEST_P(TransformerParity, EncoderLayerPreNorm) {
  Rng rng(1);
  expect_parity("encoder_layer_pre_norm", GetParam(), TransformerEncoderLayer(options(true), rng),
                run_encoder);
}
TEST_P(TransformerParity, DecoderLayerPostNorm) {
  Rng rng(1);
  expect_parity("decoder_layer_post_norm", GetParam(), TransformerDecoderLayer(options(false), rng),
                run_decoder);
}
TEST_P(TransformerParity, DecoderLayerPreNorm) {
  Rng rng(1);
  expect_parity("decoder_layer_pre_norm", GetParam(), TransformerDecoderLayer(options(true), rng),
                run_decoder);
}

}  // namespace
}  // namespace heed::test
