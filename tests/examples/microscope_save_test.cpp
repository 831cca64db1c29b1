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
#include "tests/examples/microscope_cases.h"

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
  save_trace(path("t.json"), recording.backward(loss), {.title = "mine"});
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

// Of a large tensor statistics and a sample: the file is small, valid, and cannot be computed
// again.
TEST_F(MicroscopeSave, SamplesOfLargeTensors) {
  Rng rng(4);
  const Tensor w = leaf(Tensor::normal({300, 40}, 0, 1, rng, f64));
  const Tensor x = leaf(Tensor::normal({2, 300}, 0, 1, rng, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(w, "w"), tape.name(x, "x");
  const Tensor loss = named(sum(square(named(matmul(x, w), "y"))), "L");
  const Recorded& r = recording.backward(loss);
  save_trace(path("all.json"), r);
  save_trace(path("some.json"), r, {.title = "", .sample = 700});
  EXPECT_THROW(save_trace(path("t.json"), r, {.title = "", .sample = 10}), std::invalid_argument);
  const Trace all = load_trace(path("all.json")), some = load_trace(path("some.json"));
  EXPECT_LT(20 * read_file(path("some.json")).size(), 2 * read_file(path("all.json")).size());
  for (const char* name : {"x", "y", "L"}) {
    EXPECT_FALSE(at(some, name).sampled()) << name;
    EXPECT_EQ(at(some, name).grad, at(all, name).grad) << name;
  }
  const TraceTensor &part = at(some, "w"), &full = at(all, "w");
  ASSERT_EQ(part.places.size(), 256u);
  EXPECT_EQ(part.whole, full.shape);
  EXPECT_EQ(part.stats, stats_of(full.value));
  EXPECT_EQ(part.grad_stats, stats_of(full.grad));
  for (size_t i = 0; i < 256; ++i) {
    const auto place = static_cast<size_t>(part.places[i]);
    EXPECT_EQ(part.value[i], full.value[place]);
    EXPECT_EQ(part.grad[i], full.grad[place]);
    EXPECT_EQ(place_of(part, i), place_of(full, place));
  }
  EXPECT_EQ(to_json(some), read_file(path("some.json")));
  EXPECT_THROW((void)Session(some), std::invalid_argument);
  EXPECT_THROW((void)check(some), std::invalid_argument);
  // A sample that is not what it says is refused.
  const Json good = Json::parse(read_file(path("some.json")));
  const auto spoiled = [&](const std::function<void(Json&)>& spoil) {
    Json j = good;
    spoil(j["tensors"].at(static_cast<size_t>(some.find("w"))));
    EXPECT_THROW((void)trace_from(j.dump(), "t"), FileError);
  };
  spoiled([](Json& t) { t["value"]["sample"]["idx"][3] = 12000; });
  spoiled([](Json& t) { t["value"]["sample"]["idx"][3] = 0; });
  spoiled([](Json& t) { t["value"]["sample"]["value"].erase(0); });
  spoiled([](Json& t) { t["value"]["of"] = 11999; });
  spoiled([](Json& t) { t["grad"] = Json::array({1.0}); });
  spoiled([](Json& t) { t.erase("stats"); });
  spoiled([](Json& t) { t["value"]["sample"]["idx"] = Json::array(); });
  Trace wrong = some;  // one contribution of the sample, and its sum
  wrong.contribs.back().value[5] += 1;
  wrong.contribs.front().value[0] += 1;
  EXPECT_FALSE(faults(wrong).empty());
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
