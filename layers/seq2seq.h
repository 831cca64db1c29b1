// Encoder-decoders made of recurrent layers. h[1..S] is what the encoder makes of the source, y[t]
// the word before target t, s[t] the decoder's top state.
//
// Bahdanau (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473, app. A): attention before the step
//   c[t] = attention(s[t-1], h),   s[t] = RNN([y[t]; c[t]], s[t-1]),   r[t] = [s[t]; c[t]; y[t]]
//   or, with a readout layer (the paper's "deep output", with tanh), r = tanh(W_t [s; c; y] + b_t)
// Luong (Luong, Pham & Manning 2015, arXiv:1508.04025, sec. 3): attention after the step
//   s[t] = RNN(y[t], s[t-1]),   c[t] = attention(s[t], h),   r[t] = tanh(W_c [s[t]; c[t]] + b_c)
//   with input feeding (sec. 3.3) s[t] = RNN([y[t]; r[t-1]], s[t-1]), r[0] = 0
// Both: p(target t) = softmax(W_o r[t] + b_o).
// Without attention c[t] is the encoder's last state at every step: the fixed vector that attention
// was invented to replace.
//
// Not here: the Transformer (transformer_seq2seq.h).
#pragma once
#include <variant>
#include <vector>

#include "layers/attention.h"
#include "layers/decoder_state.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/gru.h"
#include "layers/lstm.h"
#include "layers/rnn.h"

namespace heed {

enum class Cell { gru, lstm, tanh };
enum class DecoderKind { bahdanau, luong };
/// Where the decoder's first state comes from: zeros; the encoder's last state as it is, layer by
/// layer; or tanh(W [last states of the encoder's top layer] + b), for all layers at once.
enum class Bridge { zero, last, learned };

std::string_view name_of(Cell cell);
std::string_view name_of(DecoderKind kind);
std::string_view name_of(Bridge bridge);
/// The one of this name; nothing if there is none.
std::optional<Cell> cell_named(std::string_view name);
std::optional<DecoderKind> decoder_named(std::string_view name);
std::optional<Bridge> bridge_named(std::string_view name);

struct Seq2SeqOptions {
  int64_t source_vocabulary, target_vocabulary;
  int64_t embedding = 64;
  int64_t encoder_hidden = 64;  // per direction
  int64_t decoder_hidden = 128;
  int64_t attention_width = 0;  // additive and concat scores; 0: as wide as the decoder's state
  Score score = Score::additive;
  bool attention = true;
  int64_t readout = 0;  // units of r; 0: Bahdanau without a readout layer, Luong decoder_hidden
  bool tied = false;   // W_o is the target embedding (Press & Wolf 2017); needs readout = embedding
  double dropout = 0;  // on embeddings, between layers, and on what the output layer reads
  Cell cell = Cell::gru;
  DecoderKind decoder = DecoderKind::bahdanau;
  bool input_feeding = false;  // Luong only
  Bridge bridge = Bridge::learned;
  int64_t encoder_layers = 1, decoder_layers = 1;
  bool bidirectional = true;
  bool residual = false;  // a stacked layer's output is added to its input (Wu et al. 2016)
  // Of the attention; see attention.h.
  Window window = Window::global;
  int64_t reach = 0;
  int64_t longest = 0;
  Hard hard = Hard::none;
  double temperature = 1;
};

/// A batch of sentences as ids: source [B, S] and the decoder's inputs [B, T], padded; the lengths
/// say what counts. Padding ids must be valid ids; their values change nothing.
struct Seq2SeqBatch {
  Tensor source, target_in;  // i64
  std::vector<int64_t> source_lengths;
};

/// What the encoder hands to the decoder.
struct Encoded {
  Memory memory;
  Tensor summary;      // [B, C]: the last state of each direction of the encoder's top layer
  DecoderState state;  // before the first word
};
/// The same for other sentences, as rows_of(DecoderState).
Encoded rows_of(const Encoded& encoded, std::span<const int64_t> rows);

/// One decoder step, for decoding word by word.
struct DecoderStep {
  DecoderState state;
  Tensor logits;   // [B, V]
  Tensor weights;  // [B, S]; undefined without attention
};

struct Seq2SeqOutput {
  Tensor logits;   // [B, T, V]
  Tensor weights;  // [B, T, S]: row t predicts target t; undefined without attention
  // With hard attention by REINFORCE and a generator for it (see hard_attention.h); else undefined.
  Tensor log_probability{}, entropy{};  // [B, T]
};

/// What a training pass has that plain use has not.
struct Seq2SeqCall {
  double forcing = 1;    // probability, per step and batch, of feeding the gold word; else its own
  Rng* coins = nullptr;  // draws that; needed when forcing < 1
  Rng* dropout = nullptr;               // switches dropout on
  Rng* attention = nullptr;             // draws the positions of hard attention
  std::optional<double> temperature{};  // of gumbel; else the options'
};

struct Seq2Seq {
  Seq2SeqOptions options;
  Embedding source, target;
  std::variant<Gru, Lstm, Rnn> encoder;
  Linear bridge;
  Attention attention;
  RecurrentStack decoder;  // its first layer reads [y; c], [y; r] or y
  Linear readout;
  Linear output;  // without a weight of its own where it is tied
  Dropout dropout;

  Seq2Seq() = default;
  /// Throws std::invalid_argument for sizes below 1 and for options that exclude each other.
  Seq2Seq(const Seq2SeqOptions& options, Rng& rng);

  Encoded encode(const Tensor& source_ids, const std::vector<int64_t>& lengths,
                 Rng* dropout_rng = nullptr) const;
  /// Feeds the words `ids` [B] to the decoder.
  DecoderStep step(const Tensor& ids, const DecoderState& state, const Encoded& encoded) const;
  /// Teacher forcing over a whole batch.
  Seq2SeqOutput operator()(const Seq2SeqBatch& batch, const Seq2SeqCall& call = {}) const;
  /// What the output layer makes of r [..., R] -> logits [..., V].
  Tensor logits(const Tensor& r) const;
  void visit(Visitor& see);
};

}  // namespace heed
