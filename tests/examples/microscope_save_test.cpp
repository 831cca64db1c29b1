// A program's own model as a trace: what save_trace writes is what the microscope reads.
#include <gtest/gtest.h>

#include <heed/trace.h>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/scope.h"
#include "examples/microscope/check.h"
#include "examples/microscope/session.h"
#include "examples/microscope/trace.h"
#include "layers/gru.h"
#include "tests/core/file_checks.h"

namespace heed::microscope {
namespace {

class MicroscopeSave : public ScratchFolder {};

TEST_F(MicroscopeSave, AModelOfOnesOwn) {
  Rng rng(2);
  Gru gru({.input = 3, .hidden = 2, .fused = false}, rng);
  const Tensor x = leaf(Tensor::normal({2, 4, 3}, 0, 1, rng));
  Tape tape;
  Recording recording(tape);
  for (const NamedParameter& p : parameters(gru)) tape.name(p.value, p.name);
  recording.input(named(x, "x"));
  Tensor loss;
  {
    const Scope scope("mine");
    loss = named(mean(square(gru(x, Mask::lengths({4, 2})).y)), "L");
  }
  save_trace(path("t.json"), recording.backward(loss), "mine");
  const Trace t = load_trace(path("t.json"));
  EXPECT_EQ(t.meta["title"], "mine");
  EXPECT_EQ(t.meta["dtype"], "f32");
  EXPECT_EQ(t.tensors.at(static_cast<size_t>(t.find("x"))).role, "input");
  EXPECT_EQ(scope_path(t, t.tensors.at(static_cast<size_t>(t.find("L"))).scope), "mine");
  EXPECT_EQ(Session(t).first_difference(), std::nullopt);
  for (const CheckRow& r : check(t)) EXPECT_TRUE(r.pass) << r.tensor;
  for (const InvariantRow& r : check_invariants(t))
    EXPECT_TRUE(r.pass) << r.what << " " << r.op << " " << r.error << " " << r.limit;
}

// An op that heed does not have: its trace is valid and can be looked at, not computed again.
struct Cube {
  static constexpr OpInfo info{
      .name = "cube", .inputs = {"x"}, .forward = "y = x^3", .backward = {"dx += 3 x^2 dy"}};
  Saved x;
  void saved(SavedVisitor& see) const { see("x", x); }
  void attributes(AttributeVisitor& see) const { see("power", 3); }
  void backward(GradFlow& flow) const {
    const double v = x->item();
    flow.dx(0).mutable_data<double>()[0] += 3 * v * v * flow.dy().item();
  }
};

TEST_F(MicroscopeSave, AnOpOfOnesOwn) {
  const Tensor x = leaf(Tensor::scalar(2, f64));
  Tape tape;
  Recording recording(tape);
  const Tensor y = record(Cube{x}, Tensor::scalar(8, f64), x);
  save_trace(path("t.json"), recording.backward(y));
  const Trace t = load_trace(path("t.json"));
  EXPECT_EQ(t.ops.at(0).op, "cube");
  EXPECT_EQ(t.ops.at(0).attrs, (Json{{"power", 3}}));
  EXPECT_EQ(t.tensors.at(0).grad, Numbers{12});
  EXPECT_THROW((void)check(t), std::invalid_argument);
}

TEST_F(MicroscopeSave, AFolderThatIsNotThere) {
  const Tensor x = leaf(Tensor::scalar(2, f64));
  Tape tape;
  Recording recording(tape);
  const Recorded& r = recording.backward(square(x));
  EXPECT_THROW(save_trace(path("none/t.json"), r), FileError);
}

}  // namespace
}  // namespace heed::microscope
