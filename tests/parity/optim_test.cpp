// clip_grad_norm_, and the parameters after each of five steps of torch.optim.
#include "layers/linear.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"
#include "tests/parity/parity.h"

namespace heed::test {
namespace {

class OptimParity : public Parity {};
INSTANTIATE_TEST_SUITE_P(, OptimParity, kPrecisions, precision_name);

template <class O, class Options>
void expect_steps(const std::string& name, DType dtype, const Options& options) {
  Rng rng(1);
  Linear f({.in = 4, .out = 3}, rng);
  to(f, dtype);
  load(fixture_path(name), f);
  const TensorMap file = load_map(fixture_path(name + ".run"));
  const TensorMap in = part(file, "in", dtype);
  O optimizer(parameters(f), options);
  for (int step = 0; step < 5; ++step) {
    Tape tape;
    tape.backward(mean(square(f(in.at("x")) - in.at("target"))));
    optimizer.step(tape);
    const std::string at = "step" + std::to_string(step);
    const TensorMap expected = part(file, at, f64);
    for (const auto& p : parameters(f))
      expect_near(name + ": " + p.name + " after " + at, p.value, expected.at(p.name),
                  tolerance_of(dtype));
  }
}

TEST_P(OptimParity, Sgd) {
  SgdOptions o{.rate = 0.1, .weight_decay = 0.25};
  expect_steps<Sgd>("sgd", GetParam(), o);
  o.momentum = 0.75;
  expect_steps<Sgd>("sgd_momentum", GetParam(), o);
  o.nesterov = true;
  expect_steps<Sgd>("sgd_nesterov", GetParam(), o);
}

TEST_P(OptimParity, Adam) {
  const AdamOptions o{
      .rate = 0.1, .beta1 = 0.75, .beta2 = 0.875, .eps = 1e-3, .weight_decay = 0.25};
  expect_steps<Adam>("adam", GetParam(), o);
}

TEST_P(OptimParity, AdamW) {
  const AdamWOptions o{
      .rate = 0.1, .beta1 = 0.75, .beta2 = 0.875, .eps = 1e-3, .weight_decay = 0.25};
  expect_steps<AdamW>("adamw", GetParam(), o);
}

TEST_P(OptimParity, Rmsprop) {
  RmspropOptions o{.rate = 0.1, .alpha = 0.75, .eps = 1e-3, .weight_decay = 0.25};
  expect_steps<Rmsprop>("rmsprop", GetParam(), o);
  o.momentum = 0.5;
  o.centered = true;
  expect_steps<Rmsprop>("rmsprop_centered", GetParam(), o);
}

TEST_P(OptimParity, ClipGlobalNorm) {
  const TensorMap file = load_map(fixture_path("clip.run"));
  const TensorMap given = part(file, "in", GetParam());
  const double norm = file.at("norm").item(), tolerance = tolerance_of(GetParam());
  const auto clipped = [&](double most) {
    Gradients all;
    int32_t number = 0;
    for (const auto& [_, x] : given) all.add(number++, x);
    EXPECT_NEAR(clip_global_norm(all, most), norm, tolerance * norm);
    return all.entries();  // a, b
  };
  const auto cut = clipped(0.75), left = clipped(1000);
  // PyTorch divides by norm + 1e-6, heed by the norm itself.
  const double ratio = (norm + 1e-6) / norm;
  const std::string names[] = {"a", "b"};
  for (size_t i = 0; i < 2; ++i) {
    expect_near("clipped " + names[i], cut[i].value, scale(file.at("clipped." + names[i]), ratio),
                tolerance);
    expect_near("free " + names[i], left[i].value, file.at("free." + names[i]), tolerance);
  }
}

}  // namespace
}  // namespace heed::test
