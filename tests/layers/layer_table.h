// The layer table: every layer of layers/ has rows here, and every row goes through the same checks
// (layer_table_test.cpp). A new layer needs rows in layer_table*.cpp and nothing else.
#pragma once
#include <memory>

#include "tests/layers/layer_checks.h"

namespace heed::test {

using NamedShapes = std::vector<std::pair<std::string, Shape>>;

/// An input: normal numbers of this shape, or ids below `ids`.
struct Input {
  std::string name;
  Shape shape;
  int64_t ids = 0;
};

/// What a layer makes of a padded batch: outputs per step [B, T, ...] and per sentence [B, ...].
struct Sequence {
  Tensors steps, sentences;
};

/// A layer of one row, made with one seed and dtype.
struct Instance {
  Parameters parameters;
  std::function<Tensors(const Tensors& in)> run;
  std::function<Sequence(const Tensor& x, const std::vector<int64_t>& lengths)> sequence;
};

/// One layer with certain options.
struct Row {
  std::string layer, label;
  NamedShapes parameters;      // by hand
  std::vector<Input> inputs;   // the first is [B, T, ...] or ids [B, T]
  std::vector<Shape> outputs;  // by hand
  std::function<Instance(uint64_t seed, DType)> make;
};

/// All rows, in a fixed order.
const std::vector<Row>& layer_table();

/// The rows of attention.h and local_attention.h.
void add_attention_rows(std::vector<Row>& all);
/// The rows of multi_head.h, positions.h and transformer*.h.
void add_transformer_rows(std::vector<Row>& all);

/// A row from functions of the layer itself: how it is made from an Rng, what it computes from the
/// inputs, and what it makes of a padded batch.
template <class Make, class Run, class Walk>
Row row(std::string layer, std::string label, NamedShapes parameters_, std::vector<Input> inputs,
        std::vector<Shape> outputs, Make make, Run run, Walk walk) {
  Row r{std::move(layer),  std::move(label),   std::move(parameters_),
        std::move(inputs), std::move(outputs), {}};
  r.make = [=](uint64_t seed, DType dtype) {
    Rng rng(seed);
    using L = decltype(make(rng));
    const auto held = std::make_shared<L>(make(rng));
    to(*held, dtype);
    return Instance{parameters(*held), [=](const Tensors& in) { return run(*held, in); },
                    [=](const Tensor& x, const std::vector<int64_t>& lengths) -> Sequence {
                      return walk(*held, x, Mask::lengths(lengths));
                    }};
  };
  return r;
}

}  // namespace heed::test
