// Rows for ops_math.cpp and ops_choice.cpp.
#include <fmt/format.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

// Every size of the last axis, alone and in rows, and shapes with nothing in them.
std::vector<Shape> unary_shapes() {
  std::vector<Shape> shapes{{}, {0}, {3, 0}, {2, 1, 3}, {2, 2, 1, 3, 2}};
  for (const int64_t n : kSizes) shapes.push_back({n});
  for (const int64_t n : kSizes) shapes.push_back({3, n});
  return shapes;
}

// Broadcast patterns, ranks 0 to 4: equal, scalars, rows, columns, both stretched, lower rank, 1s
// in the middle, nothing.
std::vector<std::pair<Shape, Shape>> binary_shapes() {
  std::vector<std::pair<Shape, Shape>> shapes{
      {{}, {}},
      {{}, {5}},
      {{5}, {}},
      {{1}, {5}},
      {{3, 4}, {}},
      {{3, 4}, {4}},
      {{4}, {3, 4}},
      {{3, 1}, {1, 4}},
      {{1, 4}, {3, 1}},
      {{3, 1}, {3, 4}},
      {{3, 4}, {3, 1}},
      {{3, 4}, {1, 4}},
      {{3, 4}, {1, 1}},
      {{1}, {1, 1}},
      {{2, 3, 4}, {3, 1}},
      {{2, 1, 4}, {3, 1}},
      {{2, 3, 1}, {2, 1, 4}},
      {{2, 3, 4}, {2, 1, 1}},
      {{4}, {2, 3, 4}},
      {{2, 3, 2, 4}, {3, 1, 4}},
      {{2, 1, 2, 1}, {1, 3, 1, 4}},
      {{2, 3, 2, 4}, {2, 3, 2, 4}},
      {{1, 1, 2, 1}, {2, 3, 2, 4}},
      {{0}, {0}},
      {{0}, {1}},
      {{3, 0}, {3, 1}},
      {{2, 1, 3}, {0, 1}},
  };
  for (const int64_t n : kSizes) {
    shapes.push_back({{n}, {n}});
    shapes.push_back({{2, n}, {n}});
    shapes.push_back({{2, n}, {2, 1}});
  }
  return shapes;
}

enum class Domain { any, positive, apart, away };  // away: from 0, either sign

Tensor draw(Numbers& numbers, Domain domain, const Shape& shape) {
  if (domain == Domain::positive) return numbers.uniform(shape, 0.5, 3);
  if (domain == Domain::apart) return numbers.apart(shape);
  Tensor x = domain == Domain::away ? numbers.uniform(shape, 0.5, 2) : numbers.normal(shape);
  if (domain == Domain::away)
    for (int64_t i = 0; i < x.numel(); i += 2) x.mutable_data<double>()[i] *= -1;
  return x;
}

void unary(std::vector<Case>& all, const char* op, Domain domain, Unary f) {
  Numbers numbers(11);
  for (const Shape& s : unary_shapes())
    all.push_back({op, to_text(s), {{"x", draw(numbers, domain, s)}}, [f](const Tensors& in) {
                     return Tensors{f(in[0])};
                   }});
}

void binary(std::vector<Case>& all, const char* op, Domain da, Domain db, Binary f) {
  Numbers numbers(12);
  const auto both = [f](const Tensors& in) { return Tensors{f(in[0], in[1])}; };
  for (const auto& [sa, sb] : binary_shapes()) {
    Tensor a = draw(numbers, da, sa), b = draw(numbers, db, sb);
    if (da == Domain::apart)  // no ties between the two
      for (int64_t i = 0; i < b.numel(); ++i) b.mutable_data<double>()[i] += 0.015625;
    all.push_back({op, to_text(sa) + " and " + to_text(sb), {{"a", a}, {"b", b}}, both});
  }
  for (const int64_t n : {1, 8, 33})  // both inputs are one tensor
    all.push_back({op,
                   fmt::format("x with itself, {}", n),
                   {{"x", draw(numbers, db, {n})}},
                   [f](const Tensors& in) { return Tensors{f(in[0], in[0])}; }});
}

void where_cases(std::vector<Case>& all) {
  Numbers numbers(13);
  const auto row = [&](const char* label, const Shape& sc, const Shape& sa, const Shape& sb) {
    std::vector<int64_t> bits(static_cast<size_t>(sc.numel()));
    for (size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 == 0 ? 0 : static_cast<int64_t>(i);
    const Tensor c = Tensor::ids(bits, sc);
    all.push_back({"where",
                   label,
                   {{"a", numbers.normal(sa)}, {"b", numbers.normal(sb)}},
                   [c](const Tensors& in) { return Tensors{where(c, in[0], in[1])}; }});
  };
  for (const int64_t n : kSizes) row("equal shapes", {2, n}, {2, n}, {2, n});
  row("condition stretched", {3, 1}, {3, 4}, {4});
  row("condition larger", {2, 3, 4}, {4}, {3, 1});
  row("scalar choices", {5}, {}, {});
  row("scalar condition", {}, {5}, {5});
  row("everything stretched", {2, 1, 1}, {3, 1}, {4});
  row("nothing", {0}, {0}, {1});
}

void masked_fill_cases(std::vector<Case>& all) {
  Numbers numbers(14);
  const auto row = [&](const char* label, const Shape& s, const Mask& mask) {
    all.push_back({"masked_fill", label, {{"x", numbers.normal(s)}}, [mask](const Tensors& in) {
                     return Tensors{masked_fill(in[0], mask, -3.5)};
                   }});
  };
  for (const int64_t n : kSizes) row("lengths", {3, n}, Mask::lengths({n, n / 2, 0}));
  row("lengths, rank 4", {2, 2, 3, 4}, Mask::lengths({1, 4}));
  row("causal", {2, 3, 3}, Mask::causal());
  row("keep", {2, 3, 4}, Mask::keep({1, 0, 1, 1}));
  row("keep per sentence", {2, 3, 2}, Mask::keep({1, 0, 0, 1}, {2, 2}));
  row("no mask", {4}, Mask{});
  row("nothing", {2, 0}, Mask::lengths({0, 0}));
}

}  // namespace

void add_elementwise_cases(std::vector<Case>& all) {
  binary(all, "add", Domain::any, Domain::any, add);
  binary(all, "sub", Domain::any, Domain::any, sub);
  binary(all, "mul", Domain::any, Domain::any, mul);
  binary(all, "div", Domain::any, Domain::away, div);
  binary(all, "maximum", Domain::apart, Domain::apart, maximum);
  where_cases(all);
  unary(all, "neg", Domain::any, neg);
  unary(all, "scale", Domain::any, [](const Tensor& x) { return scale(x, -1.75); });
  unary(all, "exp", Domain::any, exp);
  unary(all, "log", Domain::positive, log);
  unary(all, "sqrt", Domain::positive, sqrt);
  unary(all, "square", Domain::any, square);
  unary(all, "tanh", Domain::any, tanh);
  unary(all, "sigmoid", Domain::any, sigmoid);
  unary(all, "relu", Domain::apart, relu);
  unary(all, "gelu", Domain::any, gelu);
  unary(all, "abs", Domain::apart, abs);
  unary(all, "clamp", Domain::apart, [](const Tensor& x) { return clamp(x, -0.48, 0.78); });
  masked_fill_cases(all);
}

}  // namespace heed::test
