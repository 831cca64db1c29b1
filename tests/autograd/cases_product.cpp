// Rows for ops_matmul.cpp and ops_attention.cpp.
#include <fmt/format.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

using Binary = Tensor (*)(const Tensor&, const Tensor&);

// Sizes (batch, m, k, n); batch may be empty. `ta`, `tb`: which factor is given transposed.
void products(std::vector<Case>& all, const char* op, bool ta, bool tb, Binary f) {
  Numbers numbers(21);
  const auto shape = [](std::vector<int64_t> lead, int64_t r, int64_t c) {
    lead.push_back(r), lead.push_back(c);
    return Shape(std::span<const int64_t>(lead));
  };
  const auto row = [&](const std::vector<int64_t>& lead_a, const std::vector<int64_t>& lead_b,
                       int64_t m, int64_t k, int64_t n) {
    const Shape sa = ta ? shape(lead_a, k, m) : shape(lead_a, m, k);
    const Shape sb = tb ? shape(lead_b, n, k) : shape(lead_b, k, n);
    all.push_back({op,
                   to_text(sa) + " and " + to_text(sb),
                   {{"a", numbers.normal(sa)}, {"b", numbers.normal(sb)}},
                   [f](const Tensors& in) { return Tensors{f(in[0], in[1])}; }});
  };
  for (const int64_t n : kSizes) {
    row({}, {}, n, 3, 4);
    row({}, {}, 3, n, 4);
    row({}, {}, 3, 4, n);
  }
  row({}, {}, 1, 1, 1);
  for (const std::vector<int64_t>& lead : {std::vector<int64_t>{3}, {2, 3}, {2, 1, 2}, {0}, {1}}) {
    row(lead, {}, 2, 3, 4);    // one b for the whole batch
    row(lead, lead, 2, 3, 4);  // a b each
    row(lead, lead, 1, 3, 1);
  }
  row({}, {}, 0, 3, 4);
  row({}, {}, 2, 0, 4);
  row({}, {}, 2, 3, 0);
  row({2}, {2}, 2, 0, 3);
  row({2}, {}, 0, 3, 2);
  all.push_back({op, "x with itself", {{"x", numbers.normal({2, 3, 3})}}, [f](const Tensors& in) {
                   return Tensors{f(in[0], in[0])};
                 }});
}

void linear_cases(std::vector<Case>& all) {
  Numbers numbers(22);
  const auto row = [&](const Shape& x, int64_t out, bool bias) {
    Case c{"linear",
           to_text(x) + (bias ? " with bias" : " without bias"),
           {{"x", numbers.normal(x)}, {"weight", numbers.normal({out, x.back()})}},
           [](const Tensors& in) {
             return Tensors{linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor{})};
           }};
    if (bias) c.inputs.emplace_back("bias", numbers.normal({out}));
    all.push_back(std::move(c));
  };
  for (const int64_t n : kSizes) {
    row({3, n}, 4, true);
    row({2, 3}, n, true);
  }
  row({2, 3, 4}, 5, true);
  row({2, 3, 4}, 5, false);
  row({2, 2, 3, 4}, 3, true);
  row({4}, 3, true);
  row({0, 3}, 2, true);
  row({2, 0, 3}, 2, true);
  row({2, 0}, 3, true);
  row({2, 3}, 0, true);
}

void additive_cases(std::vector<Case>& all) {
  Numbers numbers(23);
  const auto row = [&](const Shape& query, int64_t s, int64_t a) {
    all.push_back({"additive_score",
                   fmt::format("query {}, {} keys", to_text(query), s),
                   {{"query", numbers.normal(query)},
                    {"keys", numbers.normal({query[0], s, a})},
                    {"v", numbers.normal({a})}},
                   [](const Tensors& in) { return Tensors{additive_score(in[0], in[1], in[2])}; }});
  };
  for (const int64_t n : kSizes) {
    row({2, n}, 3, n);
    row({2, 3}, n, 3);
  }
  row({2, 4, 3}, 5, 3);
  row({3, 1, 2}, 1, 2);
  row({2, 0, 3}, 4, 3);
  row({2, 3}, 0, 3);
  row({0, 3}, 2, 3);
}

void unit_cases(std::vector<Case>& all) {
  Numbers numbers(24);
  std::vector<Shape> shapes{{3}, {2, 3, 4}, {0, 3}, {3, 0}};
  for (const int64_t n : kSizes) shapes.push_back({3, n});
  for (const Shape& s : shapes)
    all.push_back({"unit", to_text(s), {{"x", numbers.normal(s)}}, [](const Tensors& in) {
                     return Tensors{unit(in[0])};
                   }});
}

}  // namespace

void add_product_cases(std::vector<Case>& all) {
  products(all, "matmul", false, false, matmul);
  products(all, "matmul_nt", false, true, matmul_nt);
  products(all, "matmul_tn", true, false, matmul_tn);
  linear_cases(all);
  additive_cases(all);
  unit_cases(all);
}

}  // namespace heed::test
