// Whole translators. Trained in PyTorch and loaded by name they give the same logits and the same
// greedy translations. Trained here and saved they are what load_in_torch.py reads:
//
//     HEED_PARITY_OUT=parity build/bin/heed_parity_test --gtest_filter='ModelParity.Trained*'
//     python3 tests/parity/load_in_torch.py parity/*_f??.safetensors
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "layers/transformer_seq2seq.h"
#include "optim/adam.h"
#include "tests/parity/parity.h"

namespace heed::test {
namespace {

class ModelParity : public Parity {};
INSTANTIATE_TEST_SUITE_P(, ModelParity, kPrecisions, precision_name);

// As in torch_models.py.
constexpr int64_t kPad = 0, kBos = 1, kEos = 2, kVocabulary = 11, kLongest = 10;

Seq2Seq seq2seq(uint64_t seed = 1) {
  Rng rng(seed);
  return Seq2Seq({.source_vocabulary = kVocabulary,
                  .target_vocabulary = kVocabulary,
                  .embedding = 8,
                  .encoder_hidden = 12,
                  .decoder_hidden = 20,
                  .attention_width = 12,
                  .readout = 16},
                 rng);
}

TransformerSeq2Seq transformer(uint64_t seed = 1) {
  Rng rng(seed);
  return TransformerSeq2Seq({.source_vocabulary = kVocabulary,
                             .target_vocabulary = kVocabulary,
                             .model = 12,
                             .heads = 2,
                             .encoder_layers = 2,
                             .decoder_layers = 2,
                             .feed_forward = 24,
                             .pre_norm = true,
                             .activation = Activation::gelu},
                            rng);
}

Seq2SeqBatch batch_of(const TensorMap& in) {
  return {in.at("source"), in.at("target_in"), in.at("lengths").to_ids()};
}

DecoderState first_state(const Seq2Seq&, const Encoded& e) {
  return e.state;
}
DecoderState first_state(const TransformerSeq2Seq& m, const TransformerEncoded& e) {
  return m.start(e);
}

// The likeliest next word until the end of the sentence: ids [B, kLongest], kPad after the end.
template <class M>
Tensor translations(const M& m, const Seq2SeqBatch& batch) {
  const auto encoded = m.encode(batch.source, batch.source_lengths);
  DecoderState state = first_state(m, encoded);
  const int64_t rows = batch.source.shape()[0];
  std::vector<int64_t> words(static_cast<size_t>(rows), kBos);
  std::vector<int64_t> said(static_cast<size_t>(rows * kLongest), kPad);
  std::vector<bool> done(static_cast<size_t>(rows));
  for (int64_t n = 0; n < kLongest; ++n) {
    const DecoderStep step = m.step(Tensor::ids(words, {rows}), state, encoded);
    state = step.state;
    const std::vector<double> scores = step.logits.to_vector();
    for (size_t b = 0; b < words.size(); ++b) {
      const auto row = scores.begin() + static_cast<int64_t>(b) * kVocabulary;
      const int64_t best = std::max_element(row, row + kVocabulary) - row;
      done[b] = done[b] || best == kEos;
      words[b] = done[b] ? kPad : best;
      said[b * kLongest + static_cast<size_t>(n)] = words[b];
    }
  }
  return Tensor::ids(said, {rows, kLongest});
}

template <class M>
void expect_same_model(const std::string& name, DType dtype, M m) {
  to(m, dtype);
  load(fixture_path(name), m);
  const TensorMap file = load_map(fixture_path(name + ".run"));
  const Seq2SeqBatch batch = batch_of(part(file, "in", dtype));
  expect_near(name + ": logits", m(batch).logits, file.at("out.logits"), tolerance_of(dtype));
  EXPECT_EQ(translations(m, batch).to_ids(), file.at("out.translations").to_ids()) << name;
}

TEST_P(ModelParity, Seq2SeqTrainedInTorch) {
  expect_same_model("seq2seq", GetParam(), seq2seq());
}
TEST_P(ModelParity, TransformerTrainedInTorch) {
  expect_same_model("transformer", GetParam(), transformer());
}

// Trains on the fixture's own sentences until they are known, and saves the model and what it says.
// `other`, which has other weights, says the same once they are loaded.
template <class M>
void train_and_save(const std::string& name, DType dtype, M m, M other) {
  to(m, dtype);
  const TensorMap in = part(load_map(fixture_path(name + ".run")), "in", dtype);
  const Seq2SeqBatch batch = batch_of(in);
  const Tensor target = in.at("target_out");
  Adam optimizer(parameters(m), {.rate = 1e-2});
  for (int step = 0; step < 150; ++step) {
    Tape tape;
    tape.backward(cross_entropy(m(batch).logits, target, {.ignore = kPad}));
    optimizer.step(tape);
  }
  const Tensor said = translations(m, batch);
  int64_t right = 0;
  for (int64_t b = 0; b < said.shape()[0]; ++b) {
    std::vector<int64_t> gold = select(target, 0, b).to_ids();
    std::replace(gold.begin(), gold.end(), kEos, kPad);
    gold.resize(kLongest, kPad);
    right += select(said, 0, b).to_ids() == gold;
  }
  EXPECT_GE(right, 20) << "of 24 sentences: too few to say that the model learnt anything";

  const char* wanted = std::getenv("HEED_PARITY_OUT");
  const std::string folder =
      wanted ? wanted : testing::TempDir() + "heed_parity_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/" + name + "_" + std::string(name_of(dtype));
  save(path + ".safetensors", m, {{"heads", "2"}});
  std::vector<NamedTensor> run{{"out.logits", m(batch).logits}, {"out.translations", said}};
  for (const auto& [key, x] : in) run.emplace_back("in." + key, x);
  save_safetensors(path + ".run.safetensors", run);

  to(other, f64);
  load(path + ".safetensors", other);
  EXPECT_EQ(translations(other, batch).to_ids(), said.to_ids());
  if (!wanted) std::filesystem::remove_all(folder);
}

TEST_P(ModelParity, TrainedAndSavedSeq2Seq) {
  train_and_save("seq2seq", GetParam(), seq2seq(), seq2seq(2));
}
TEST_P(ModelParity, TrainedAndSavedTransformer) {
  train_and_save("transformer", GetParam(), transformer(), transformer(2));
}

}  // namespace
}  // namespace heed::test
