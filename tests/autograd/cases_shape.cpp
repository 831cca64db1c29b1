// Rows for ops_shape.cpp.
#include <fmt/format.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

void permute_cases(std::vector<Case>& all) {
  Numbers numbers(31);
  const auto row = [&](const Shape& s, const std::vector<int>& order) {
    all.push_back({"permute", to_text(s), {{"x", numbers.normal(s)}}, [order](const Tensors& in) {
                     return Tensors{permute(in[0], order)};
                   }});
  };
  for (const int64_t n : kSizes) {
    row({3, n}, {1, 0});
    row({2, 3, n}, {1, 0, 2});
  }
  row({}, {});
  row({4}, {0});
  row({2, 3, 4}, {2, 0, 1});
  row({2, 3, 4}, {-1, 1, 0});
  row({2, 3, 4, 2}, {0, 2, 1, 3});
  row({2, 1, 4, 1, 3}, {4, 3, 2, 1, 0});
  row({2, 0, 3}, {2, 1, 0});
  all.push_back({"permute", "transpose", {{"x", numbers.normal({2, 3, 4})}}, [](const Tensors& in) {
                   return Tensors{transpose(in[0])};
                 }});
  all.push_back(
      {"permute", "there and back", {{"x", numbers.normal({2, 3, 4})}}, [](const Tensors& in) {
         return Tensors{transpose(transpose(in[0]))};
       }});
}

void reshape_cases(std::vector<Case>& all) {
  Numbers numbers(32);
  const auto row = [&](const Shape& s, const std::vector<int64_t>& sizes) {
    all.push_back({"reshape", to_text(s), {{"x", numbers.normal(s)}}, [sizes](const Tensors& in) {
                     return Tensors{reshape(in[0], sizes)};
                   }});
  };
  row({6}, {2, 3});
  row({2, 3, 4}, {6, -1});
  row({2, 3, 4}, {-1});
  row({1}, {});
  row({}, {1, 1});
  row({2, 0}, {0, 5});
  row({4, 9}, {2, 2, 3, 3, 1});
  all.push_back(
      {"reshape", "of a transpose", {{"x", numbers.normal({3, 4})}}, [](const Tensors& in) {
         return Tensors{reshape(transpose(in[0]), {2, 6})};
       }});
}

void slice_cases(std::vector<Case>& all) {
  Numbers numbers(33);
  const auto row = [&](const Shape& s, int axis, int64_t begin, int64_t end) {
    all.push_back({"slice",
                   fmt::format("{} axis {}, [{}, {})", to_text(s), axis, begin, end),
                   {{"x", numbers.normal(s)}},
                   [=](const Tensors& in) { return Tensors{slice(in[0], axis, begin, end)}; }});
  };
  for (const int64_t n : kSizes) row({2, n}, -1, n / 2, n);
  row({5}, 0, 1, 4);
  row({5, 3}, 0, 0, 2);
  row({5, 3}, 0, 2, 5);
  row({2, 5, 3}, 1, 1, 2);
  row({2, 3, 4}, 2, 1, 1);
  row({0, 3}, 0, 0, 0);
  all.push_back(
      {"slice", "parts that overlap", {{"x", numbers.normal({4, 3})}}, [](const Tensors& in) {
         return Tensors{slice(in[0], 0, 0, 3), slice(in[0], 0, 1, 4)};
       }});
}

void split_cases(std::vector<Case>& all) {
  Numbers numbers(36);
  const auto row = [&](const Shape& s, int axis, int64_t parts) {
    all.push_back({"split",
                   fmt::format("{} axis {}, {} parts", to_text(s), axis, parts),
                   {{"x", numbers.normal(s)}},
                   [=](const Tensors& in) { return split(in[0], axis, parts); }});
  };
  row({6}, 0, 3);
  row({2, 3, 4}, 1, 3);
  row({2, 3, 4}, -1, 2);
  row({2, 3}, 0, 1);
  row({0, 4}, 1, 2);
  all.push_back(
      {"split", "one part not used", {{"x", numbers.normal({2, 6})}}, [](const Tensors& in) {
         const Tensors parts = split(in[0], 1, 3);
         return Tensors{parts[2], parts[0]};
       }});
  // x is used again before (and so reached by a gradient after) its parts, and the other way round.
  all.push_back(
      {"split", "x used beside it", {{"x", numbers.normal({2, 6})}}, [](const Tensors& in) {
         const Tensor before = square(in[0]);
         const Tensors parts = split(in[0], 1, 2);
         return Tensors{before, parts[1], exp(in[0])};
       }});
}

void select_cases(std::vector<Case>& all) {
  Numbers numbers(34);
  const auto row = [&](const Shape& s, int axis, int64_t index) {
    all.push_back({"select",
                   fmt::format("{} axis {}, {}", to_text(s), axis, index),
                   {{"x", numbers.normal(s)}},
                   [=](const Tensors& in) { return Tensors{select(in[0], axis, index)}; }});
  };
  for (const int64_t n : kSizes) row({3, n}, 0, 1);
  for (const int64_t n : kSizes) row({3, n}, -1, n - 1);
  row({4}, 0, 2);
  row({2, 3, 4}, 1, 2);
  row({2, 3, 4}, 2, 0);
  row({2, 3, 0}, 1, 0);
  row({2, 2, 3, 1}, 2, 1);
}

void concat_cases(std::vector<Case>& all) {
  Numbers numbers(35);
  const auto row = [&](const std::vector<Shape>& shapes, int axis) {
    Case c{"concat", fmt::format("axis {} of", axis), {}, [axis](const Tensors& in) {
             return Tensors{concat(std::span(in), axis)};
           }};
    for (const Shape& s : shapes) {
      c.label += " " + to_text(s);
      c.inputs.emplace_back(fmt::format("part {}", c.inputs.size()), numbers.normal(s));
    }
    all.push_back(std::move(c));
  };
  for (const int64_t n : kSizes) row({{2, n}, {2, 3}}, 1);
  row({{3}, {1}, {4}}, 0);
  row({{2, 3}, {4, 3}}, 0);
  row({{2, 3, 2}, {2, 1, 2}, {2, 2, 2}}, 1);
  row({{2, 2, 1}, {2, 2, 3}}, -1);
  row({{2, 3}}, 0);
  row({{2, 0}, {2, 3}, {2, 0}}, 1);
  row({{0, 3}, {2, 3}}, 0);
  all.push_back(
      {"concat", "a tensor twice", {{"x", numbers.normal({2, 3})}}, [](const Tensors& in) {
         return Tensors{concat({in[0], in[0]}, 0)};
       }});
  for (const int axis : {0, 1, 2, -1})
    all.push_back({"concat",
                   fmt::format("stack on axis {}", axis),
                   {{"part 0", numbers.normal({2, 3})}, {"part 1", numbers.normal({2, 3})}},
                   [axis](const Tensors& in) { return Tensors{stack(std::span(in), axis)}; }});
}

}  // namespace

void add_shape_cases(std::vector<Case>& all) {
  permute_cases(all);
  reshape_cases(all);
  slice_cases(all);
  split_cases(all);
  select_cases(all);
  concat_cases(all);
}

}  // namespace heed::test
