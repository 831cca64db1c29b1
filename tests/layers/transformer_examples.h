// Small Transformers for the tests.
#pragma once
#include "layers/transformer_seq2seq.h"
#include "tests/layers/seq2seq_examples.h"

namespace heed::test {

inline constexpr int64_t kModel = 6;

/// Post- and pre-norm, learned positions, a tied output, one head, another reported layer.
inline std::vector<TransformerOptions> transformers() {
  const TransformerOptions o{.source_vocabulary = kSourceWords,
                             .target_vocabulary = kTargetWords,
                             .model = kModel,
                             .heads = 3,
                             .encoder_layers = 2,
                             .decoder_layers = 2,
                             .feed_forward = 7};
  std::vector<TransformerOptions> all(4, o);
  all[1].pre_norm = true;
  all[1].activation = Activation::gelu;
  all[2].learned_positions = 20;
  all[2].tied = true;
  all[3].heads = 1;
  all[3].decoder_layers = 3;
  all[3].weights_layer = 1;
  return all;
}
inline std::string label(const TransformerOptions& o) {
  return fmt::format("{} heads{}{}{}", o.heads, o.pre_norm ? ", pre-norm" : "",
                     o.learned_positions > 0 ? ", learned" : "", o.tied ? ", tied" : "");
}

/// In f64, with weights that make every word matter.
inline TransformerSeq2Seq make(const TransformerOptions& o, uint64_t seed = 8) {
  Rng rng(seed);
  TransformerSeq2Seq m(o, rng);
  to(m, f64);
  Visitor stir([&](const std::string&, Tensor& p) {
    p = leaf(detach(p) + Tensor::normal(p.shape(), 0, 0.2, rng, f64));
  });
  m.visit(stir);
  return m;
}

inline Tensor loss_of(const TransformerSeq2Seq& m, const TestBatch& b) {
  return cross_entropy(m(b.in).logits, b.target_out,
                       {.ignore = kIgnore, .reduction = Reduction::sum});
}
inline Pass loss_and_gradients(TransformerSeq2Seq& m, const TestBatch& b) {
  return pass(leaves_of(parameters(m)), [&] { return Tensors{loss_of(m, b)}; },
              {Tensor::scalar(1, f64)});
}

/// Word t of every sentence.
inline Tensor column(const Tensor& ids, int64_t t) {
  const auto all = ids.to_ids();
  std::vector<int64_t> words;
  for (int64_t b = 0; b < ids.size(0); ++b)
    words.push_back(all[static_cast<size_t>(b * ids.size(1) + t)]);
  return Tensor::ids(words, {ids.size(0)});
}

}  // namespace heed::test
