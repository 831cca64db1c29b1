// A stepper without its program, and what it shows, as text.
#pragma once
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/rng.h"
#include "core/scope.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/report.h"
#include "examples/microscope/step/step_view.h"
#include "examples/microscope/step/stepper.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope::stepper {

inline Stepper stepping(const std::string& name, const std::set<std::string>& decompose = {}) {
  return stepper_of(record_case(example(name), decompose));
}

inline std::string screen(const Stepper& s, int width = 100) {
  std::string text;
  for (const Line& line : lines_of(step_report(s), width, s.digits))
    text += text_of(line, false) + "\n";
  return text;
}

inline std::string answer(Stepper& s, const std::string& command, int width = 100) {
  std::string text;
  for (const Line& line : lines_of(run_command(s, command), width, s.digits))
    text += text_of(line, false) + "\n";
  return text;
}

inline std::string refusal(Stepper& s, const std::string& command) {
  try {
    run_command(s, command);
    return "";
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A decoder of two steps that share a weight, in scopes.
inline Trace scoped() {
  const Tensor w = leaf(Tensor::of({{0.5, -0.25}, {0.75, 1}}, f64));
  Tensor h = leaf(Tensor::of({{1, -1}}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(tape.keep_grad(w), "W");
  for (int64_t t = 0; t < 3; ++t) {
    const Scope decoder("decoder");
    const Scope step("step", t);
    h = named(tanh(named(matmul_nt(h, w), "u")), "h");
  }
  Trace t = trace_of(recording.backward(named(sum(square(h)), "L")));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", "f64"}};
  t.run = Json::object();
  return t;
}

inline const std::pair<const char*, std::set<std::string>> kRuns[] = {
    {"dot", {}},        {"dot", {"softmax"}},
    {"masked", {}},     {"masked", {"softmax"}},
    {"scaled_dot", {}}, {"local_p", {}},
    {"additive", {}},   {"additive", {"softmax", "additive_score"}}};

}  // namespace heed::microscope::stepper
