// Rows of the layer table. Names and shapes of parameters are written out by hand from PyTorch's
// documentation of the layer of the same name; what PyTorch does not have is named as it would be.
#include "tests/layers/layer_table.h"

#include "layers/embedding.h"
#include "layers/gru.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/lstm.h"
#include "layers/rnn.h"
#include "layers/seq2seq.h"

namespace heed::test {
namespace {

// PyTorch's names of a recurrent layer, `rows` = gates * hidden.
NamedShapes recurrent_names(int64_t input, int64_t rows, int64_t hidden, int64_t layers,
                            bool bidirectional) {
  NamedShapes all;
  for (int64_t l = 0; l < layers; ++l)
    for (const std::string end : {"", "_reverse"}) {
      if (!bidirectional && !end.empty()) continue;
      const std::string suffix = "_l" + std::to_string(l) + end;
      const int64_t in = l == 0 ? input : hidden * (bidirectional ? 2 : 1);
      all.push_back({"weight_ih" + suffix, {rows, in}});
      all.push_back({"weight_hh" + suffix, {rows, hidden}});
      all.push_back({"bias_ih" + suffix, {rows}});
      all.push_back({"bias_hh" + suffix, {rows}});
    }
  return all;
}

Tensors all_of(const RnnOutput& o) {
  Tensors all{o.y};
  all.insert(all.end(), o.state.h.begin(), o.state.h.end());
  return all;
}
Tensors all_of(const GruOutput& o) {
  Tensors all{o.y};
  all.insert(all.end(), o.state.h.begin(), o.state.h.end());
  return all;
}
Tensors all_of(const LstmOutput& o) {
  Tensors all{o.y};
  all.insert(all.end(), o.state.h.begin(), o.state.h.end());
  all.insert(all.end(), o.state.c.begin(), o.state.c.end());
  return all;
}
Sequence sequence_of(const Tensors& all) {
  return {{all[0]}, {all.begin() + 1, all.end()}};
}

void add_simple(std::vector<Row>& all) {
  const auto apply = [](const auto& f, const Tensors& in) { return Tensors{f(in[0])}; };
  const auto walk = [](const auto& f, const Tensor& x, const Mask&) {
    return Sequence{{f(x)}, {}};
  };
  all.push_back(row(
      "Linear", "bias", {{"weight", {4, 3}}, {"bias", {4}}}, {{"x", {2, 5, 3}}}, {{2, 5, 4}},
      [](Rng& rng) { return Linear({.in = 3, .out = 4}, rng); }, apply, walk));
  all.push_back(row(
      "Linear", "no bias", {{"weight", {4, 3}}}, {{"x", {2, 5, 3}}}, {{2, 5, 4}},
      [](Rng& rng) { return Linear({.in = 3, .out = 4, .bias = false}, rng); }, apply, walk));
  all.push_back(row(
      "Embedding", "", {{"weight", {6, 3}}}, {{"ids", {2, 5}, 6}}, {{2, 5, 3}},
      [](Rng& rng) { return Embedding({.count = 6, .size = 3}, rng); }, apply, walk));
  all.push_back(row(
      "LayerNorm", "", {{"weight", {6}}, {"bias", {6}}}, {{"x", {2, 5, 6}}}, {{2, 5, 6}},
      [](Rng& rng) {
        LayerNorm f({.size = 6});
        f.weight = init::normal({6}, 1, rng);  // not 1 and 0: both have to matter
        f.bias = init::normal({6}, 1, rng);
        return f;
      },
      apply, walk));
}

template <class L>
void add_recurrent(std::vector<Row>& all, const std::string& layer, int64_t gates, bool cells) {
  const auto run = [](const L& f, const Tensors& in) {
    return all_of(f(in[0], Mask::lengths({4, 1})));
  };
  const auto walk = [](const L& f, const Tensor& x, const Mask& mask) {
    return sequence_of(all_of(f(x, mask)));
  };
  const auto add = [&](const std::string& label, const RecurrentOptions& o) {
    const int64_t d = o.bidirectional ? 2 : 1;
    std::vector<Shape> outputs{{2, 4, d * o.hidden}};
    for (int64_t i = 0; i < o.layers * d * (cells ? 2 : 1); ++i) outputs.push_back({2, o.hidden});
    NamedShapes names =
        recurrent_names(o.input, gates * o.hidden, o.hidden, o.layers, o.bidirectional);
    if (!o.bias) std::erase_if(names, [](const auto& p) { return p.first[0] == 'b'; });
    all.push_back(row(
        layer, label, names, {{"x", {2, 4, o.input}}}, outputs, [o](Rng& rng) { return L(o, rng); },
        run, walk));
  };
  add("one layer", {.input = 3, .hidden = 2});
  add("no bias", {.input = 3, .hidden = 2, .bias = false});
  add("two layers, both directions", {.input = 3, .hidden = 2, .layers = 2, .bidirectional = true});
  add("composed", {.input = 3, .hidden = 2, .bidirectional = true, .fused = false});
}

void add_gru_of_the_paper(std::vector<Row>& all) {
  all.push_back(row(
      "Gru", "reset before the product", recurrent_names(3, 6, 2, 1, true), {{"x", {2, 4, 3}}},
      {{2, 4, 4}, {2, 2}, {2, 2}},
      [](Rng& rng) {
        return Gru({.input = 3, .hidden = 2, .bidirectional = true}, rng, GruReset::before);
      },
      [](const Gru& f, const Tensors& in) {
        return all_of(f(in[0], Mask::lengths({4, 1})));
      },
      [](const Gru& f, const Tensor& x, const Mask& mask) {
        return sequence_of(all_of(f(x, mask)));
      }));
}

void add_seq2seq(std::vector<Row>& all) {
  const auto add = [&](const std::string& label, const Seq2SeqOptions& o) {
    NamedShapes names{{"source.weight", {7, 3}}, {"target.weight", {6, 3}}};
    for (auto& [name, shape] : recurrent_names(3, 6, 2, 1, true))
      names.push_back({"encoder." + name, shape});
    names.insert(names.end(), {{"bridge.weight", {3, 4}}, {"bridge.bias", {3}}});
    if (o.attention)
      names.insert(names.end(), {{"attention.query.weight", {5, 3}},
                                 {"attention.key.weight", {5, 4}},
                                 {"attention.key.bias", {5}},
                                 {"attention.v", {5}}});
    names.insert(names.end(), {{"decoder.weight_ih_l0", {9, 7}},
                               {"decoder.weight_hh_l0", {9, 3}},
                               {"decoder.bias_ih_l0", {9}},
                               {"decoder.bias_hh_l0", {9}}});
    if (o.readout > 0)
      names.insert(names.end(), {{"readout.weight", {3, 10}}, {"readout.bias", {3}}});
    if (!o.tied) names.push_back({"output.weight", {6, o.readout > 0 ? 3 : 10}});
    names.push_back({"output.bias", {6}});
    std::vector<Shape> outputs{{2, 3, 6}};
    if (o.attention) outputs.push_back({2, 3, 4});
    all.push_back(row(
        "Seq2Seq", label, names, {{"source", {2, 4}, 7}, {"target_in", {2, 3}, 6}}, outputs,
        [o](Rng& rng) { return Seq2Seq(o, rng); },
        [](const Seq2Seq& f, const Tensors& in) {
          const Seq2SeqOutput out = f({in[0], in[1], {4, 2}});
          return out.weights.defined() ? Tensors{out.logits, out.weights} : Tensors{out.logits};
        },
        [](const Seq2Seq& f, const Tensor& x, const Mask& mask) {
          const int64_t b = x.shape()[0];
          std::vector<int64_t> words;
          for (int64_t i = 0; i < b; ++i) words.insert(words.end(), {1, 4, 2});
          const auto lengths = mask.lengths_of("test", b, x.shape()[1]);
          return Sequence{
              {}, {f({x, Tensor::ids(words, {b, 3}), {lengths.begin(), lengths.end()}}).logits}};
        }));
  };
  Seq2SeqOptions o{.source_vocabulary = 7,
                   .target_vocabulary = 6,
                   .embedding = 3,
                   .encoder_hidden = 2,
                   .decoder_hidden = 3,
                   .attention_width = 5};
  add("attention", o);
  o.readout = 3;
  add("readout", o);
  o.tied = true;
  add("tied", o);
  o = {.source_vocabulary = 7,
       .target_vocabulary = 6,
       .embedding = 3,
       .encoder_hidden = 2,
       .decoder_hidden = 3,
       .attention = false};
  add("no attention", o);
}

}  // namespace

const std::vector<Row>& layer_table() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all;
    add_simple(all);
    add_recurrent<Rnn>(all, "Rnn", 1, false);
    add_recurrent<Gru>(all, "Gru", 3, false);
    add_recurrent<Lstm>(all, "Lstm", 4, true);
    add_gru_of_the_paper(all);
    add_attention_rows(all);
    add_seq2seq(all);
    add_transformer_rows(all);
    return all;
  }();
  return rows;
}

}  // namespace heed::test
