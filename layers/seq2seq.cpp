#include "layers/seq2seq.h"

#include <algorithm>

#include "core/scope.h"

namespace heed {
namespace {

// The input product of the decoder's cell, W_ih [y; c] + b_ih, is taken apart by columns: the share
// of the embeddings is known for all steps at once, the share of the context only step by step.
struct SplitInput {
  Tensor of_embedding, of_context;  // views of W_ih: [3 H, E], [3 H, C]
  SplitInput(const RecurrentWeights& w, int64_t embedding)
      : of_embedding(slice(w.weight_ih, 1, 0, embedding)),
        of_context(slice(w.weight_ih, 1, embedding, w.weight_ih.shape()[1])) {}
};

Tensor gru_step(const Tensor& gates, const Tensor& state, const RecurrentWeights& w) {
  const int64_t b = gates.shape()[0], n = gates.shape()[1];
  return gru_sequence(reshape(gates, {b, 1, n}), state, w.weight_hh, w.bias_hh).h;
}

std::vector<int64_t> best_of(const Tensor& logits) {
  const int64_t rows = logits.shape()[0], v = logits.shape()[1];
  std::vector<int64_t> best(static_cast<size_t>(rows));
  dispatch(logits.dtype(), "best", [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = logits.data<T>() + r * v;
      best[static_cast<size_t>(r)] = std::max_element(row, row + v) - row;
    }
  });
  return best;
}

}  // namespace

Seq2Seq::Seq2Seq(const Seq2SeqOptions& o, Rng& rng) : options(o), dropout{o.dropout} {
  require(o.source_vocabulary > 0 && o.target_vocabulary > 0 && o.embedding > 0 &&
              o.encoder_hidden > 0 && o.decoder_hidden > 0,
          "seq2seq: expected vocabularies, embedding and hidden sizes >= 1, got {}, {}, {}, {}, {}",
          o.source_vocabulary, o.target_vocabulary, o.embedding, o.encoder_hidden,
          o.decoder_hidden);
  require(o.dropout >= 0 && o.dropout < 1, "seq2seq: expected dropout in [0, 1), got {}",
          o.dropout);
  const int64_t h = o.decoder_hidden, context = 2 * o.encoder_hidden;
  source = Embedding({.count = o.source_vocabulary, .size = o.embedding, .deviation = 0.1}, rng);
  target = Embedding({.count = o.target_vocabulary, .size = o.embedding, .deviation = 0.1}, rng);
  encoder = Gru({.input = o.embedding, .hidden = o.encoder_hidden, .bidirectional = true}, rng);
  bridge = Linear({.in = context, .out = h}, rng);
  if (o.attention)
    attention =
        Attention({.score = o.score, .query = h, .key = context, .width = o.attention_width}, rng);
  cell.weight_ih = init::fan({3 * h, o.embedding + context}, h, rng);
  cell.weight_hh = init::fan({3 * h, h}, h, rng);
  cell.bias_ih = init::fan({3 * h}, h, rng);
  cell.bias_hh = init::fan({3 * h}, h, rng);
  const int64_t read = h + context + o.embedding;
  require(o.readout >= 0, "seq2seq: expected a readout of >= 0 units, got {}", o.readout);
  require(!o.tied || o.readout == o.embedding,
          "seq2seq: a tied output needs a readout as wide as the embedding, {}, got {}",
          o.embedding, o.readout);
  if (o.readout > 0) readout = Linear({.in = read, .out = o.readout}, rng);
  output = Linear({.in = o.readout > 0 ? o.readout : read, .out = o.target_vocabulary}, rng);
  if (o.tied) output.weight = {};
}

void Seq2Seq::visit(Visitor& see) {
  see("source", source);
  see("target", target);
  see("encoder", encoder);
  see("bridge", bridge);
  if (options.attention) see("attention", attention);
  see("decoder.weight_ih", cell.weight_ih);
  see("decoder.weight_hh", cell.weight_hh);
  see("decoder.bias_ih", cell.bias_ih);
  see("decoder.bias_hh", cell.bias_hh);
  if (options.readout > 0) see("readout", readout);
  see("output", output);
}

Tensor Seq2Seq::logits(const Tensor& read) const {
  const Scope scope("output");
  const Tensor t = options.readout > 0 ? tanh(readout(read)) : read;
  return linear(t, options.tied ? target.weight : output.weight, output.bias);
}

Encoded Seq2Seq::encode(const Tensor& ids, const std::vector<int64_t>& lengths, Rng* rng) const {
  const Scope scope("encoder");
  require(ids.defined() && ids.rank() == 2, "seq2seq: expected source ids [B, S], got {}", ids);
  const Mask mask = Mask::lengths(lengths);
  const auto [h, state] = encoder(dropout(source(ids), rng), mask);
  Encoded e;
  e.summary = concat(state.h, 1);
  e.state = tanh(bridge(e.summary));
  if (options.attention) e.memory = attention.memory(h, mask);
  return e;
}

DecoderStep Seq2Seq::step(const Tensor& ids, const Tensor& state, const Encoded& e) const {
  const Scope scope("decoder");
  const Tensor y = target(ids);  // [B, E]
  const Attended a = options.attention ? attention(state, e.memory) : Attended{e.summary, {}};
  const Tensor gates = linear(concat({y, a.context}, 1), cell.weight_ih, cell.bias_ih);
  const Tensor s = gru_step(gates, state, cell);
  return {s, logits(concat({s, a.context, y}, 1)), a.weights};
}

Seq2SeqOutput Seq2Seq::operator()(const Seq2SeqBatch& batch, const Forcing& forcing,
                                  Rng* rng) const {
  require(forcing.ratio >= 0 && forcing.ratio <= 1,
          "seq2seq: expected a teacher-forcing ratio in [0, 1], got {}", forcing.ratio);
  require(forcing.ratio == 1 || forcing.rng,
          "seq2seq: a teacher-forcing ratio below 1 needs a generator for its coins");
  const Encoded e = encode(batch.source, batch.source_lengths, rng);
  require(batch.target_in.defined() && batch.target_in.rank() == 2 &&
              batch.target_in.shape()[0] == batch.source.shape()[0] &&
              batch.target_in.shape()[1] > 0,
          "seq2seq: expected target ids [{}, T >= 1], got {}", batch.source.shape()[0],
          batch.target_in);
  const Scope scope("decoder");
  const int64_t rows = batch.target_in.shape()[0], steps = batch.target_in.shape()[1];
  const SplitInput w(cell, options.embedding);

  const Tensor words = dropout(target(batch.target_in), rng);         // [B, T, E]
  const Tensor shares = linear(words, w.of_embedding, cell.bias_ih);  // [B, T, 3 H]
  std::vector<Tensor> states, contexts, weights, inputs;
  Tensor s = e.state;
  Tensor own;  // [B, E]: what the decoder itself said last, when it is fed that
  for (int64_t t = 0; t < steps; ++t) {
    const Scope at("step", t);
    const Attended a = options.attention ? attention(s, e.memory) : Attended{e.summary, {}};
    const Tensor y = own.defined() ? own : select(words, 1, t);
    const Tensor share =
        own.defined() ? linear(own, w.of_embedding, cell.bias_ih) : select(shares, 1, t);
    s = gru_step(share + linear(a.context, w.of_context, {}), s, cell);
    states.push_back(s);
    contexts.push_back(a.context);
    if (options.attention) weights.push_back(a.weights);
    inputs.push_back(y);
    own = {};
    if (t + 1 < steps && forcing.ratio < 1 && forcing.rng->uniform() >= forcing.ratio) {
      // The choice of a word has no gradient: it is a cut.
      const NoTape cut;
      const auto best = best_of(logits(concat({s, a.context, y}, 1)));
      own = Tensor::ids(best, {rows});
    }
    if (own.defined()) own = dropout(target(own), rng);
  }
  const Tensor read = concat({stack(states, 1), stack(contexts, 1), stack(inputs, 1)}, 2);
  Seq2SeqOutput out{logits(dropout(read, rng)), {}};
  if (options.attention) out.weights = stack(weights, 1);
  return out;
}

}  // namespace heed
