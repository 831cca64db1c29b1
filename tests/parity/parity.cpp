#include "tests/parity/parity.h"

#include <algorithm>
#include <cmath>

namespace heed::test {

std::string fixture_path(const std::string& name) {
  return HEED_SOURCE_DIR "/tests/parity/fixtures/" + name + ".safetensors";
}

TensorMap load_map(const std::string& path) {
  TensorMap all;
  for (auto& [name, x] : load_safetensors(path)) all[name] = x;
  return all;
}

TensorMap part(const TensorMap& all, const std::string& prefix, DType dtype) {
  TensorMap found;
  for (const auto& [name, x] : all)
    if (name.starts_with(prefix + "."))
      found[name.substr(prefix.size() + 1)] = x.dtype() == i64 ? x : cast(x, dtype);
  return found;
}

void expect_near(const std::string& what, const Tensor& got, const Tensor& expected,
                 double tolerance) {
  ASSERT_TRUE(got.defined()) << what << ": heed has none";
  ASSERT_EQ(to_text(got.shape()), to_text(expected.shape())) << what;
  const std::vector<double> a = got.to_vector(), b = expected.to_vector();
  double largest = 0;
  for (const double v : b) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * largest) << what << ", element " << i;
}

Mask mask_of(const Tensor& keep) {
  std::vector<uint8_t> bits;
  for (const int64_t k : keep.to_ids()) bits.push_back(k != 0);
  return Mask::keep(std::move(bits), keep.shape());
}

void expect_pass(const std::string& name, DType dtype, Tape& tape, const TensorMap& inputs,
                 const TensorMap& outputs, const Parameters& parameters) {
  const TensorMap file = load_map(fixture_path(name + ".run"));
  const double tolerance = tolerance_of(dtype);
  const TensorMap expected = part(file, "out", f64), cotangents = part(file, "cotangent", dtype);
  ASSERT_EQ(outputs.size(), expected.size()) << name;
  Tensor loss;
  for (const auto& [key, y] : outputs) {
    ASSERT_TRUE(expected.contains(key)) << name << ": PyTorch has no output " << key;
    expect_near(name + ": " + key, y, expected.at(key), tolerance);
    const Tensor share = sum(y * cotangents.at(key));
    loss = loss.defined() ? loss + share : share;
  }
  tape.backward(loss);

  TensorMap leaves;
  for (const auto& [key, x] : inputs)
    if (is_leaf(x)) leaves[key] = x;
  for (const auto& p : parameters) leaves[p.name] = p.value;
  const TensorMap gradients = part(file, "gradient", f64);
  ASSERT_EQ(leaves.size(), gradients.size()) << name;
  for (const auto& [key, x] : leaves) {
    ASSERT_TRUE(gradients.contains(key)) << name << ": PyTorch has no gradient of " << key;
    expect_near(name + ": gradient of " + key, tape.grad(x), gradients.at(key), tolerance);
  }
}

}  // namespace heed::test
