#include "layers/seq2seq.h"

#include <algorithm>
#include <array>

#include "core/scope.h"

namespace heed {
namespace {

using Names = std::array<std::string_view, 3>;
constexpr Names kCells{"gru", "lstm", "tanh"}, kDecoders{"bahdanau", "luong", ""},
    kBridges{"zero", "last", "learned"};

template <class E>
std::optional<E> named(const Names& names, std::string_view wanted) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == wanted && !wanted.empty()) return static_cast<E>(i);
  return std::nullopt;
}

int64_t gates_of(Cell cell) {
  return cell == Cell::gru ? 3 : cell == Cell::lstm ? 4 : 1;
}
size_t states_of(Cell cell) {
  return cell == Cell::lstm ? 2 : 1;
}
int64_t context_size(const Seq2SeqOptions& o) {
  return o.encoder_hidden * (o.bidirectional ? 2 : 1);
}
// R: units of what the output layer reads.
int64_t read_size(const Seq2SeqOptions& o) {
  if (o.readout > 0) return o.readout;
  return o.decoder == DecoderKind::luong ? o.decoder_hidden
                                         : o.decoder_hidden + context_size(o) + o.embedding;
}
// What the first layer of the decoder reads beside the word.
int64_t extra_size(const Seq2SeqOptions& o) {
  if (o.decoder == DecoderKind::bahdanau) return context_size(o);
  return o.input_feeding ? read_size(o) : 0;
}

void require_options(const Seq2SeqOptions& o) {
  require(o.source_vocabulary > 0 && o.target_vocabulary > 0 && o.embedding > 0 &&
              o.encoder_hidden > 0 && o.decoder_hidden > 0,
          "seq2seq: expected vocabularies, embedding and hidden sizes >= 1, got {}, {}, {}, {}, {}",
          o.source_vocabulary, o.target_vocabulary, o.embedding, o.encoder_hidden,
          o.decoder_hidden);
  require(o.encoder_layers > 0 && o.decoder_layers > 0,
          "seq2seq: expected >= 1 layers, got {} in the encoder and {} in the decoder",
          o.encoder_layers, o.decoder_layers);
  require(o.dropout >= 0 && o.dropout < 1, "seq2seq: expected dropout in [0, 1), got {}",
          o.dropout);
  require(o.readout >= 0, "seq2seq: expected a readout of >= 0 units, got {}", o.readout);
  require(!o.tied || read_size(o) == o.embedding,
          "seq2seq: a tied output needs a readout as wide as the embedding, {}, got {}",
          o.embedding, o.readout);
  require(!o.input_feeding || o.decoder == DecoderKind::luong,
          "seq2seq: input feeding is for the luong decoder; the bahdanau decoder feeds its context "
          "to every step anyway");
  require(o.bridge != Bridge::last ||
              (context_size(o) == o.decoder_hidden && o.encoder_layers == o.decoder_layers),
          "seq2seq: the last bridge copies states, so it needs as many layers and units on both "
          "sides; got {} layers of {} units and {} of {}; use the learned bridge",
          o.encoder_layers, context_size(o), o.decoder_layers, o.decoder_hidden);
}

// The gates' input product of the decoder's first layer, W_ih [y; extra] + b_ih, is taken apart by
// columns: the share of the words is known for all steps at once, the other only step by step.
struct SplitInput {
  Tensor of_word, of_extra;  // views of W_ih: [n H, E], [n H, extra]
  SplitInput(const RecurrentWeights& w, int64_t embedding)
      : of_word(slice(w.weight_ih, 1, 0, embedding)),
        of_extra(slice(w.weight_ih, 1, embedding, w.weight_ih.shape()[1])) {}
};

// [B, N] -> [B, 1, N]: one step of a sequence.
Tensor one_step(const Tensor& x) {
  return reshape(x, {x.shape()[0], 1, x.shape()[1]});
}

std::vector<int64_t> best_of(const Tensor& logits) {
  const int64_t v = logits.shape().back(), rows = logits.numel() / v;
  std::vector<int64_t> best(static_cast<size_t>(rows));
  dispatch(logits.dtype(), "best", [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = logits.data<T>() + r * v;
      best[static_cast<size_t>(r)] = std::max_element(row, row + v) - row;
    }
  });
  return best;
}

// The decoder's way through a batch. Everything is [B, n, .] for n steps at a time: n is 1 where a
// step needs what the one before it made, else all steps.
class Walk {
 public:
  Walk(const Seq2Seq& model, const Encoded& encoded, const Seq2SeqCall& call)
      : m_(model),
        e_(encoded),
        call_(call),
        w_(model.decoder.weights[0], model.options.embedding) {}

  // The words' share of the first layer's gates: [B, n, E] -> [B, n, gates H].
  Tensor share(const Tensor& words) const {
    return linear(words, w_.of_word, m_.decoder.weights[0].bias_ih);
  }

  struct Steps {
    Tensor read;  // [B, n, R]
    Attended attended;
  };
  Steps advance(const Tensor& words, const Tensor& share, DecoderState& state) const {
    const Seq2SeqOptions& o = m_.options;
    const bool luong = o.decoder == DecoderKind::luong;
    Attended a;
    Tensor gates = share;
    if (!luong) {
      a = attend(one_step(top(state)), state.position);
      gates = gates + linear(a.context, w_.of_extra, {});
    } else if (o.input_feeding) {
      gates = gates + linear(one_step(state.tensors.back()), w_.of_extra, {});
    }
    const Tensor s = noted(layers(gates, state), "s");
    if (luong) a = attend(s, state.position);
    Tensor read = luong ? concat({s, a.context}, 2) : concat({s, a.context, words}, 2);
    if (luong || o.readout > 0) read = tanh(m_.readout(read));
    (void)noted(read, "r");
    if (o.input_feeding) state.tensors.back() = select(read, 1, 0);
    state.position += words.shape()[1];
    return {read, a};
  }

 private:
  const Tensor& top(const DecoderState& state) const {
    return state
        .tensors[states_of(m_.options.cell) * static_cast<size_t>(m_.options.decoder_layers - 1)];
  }

  Attended attend(const Tensor& query, int64_t step) const {
    if (m_.options.attention)
      return m_.attention(query, e_.memory,
                          {.step = step, .rng = call_.attention, .temperature = call_.temperature});
    Tensors same(static_cast<size_t>(query.shape()[1]), e_.summary);
    return {.context = stack(same, 1), .weights = {}};
  }

  // All layers over the gates' input shares of the first one; the states move on.
  Tensor layers(const Tensor& gates, DecoderState& state) const {
    const size_t parts = states_of(m_.options.cell);
    Tensor y, x = gates;
    for (size_t l = 0; l < m_.decoder.weights.size(); ++l) {
      const RecurrentWeights& w = m_.decoder.weights[l];
      const Tensor below = l > 0 ? m_.dropout(y, call_.dropout) : Tensor{};
      if (l > 0) x = linear(below, w.weight_ih, w.bias_ih);
      Tensor &h = state.tensors[l * parts], &c = state.tensors[l * parts + parts - 1];
      const Recurrence r = m_.options.cell == Cell::gru ? gru_sequence(x, h, w.weight_hh, w.bias_hh)
                           : m_.options.cell == Cell::lstm
                               ? lstm_sequence(x, h, c, w.weight_hh, w.bias_hh)
                               : rnn_sequence(x, h, w.weight_hh, w.bias_hh);
      h = r.h;
      if (parts == 2) c = r.c;
      y = m_.options.residual && l > 0 ? r.y + below : r.y;
    }
    return y;
  }

  const Seq2Seq& m_;
  const Encoded& e_;
  const Seq2SeqCall& call_;
  SplitInput w_;
};

// The encoder's last states as the decoder's first ones: [B, directions * H] of each of its layers.
Tensors joined(const Tensors& states, bool bidirectional) {
  if (!bidirectional) return states;
  Tensors all;
  for (size_t i = 0; i < states.size(); i += 2)
    all.push_back(concat({states[i], states[i + 1]}, 1));
  return all;
}

struct EncoderOutput {
  Tensor y;
  Tensors h, c;  // of each layer; c of the LSTM only
};
EncoderOutput run_encoder(const Seq2Seq& m, const Tensor& x, const Mask& mask, Rng* rng) {
  const bool two = m.options.bidirectional;
  return std::visit(
      [&](const auto& layer) -> EncoderOutput {
        const auto out = layer(x, mask, {}, rng);
        if constexpr (requires { out.state.c; })
          return {out.y, joined(out.state.h, two), joined(out.state.c, two)};
        else
          return {out.y, joined(out.state.h, two), {}};
      },
      m.encoder);
}

DecoderState first_state(const Seq2Seq& m, const EncoderOutput& encoded) {
  const Seq2SeqOptions& o = m.options;
  const int64_t batch = encoded.y.shape()[0];
  const size_t parts = states_of(o.cell), count = parts * static_cast<size_t>(o.decoder_layers);
  const DType dtype = encoded.y.dtype();
  DecoderState state;
  switch (o.bridge) {
    case Bridge::learned:
      state.tensors = split(tanh(m.bridge(encoded.h.back())), 1, static_cast<int64_t>(count));
      break;
    case Bridge::last:
      for (size_t i = 0; i < count; ++i)
        state.tensors.push_back((i % parts == 0 ? encoded.h : encoded.c)[i / parts]);
      break;
    case Bridge::zero:
      state.tensors.assign(count, Tensor::zeros({batch, o.decoder_hidden}, dtype));
  }
  if (o.input_feeding) state.tensors.push_back(Tensor::zeros({batch, read_size(o)}, dtype));
  return state;
}

}  // namespace

std::string_view name_of(Cell cell) {
  return kCells[static_cast<size_t>(cell)];
}
std::string_view name_of(DecoderKind kind) {
  return kDecoders[static_cast<size_t>(kind)];
}
std::string_view name_of(Bridge bridge) {
  return kBridges[static_cast<size_t>(bridge)];
}
std::optional<Cell> cell_named(std::string_view name) {
  return named<Cell>(kCells, name);
}
std::optional<DecoderKind> decoder_named(std::string_view name) {
  return named<DecoderKind>(kDecoders, name);
}
std::optional<Bridge> bridge_named(std::string_view name) {
  return named<Bridge>(kBridges, name);
}

Encoded rows_of(const Encoded& e, std::span<const int64_t> rows) {
  Encoded kept{.memory = {}, .summary = rows_of(e.summary, rows), .state = rows_of(e.state, rows)};
  const Memory& m = e.memory;
  if (!m.values.defined()) return kept;
  const Shape& shape = m.values.shape();
  const auto lengths = m.mask.lengths_of("rows_of", shape[0], shape[1]);
  std::vector<int64_t> kept_lengths;
  for (const int64_t r : rows) kept_lengths.push_back(lengths[static_cast<size_t>(r)]);
  kept.memory = {rows_of(m.projected, rows), rows_of(m.values, rows),
                 Mask::lengths(std::move(kept_lengths)),
                 m.lengths.defined() ? rows_of(m.lengths, rows) : Tensor{}};
  return kept;
}

Seq2Seq::Seq2Seq(const Seq2SeqOptions& o, Rng& rng) : options(o), dropout{o.dropout} {
  require_options(o);
  const int64_t h = o.decoder_hidden, context = context_size(o);
  source = Embedding({.count = o.source_vocabulary, .size = o.embedding, .deviation = 0.1}, rng);
  target = Embedding({.count = o.target_vocabulary, .size = o.embedding, .deviation = 0.1}, rng);
  const RecurrentOptions below{.input = o.embedding,
                               .hidden = o.encoder_hidden,
                               .layers = o.encoder_layers,
                               .bidirectional = o.bidirectional,
                               .dropout = o.dropout,
                               .residual = o.residual};
  if (o.cell == Cell::gru) encoder = Gru(below, rng);
  if (o.cell == Cell::lstm) encoder = Lstm(below, rng);
  if (o.cell == Cell::tanh) encoder = Rnn(below, rng);
  if (o.bridge == Bridge::learned) {
    const auto states = static_cast<int64_t>(states_of(o.cell)) * o.decoder_layers;
    bridge = Linear({.in = context, .out = states * h}, rng);
  }
  if (o.attention)
    attention = Attention({.score = o.score,
                           .query = h,
                           .key = context,
                           .width = o.attention_width,
                           .longest = o.longest,
                           .window = o.window,
                           .reach = o.reach,
                           .hard = o.hard,
                           .temperature = o.temperature},
                          rng);
  decoder = RecurrentStack(
      {.input = o.embedding + extra_size(o), .hidden = h, .layers = o.decoder_layers},
      gates_of(o.cell), rng);
  const bool luong = o.decoder == DecoderKind::luong;
  if (luong || o.readout > 0)
    readout = Linear({.in = h + context + (luong ? 0 : o.embedding), .out = read_size(o)}, rng);
  output = Linear({.in = read_size(o), .out = o.target_vocabulary}, rng);
  if (o.tied) output.weight = {};
}

void Seq2Seq::visit(Visitor& see) {
  see("source", source);
  see("target", target);
  std::visit([&](auto& layer) { see("encoder", layer); }, encoder);
  if (options.bridge == Bridge::learned) see("bridge", bridge);
  if (options.attention) see("attention", attention);
  see("decoder", decoder);
  if (readout.weight.defined()) see("readout", readout);
  see("output", output);
}

Tensor Seq2Seq::logits(const Tensor& r) const {
  const Scope scope("output");
  return noted(linear(r, options.tied ? target.weight : output.weight, output.bias), "z");
}

Encoded Seq2Seq::encode(const Tensor& ids, const std::vector<int64_t>& lengths, Rng* rng) const {
  const Scope scope("encoder");
  require(ids.defined() && ids.rank() == 2, "seq2seq: expected source ids [B, S], got {}", ids);
  const Mask mask = Mask::lengths(lengths);
  const Tensor x = dropout(noted(source(ids), "x"), rng);
  const EncoderOutput out = run_encoder(*this, x, mask, rng);
  (void)noted(out.y, "h");
  Encoded e{.memory = {}, .summary = out.h.back(), .state = first_state(*this, out)};
  (void)noted(e.summary, "summary");
  for (const Tensor& state : e.state.tensors) (void)noted(state, "s0");
  if (options.attention) e.memory = attention.memory(out.y, mask);
  return e;
}

DecoderStep Seq2Seq::step(const Tensor& ids, const DecoderState& state, const Encoded& e) const {
  const Scope scope("decoder");
  const Seq2SeqCall plain;
  const Walk walk(*this, e, plain);
  const Tensor words = one_step(target(ids));
  DecoderStep out{.state = state, .logits = {}, .weights = {}};
  const auto [read, a] = walk.advance(words, walk.share(words), out.state);
  out.logits = select(logits(read), 1, 0);
  if (options.attention) out.weights = select(a.weights, 1, 0);
  return out;
}

Seq2SeqOutput Seq2Seq::operator()(const Seq2SeqBatch& batch, const Seq2SeqCall& call) const {
  require(call.forcing >= 0 && call.forcing <= 1,
          "seq2seq: expected a teacher-forcing ratio in [0, 1], got {}", call.forcing);
  require(call.forcing == 1 || call.coins,
          "seq2seq: a teacher-forcing ratio below 1 needs a generator for its coins");
  const Encoded e = encode(batch.source, batch.source_lengths, call.dropout);
  require(batch.target_in.defined() && batch.target_in.rank() == 2 &&
              batch.target_in.shape()[0] == batch.source.shape()[0] &&
              batch.target_in.shape()[1] > 0,
          "seq2seq: expected target ids [{}, T >= 1], got {}", batch.source.shape()[0],
          batch.target_in);
  const Scope scope("decoder");
  const int64_t rows = batch.target_in.shape()[0], steps = batch.target_in.shape()[1];
  const bool alone =  // no step needs the one before it but for the recurrence
      options.decoder == DecoderKind::luong && !options.input_feeding && call.forcing == 1;
  const int64_t stride = alone ? steps : 1;

  const Walk walk(*this, e, call);
  const Tensor words = dropout(noted(target(batch.target_in), "y"), call.dropout);  // [B, T, E]
  const Tensor shares = walk.share(words);  // [B, T, gates H]
  Tensors reads, weights, chances, entropies;
  DecoderState state = e.state;
  Tensor own;  // [B, 1, E]: what the decoder itself said last, when it is fed that
  for (int64_t t = 0; t < steps; t += stride) {
    const Scope at("step", t);
    const auto [read, a] = own.defined() ? walk.advance(own, walk.share(own), state)
                                         : walk.advance(slice(words, 1, t, t + stride),
                                                        slice(shares, 1, t, t + stride), state);
    reads.push_back(read);
    if (a.weights.defined()) weights.push_back(a.weights);
    if (a.log_probability.defined()) chances.push_back(a.log_probability);
    if (a.entropy.defined()) entropies.push_back(a.entropy);
    own = {};
    if (t + 1 < steps && call.forcing < 1 && call.coins->uniform() >= call.forcing) {
      // The choice of a word has no gradient: it is a cut.
      note_choice(read, "argmax");
      std::vector<int64_t> best;
      {
        const NoTape cut;
        best = best_of(logits(read));
      }
      own = dropout(target(Tensor::ids(best, {rows, 1})), call.dropout);
    }
  }
  const auto all = [](const Tensors& parts) {
    return parts.empty() ? Tensor{} : parts.size() == 1 ? parts[0] : concat(parts, 1);
  };
  return {logits(dropout(all(reads), call.dropout)), all(weights), all(chances), all(entropies)};
}

}  // namespace heed
