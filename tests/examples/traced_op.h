// The cases that every op is checked with, as traces.
#pragma once
#include "autograd/ops.h"
#include "examples/microscope/trace.h"
#include "tests/autograd/op_cases.h"

namespace heed::microscope {

/// A case of an op, recorded; its outputs weighted and added up.
inline Trace traced(const test::Case& c, DType dtype) {
  Tensors in;
  for (const auto& [name, x] : c.inputs) in.push_back(leaf(cast(x, dtype)));
  Tape tape;
  Recording recording(tape);
  Tensor loss;
  double weight = 0.5;
  for (const Tensor& y : c.f(in)) {
    if (!requires_grad(y)) continue;
    const Tensor part = sum(y * Tensor::full(y.shape(), weight += 0.25, dtype));
    loss = loss.defined() ? loss + part : part;
  }
  Trace t = trace_of(recording.backward(loss));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", std::string(name_of(dtype))}};
  t.run = Json::object();
  return t;
}

}  // namespace heed::microscope
