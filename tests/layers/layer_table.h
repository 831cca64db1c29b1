// The layer table: every layer of layers/ has rows here, and every row goes through the same checks
// (layer_table_test.cpp). A new layer needs rows in layer_table.cpp and nothing else.
#pragma once
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

}  // namespace heed::test
