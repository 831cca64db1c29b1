// Rows of the layer table for attention: every score, every window, and the hard choices whose
// gradient is exact under the noise drawn. Straight-through is left to hard_attention_test.cpp: its
// gradient is no derivative. Parameters are written out by hand.
#include "layers/attention.h"
#include "tests/layers/layer_table.h"

namespace heed::test {
namespace {

Tensors defined_of(const Attended& a) {
  Tensors all{a.context, a.weights};
  for (const Tensor& t : {a.position, a.log_probability, a.entropy})
    if (t.defined()) all.push_back(t);
  return all;
}

void add(std::vector<Row>& all, const std::string& label, const AttentionOptions& o,
         const NamedShapes& names) {
  std::vector<Shape> outputs{{2, 3, 5}, {2, 3, 4}};
  if (o.window != Window::global) outputs.push_back({2, 3});
  if (o.hard == Hard::reinforce) outputs.insert(outputs.end(), {{2, 3}, {2, 3}});
  all.push_back(row(
      "Attention", label, names,
      {{"keys", {2, 4, o.key}}, {"query", {2, 3, o.query}}, {"values", {2, 4, 5}}}, outputs,
      [o](Rng& rng) { return Attention(o, rng); },
      [](const Attention& f, const Tensors& in) {
        Rng noise(6);  // the same at every call
        const Memory m = f.memory(in[0], Mask::lengths({4, 2}), in[2]);
        return defined_of(f(in[1], m, {.rng = &noise}));
      },
      [](const Attention& f, const Tensor& x, const Mask& mask) {
        const Tensor one = noise({1, f.options.query}, 5, x.dtype());
        const Tensor q = concat(Tensors(static_cast<size_t>(x.shape()[0]), one), 0);
        return Sequence{{}, {f(q, f.memory(x, mask), {.step = 2}).context}};
      }));
}

}  // namespace

void add_attention_rows(std::vector<Row>& all) {
  const NamedShapes additive{
      {"query.weight", {3, 2}}, {"key.weight", {3, 4}}, {"key.bias", {3}}, {"v", {3}}};
  const NamedShapes concat{{"v", {3}}, {"weight", {3, 6}}};
  AttentionOptions o{.score = Score::additive, .query = 2, .key = 4, .width = 3};
  add(all, "additive", o, additive);
  o.fused = false;
  add(all, "additive composed", o, additive);
  o.score = Score::concat;
  add(all, "concat composed", o, concat);
  o.fused = true;
  add(all, "concat", o, concat);
  add(all, "dot", {.score = Score::dot, .query = 3, .key = 3}, {});
  add(all, "scaled_dot", {.score = Score::scaled_dot, .query = 3, .key = 3}, {});
  add(all, "cosine", {.score = Score::cosine, .query = 3, .key = 3}, {{"beta", {1}}});
  const NamedShapes general{{"weight", {2, 3}}};
  o = {.score = Score::general, .query = 2, .key = 3};
  add(all, "general", o, general);
  add(all, "location", {.score = Score::location, .query = 2, .key = 3, .longest = 6},
      {{"weight", {6, 2}}});
  for (const Hard hard : {Hard::argmax, Hard::reinforce, Hard::gumbel}) {
    o.hard = hard;
    o.temperature = 0.7;
    add(all, std::string(name_of(hard)), o, general);
  }
  o = {.score = Score::general, .query = 2, .key = 3, .window = Window::local_m, .reach = 1};
  add(all, "local_m", o, general);
  o.window = Window::local_p;
  add(all, "local_p", o, {{"weight", {2, 3}}, {"position.weight", {2, 2}}, {"position.v", {2}}});

  all.push_back(row(
      "PositionPredictor", "", {{"weight", {3, 3}}, {"v", {3}}}, {{"query", {2, 4, 3}}}, {{2, 4}},
      [](Rng& rng) { return PositionPredictor(3, rng); },
      [](const PositionPredictor& f, const Tensors& in) {
        return Tensors{f(in[0], Tensor::of({5, 2}, in[0].dtype()))};
      },
      [](const PositionPredictor& f, const Tensor& x, const Mask& mask) {
        const auto lengths = mask.lengths_of("test", x.shape()[0], x.shape()[1]);
        return Sequence{{f(x, cast(Tensor::ids(lengths, {x.shape()[0]}), x.dtype()))}, {}};
      }));
}

}  // namespace heed::test
