// Rows for ops_reduce.cpp and ops_softmax.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

using Reduce = Tensor (*)(const Tensor&, List<int>, bool);

void reductions(std::vector<Case>& all, const char* op, bool apart, bool of_nothing, Reduce f) {
  Numbers numbers(41);
  const auto row = [&](const Shape& s, const List<int>& axes, bool keep) {
    all.push_back({op,
                   fmt::format("{} over {}{}", to_text(s), axes, keep ? ", kept" : ""),
                   {{"x", apart ? numbers.apart(s) : numbers.normal(s)}},
                   [=](const Tensors& in) { return Tensors{f(in[0], axes, keep)}; }});
  };
  for (const int64_t n : kSizes) {
    row({n}, {}, false);
    row({3, n}, {1}, false);
    row({3, n}, {0}, false);
  }
  row({}, {}, false);
  row({2, 3}, {}, true);
  row({2, 3, 4}, {1}, false);
  row({2, 3, 4}, {1}, true);
  row({2, 3, 4}, {0, 2}, false);
  row({2, 3, 4}, {-1, 0}, true);
  row({2, 3, 4}, {0, 1, 2}, false);
  row({2, 1, 4}, {1}, false);
  row({2, 3, 1}, {2}, false);
  row({2, 2, 2, 3}, {1, 2}, false);
  row({0, 3}, {1}, false);
  if (of_nothing) row({0, 3}, {0}, false);
}

std::vector<std::pair<Shape, Mask>> masked_shapes() {
  std::vector<std::pair<Shape, Mask>> rows{
      {{5}, Mask{}},
      {{3, 0}, Mask{}},
      {{0, 3}, Mask{}},
      {{2, 3, 4}, Mask{}},
      {{4, 5}, Mask::lengths({5, 4, 1, 0})},
      {{4, 2, 5}, Mask::lengths({5, 4, 1, 0})},
      {{2, 3, 3}, Mask::causal()},
      {{2, 3, 4}, Mask::causal(1)},
      {{2, 3, 3}, Mask::causal(-1)},
      {{4}, Mask::keep({0, 1, 0, 1})},
      {{3, 4}, Mask::keep({0, 0, 0, 0})},
      {{2, 3, 2}, Mask::keep({1, 0, 0, 1}, {2, 2})},
      {{2, 2, 3}, Mask::keep({1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0}, {2, 2, 3})},
      {{3, 4, 4}, Mask::lengths({4, 2, 0}) & Mask::causal() & Mask::keep({1, 0, 1, 1})},
  };
  for (const int64_t n : kSizes) {
    rows.push_back({{2, n}, Mask{}});
    rows.push_back({{3, n}, Mask::lengths({n, n / 2, 0})});
  }
  return rows;
}

}  // namespace

void add_reduction_cases(std::vector<Case>& all) {
  reductions(all, "sum", false, true, sum);
  reductions(all, "mean", false, false, mean);
  reductions(all, "max", true, false, max);
  Numbers numbers(42);
  std::vector<Shape> shapes{{5}, {2, 3, 4}, {0, 3}};
  for (const int64_t n : kSizes) shapes.push_back({3, n});
  for (const Shape& s : shapes)
    all.push_back({"logsumexp", to_text(s), {{"x", numbers.normal(s, 2)}}, [](const Tensors& in) {
                     return Tensors{logsumexp(in[0])};
                   }});
  int number = 0;
  for (const auto& [shape, mask] : masked_shapes()) {
    const Mask m = mask;
    const std::string label = fmt::format("{} (row {})", to_text(shape), number++);
    all.push_back({"softmax", label, {{"x", numbers.normal(shape, 2)}}, [m](const Tensors& in) {
                     return Tensors{softmax(in[0], m)};
                   }});
    // Masked positions are -infinity, of which there is no difference: fill them with a number.
    all.push_back({"log_softmax", label, {{"x", numbers.normal(shape, 2)}}, [m](const Tensors& in) {
                     return Tensors{masked_fill(log_softmax(in[0], m), m, 0)};
                   }});
  }
}

}  // namespace heed::test
