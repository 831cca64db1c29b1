// Parity with PyTorch: a layer of heed, loaded by name from a module's state_dict, gives the same
// outputs and the same gradients of every parameter and input. Each test runs in f64 (to 1e-10 of
// the largest number of a tensor) and in f32 (to 1e-5).
//
// The numbers come from make_fixtures.py, which says how the files are made; the tests need neither
// it nor PyTorch. The other direction, a model that heed saved read by PyTorch, is
// load_in_torch.py. Nothing here is compared with heed itself: such tests are in tests/layers and
// tests/optim.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "autograd/ops.h"
#include "layers/layer.h"

namespace heed::test {

using TensorMap = std::map<std::string, Tensor>;

/// tests/parity/fixtures/NAME.safetensors
std::string fixture_path(const std::string& name);
/// The tensors of a file by name.
TensorMap load_map(const std::string& path);
/// Those whose names begin with "PREFIX.", without it; floating ones in `dtype`.
TensorMap part(const TensorMap& all, const std::string& prefix, DType dtype);

inline double tolerance_of(DType dtype) {
  return dtype == f64 ? 1e-10 : 1e-5;
}
/// Every |got - expected| <= tolerance * largest |expected|.
void expect_near(const std::string& what, const Tensor& got, const Tensor& expected,
                 double tolerance);

/// Keeps positions where `keep` is not 0.
Mask mask_of(const Tensor& keep);

/// Runs the backward pass with the fixture's cotangents and compares `outputs` and the gradients
/// of `inputs` and `parameters` with it. None may be missing on either side.
void expect_pass(const std::string& name, DType dtype, Tape& tape, const TensorMap& inputs,
                 const TensorMap& outputs, const Parameters& parameters);

/// Loads the fixture NAME into `layer`, if it has parameters, and compares run(layer, inputs), a
/// map of named outputs, and all gradients with it.
template <Layer L, class Run>
void expect_parity(const std::string& name, DType dtype, L layer, Run run) {
  to(layer, dtype);
  const Parameters all = parameters(layer);
  if (!all.empty()) load_parameters(fixture_path(name), all);
  TensorMap in = part(load_map(fixture_path(name + ".run")), "in", dtype);
  for (auto& [_, x] : in)
    if (x.dtype() != i64) x = leaf(x);
  Tape tape;
  expect_pass(name, dtype, tape, in, run(layer, in), all);
}

/// The tests of one file, in both dtypes.
class Parity : public testing::TestWithParam<DType> {};
inline const auto kPrecisions = testing::Values(f64, f32);
inline std::string precision_name(const testing::TestParamInfo<DType>& info) {
  return std::string(name_of(info.param));
}

}  // namespace heed::test
