// What the tests of layers share: one forward and backward pass as plain numbers, comparisons that
// say where they failed, and padding of sentences of unequal length.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/rng.h"
#include "layers/layer.h"

namespace heed::test {

using Leaves = std::vector<NamedLeaf>;
using Numbers = std::vector<double>;

inline Leaves leaves_of(const Parameters& parameters) {
  Leaves all;
  for (const auto& p : parameters) all.emplace_back(p.name, p.value);
  return all;
}

/// Every |a - b| <= tolerance * max(1, largest |b|).
inline void expect_close(const std::string& what, const Numbers& a, const Numbers& b,
                         double tolerance) {
  ASSERT_EQ(a.size(), b.size()) << what;
  double largest = 1;
  for (const double v : b) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * largest) << what << ", element " << i;
}

/// Outputs, and the gradients of the leaves (zeros where none arrived).
struct Pass {
  std::vector<Numbers> outputs, gradients;
};

inline void expect_same(const std::string& what, const Leaves& leaves, const Pass& a, const Pass& b,
                        double tolerance) {
  ASSERT_EQ(a.outputs.size(), b.outputs.size()) << what;
  for (size_t i = 0; i < a.outputs.size(); ++i)
    expect_close(what + ", output " + std::to_string(i), a.outputs[i], b.outputs[i], tolerance);
  for (size_t i = 0; i < leaves.size(); ++i)
    expect_close(what + ", gradient of " + leaves[i].first, a.gradients[i], b.gradients[i],
                 tolerance);
}

/// Normal numbers that f32 can hold.
inline Tensor noise(const Shape& shape, uint64_t seed, DType dtype = f64) {
  Rng rng(seed);
  return cast(Tensor::normal(shape, 0, 1, rng), dtype);
}
/// Ids in [0, count).
inline Tensor random_ids(const Shape& shape, int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<int64_t> ids(static_cast<size_t>(shape.numel()));
  for (int64_t& id : ids) id = static_cast<int64_t>(rng.below(static_cast<uint64_t>(count)));
  return Tensor::ids(ids, shape);
}

/// Random cotangents for these outputs.
inline Tensors cotangents_for(const Tensors& outputs, uint64_t seed) {
  Tensors all;
  for (const Tensor& y : outputs) all.push_back(noise(y.shape(), seed++, y.dtype()));
  return all;
}

/// One forward and backward pass of f; the loss is sum(outputs * cotangents), with random
/// cotangents of this seed unless `cotangents` are given.
inline Pass pass(const Leaves& leaves, const std::function<Tensors()>& f,
                 const Tensors& cotangents = {}, uint64_t seed = 1) {
  Tape tape;
  const Tensors y = f();
  const Tensors c = cotangents.empty() ? cotangents_for(y, seed) : cotangents;
  Tensor loss;
  for (size_t i = 0; i < y.size(); ++i) {
    const Tensor part = sum(y[i] * c[i]);
    loss = loss.defined() ? loss + part : part;
  }
  if (requires_grad(loss)) tape.backward(loss);
  const Gradients got = requires_grad(loss) ? tape.gradients() : Gradients{};
  Pass p;
  for (const Tensor& t : y) p.outputs.push_back(t.to_vector());
  for (const auto& [name, x] : leaves) {
    const Tensor* g = got.find(x);
    p.gradients.push_back(g ? g->to_vector() : Numbers(static_cast<size_t>(x.numel()), 0.0));
  }
  return p;
}

/// Adds what `b` says about gradients to `a`.
inline void add_gradients(std::vector<Numbers>& a, const std::vector<Numbers>& b) {
  if (a.empty()) a.resize(b.size());
  for (size_t i = 0; i < b.size(); ++i) {
    a[i].resize(b[i].size());
    for (size_t j = 0; j < b[i].size(); ++j) a[i][j] += b[i][j];
  }
}

/// Central differences against backward, for all outputs of f together.
inline void expect_gradients(const std::string& what, const std::function<Tensors()>& f,
                             const Leaves& leaves, int64_t most = 40) {
  const auto joined = [&] {
    Tensors flat;
    for (const Tensor& y : f()) flat.push_back(reshape(y, {-1}));
    return concat(flat, 0);
  };
  // Recurrences over several steps are curved: a wider band than for single operations.
  const GradCheckReport r = gradcheck(joined, leaves, {.absolute = 1e-7, .most = most});
  EXPECT_TRUE(r.ok) << what << ": " << r.text;
  EXPECT_GT(r.checked, 0) << what;
}

/// Tensors [len, ...] as one [B, steps, ...] whose free places hold `garbage`.
inline Tensor pad(const Tensors& sentences, int64_t steps, double garbage) {
  Tensors rows;
  for (const Tensor& s : sentences) {
    const Shape free = s.shape().with(0, steps - s.shape()[0]);
    rows.push_back(concat({s, Tensor::full(free, garbage, s.dtype())}, 0));
  }
  return stack(rows, 0);
}
/// The same for ids [len] -> [B, steps].
inline Tensor pad_ids(const Tensors& sentences, int64_t steps, int64_t garbage) {
  std::vector<int64_t> all;
  for (const Tensor& s : sentences) {
    std::vector<int64_t> ids = s.to_ids();
    ids.resize(static_cast<size_t>(steps), garbage);
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return Tensor::ids(all, {static_cast<int64_t>(sentences.size()), steps});
}

}  // namespace heed::test
