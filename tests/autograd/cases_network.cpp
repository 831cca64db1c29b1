// Rows for ops_nn.cpp and ops_loss.cpp.
#include <fmt/format.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

// 0, 3, 6, ... modulo `most`: some ids come often, some never.
Tensor some_ids(const Shape& shape, int64_t most) {
  std::vector<int64_t> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int64_t>(i) * 3 % most;
  return Tensor::ids(v, shape);
}

void cross_entropy_cases(std::vector<Case>& all) {
  Numbers numbers(52);
  const auto row = [&](const Shape& logits, const CrossEntropyOptions& options, bool ignored) {
    Tensor targets = some_ids(logits.without(logits.rank() - 1), logits.back());
    if (ignored)
      for (int64_t i = 0; i < targets.numel(); i += 2)
        targets.mutable_data<int64_t>()[i] = options.ignore;
    all.push_back(
        {"cross_entropy",
         fmt::format("{} smoothing {} reduction {}{}", to_text(logits), options.label_smoothing,
                     static_cast<int>(options.reduction), ignored ? ", every other ignored" : ""),
         {{"logits", numbers.normal(logits, 2)}},
         [=](const Tensors& in) { return Tensors{cross_entropy(in[0], targets, options)}; }});
  };
  for (const int64_t n : kSizes) row({3, n}, {.label_smoothing = 0.1}, false);
  for (const Reduction r : {Reduction::per_token, Reduction::sum, Reduction::mean})
    for (const double eps : {0.0, 0.2})
      for (const bool ignored : {false, true})
        row({2, 3, 5}, {.label_smoothing = eps, .reduction = r}, ignored);
  row({4}, {}, false);
  row({4, 5}, {.ignore = 0}, true);
  row({1, 3}, {}, true);  // nothing counted
  row({0, 3}, {}, false);
}

void layer_norm_cases(std::vector<Case>& all) {
  Numbers numbers(53);
  std::vector<Shape> shapes{{6}, {2, 3, 4}, {0, 3}};
  for (const int64_t n : kSizes) shapes.push_back({3, n});
  for (const Shape& s : shapes)
    all.push_back(
        {"layer_norm",
         to_text(s),
         {{"x", numbers.normal(s)},
          {"gain", numbers.normal({s.back()})},
          {"bias", numbers.normal({s.back()})}},
         [](const Tensors& in) { return Tensors{layer_norm(in[0], in[1], in[2], 1e-2)}; }});
}

}  // namespace

void add_network_cases(std::vector<Case>& all) {
  Numbers numbers(51);
  const auto lookup = [&](const Shape& ids, int64_t v, int64_t e) {
    const Tensor chosen = some_ids(ids, v);
    all.push_back({"embedding",
                   fmt::format("ids {} of [{}, {}]", to_text(ids), v, e),
                   {{"weight", numbers.normal({v, e})}},
                   [chosen](const Tensors& in) { return Tensors{embedding(in[0], chosen)}; }});
  };
  for (const int64_t n : kSizes) lookup({5}, 4, n);
  lookup({2, 3}, 7, 2);
  lookup({}, 3, 4);
  lookup({0}, 3, 4);
  lookup({3}, 3, 0);

  for (const double p : {0.0, 0.3, 0.9})
    for (const Shape& s : {Shape{1}, Shape{33}, Shape{3, 17}, Shape{2, 2, 5}, Shape{0}})
      all.push_back({"dropout",
                     fmt::format("{} p {}", to_text(s), p),
                     {{"x", numbers.normal(s)}},
                     [p](const Tensors& in) { return Tensors{dropout(in[0], p, 9)}; }});
  layer_norm_cases(all);
  cross_entropy_cases(all);
}

}  // namespace heed::test
