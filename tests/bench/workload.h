// What is measured: six training steps of small encoder-decoders, two sizes of three models, with
// every size open to change. Not here: models (training.h) and time.
//   gru          bidirectional GRU encoder, additive attention before each step of a GRU decoder,
//                output layer over [state; context; word]       (Bahdanau, Cho & Bengio 2015)
//   lstm         LSTM encoder and decoder, general attention after all steps, no input feeding
//                                                               (Luong, Pham & Manning 2015)
//   transformer  post-norm, dropout 0.1                         (Vaswani et al. 2017)
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layers/seq2seq.h"

namespace heed::bench {

enum class Model { gru, lstm, transformer };

struct Workload {
  std::string config;  // its name
  Model model;
  int64_t vocab_src, vocab_tgt, emb;
  int64_t hidden;  // units of a state; of the encoder per direction. 0 in the transformer
  int64_t batch, src_len, tgt_len;
  int64_t layers = 1;         // of the encoder, and as many of the decoder
  int64_t heads = 0, ff = 0;  // of the transformer
  Cell cell = Cell::gru;
  Score score = Score::additive;
  int64_t target_tokens() const { return batch * tgt_len; }
};

/// What a user may say instead of a configuration's own.
struct Overrides {
  std::optional<int64_t> vocab_src, vocab_tgt, emb, hidden, batch, src_len, tgt_len, layers, heads,
      ff;
  std::optional<std::string> cell, score;
};

/// "toy-gru", "toy-lstm", ..., "small-transformer".
const std::vector<std::string>& config_names();

/// Throws std::invalid_argument for an unknown name and for an override that the model has no use
/// for.
Workload workload(const std::string& config, const Overrides& overrides = {});

/// The product op(a) [m, k] op(b) [k, n], needed `times` times in a step.
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  int64_t times;
  double flops() const;  // of all of them: 2 m n k times
};

/// Every matrix product that a step over `batch` of the workload's sentences cannot avoid, forward
/// and backward. The gradient of a weight counts as one product over all the steps that use it. The
/// single rows of an attention that is computed word by word are not counted: they are no products
/// of matrices, and a floor that BLAS makes low with them would flatter the ratio.
std::vector<Product> unavoidable_products(const Workload& w, int64_t batch);

/// Operations of a whole step's products.
double flops(const std::vector<Product>& products);

}  // namespace heed::bench
