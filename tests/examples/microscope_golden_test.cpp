// The worked examples of dot attention, to 60 digits by hand (3 positions, keys = values = H, an
// output matrix U, class 1): recorded, written as a trace, read back and compared. And the composed
// twins, and the layers that the same mechanisms come from.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/file_bytes.h"
#include "examples/microscope/check.h"
#include "layers/attention.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {
namespace {

Numbers contribution(const Trace& t, const std::string& to, size_t which) {
  for (const TraceContribution& c : t.contribs)
    if (c.tensor == t.find(to) && which-- == 0) return c.value;
  ADD_FAILURE() << to << " has no contribution " << which;
  return {};
}

const Numbers kDe{0.179296900086, -0.114975953705, -0.064320946381};
const Numbers kDq{0.243617846466, -0.179296900086};
const Numbers kDH{0.278000081982,  -0.180508568638, -0.055109447673,
                  -0.221346491619, -0.042297289597, -0.092440652034};

TEST(MicroscopeGolden, DotEveryValueAndGradient) {
  const Trace t = traced(example("dot"));
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  expect_near(at(t, "e").value, {1, 0.5, -0.5}, "e");
  expect_near(at(t, "a").value, {0.546549387266, 0.331498960424, 0.121951652310}, "a");
  expect_near(at(t, "c").value, {0.424597734956, 0.453450612734}, "c");
  expect_near(at(t, "z").value, {0.424597734956, 0.453450612734, -0.197872428590}, "z");
  expect_near(at(t, "p").value, {0.389728256431, 0.401136831849, 0.209134911720}, "p");
  expect_near(at(t, "L").value, {0.913452683325}, "L");
  expect_near(at(t, "L").grad, {1}, "dL");
  expect_near(at(t, "p").grad, {0, -2.492914937258, 0}, "dp");
  expect_near(at(t, "z").grad, {0.389728256431, -0.598863168151, 0.209134911720}, "dz");
  expect_near(at(t, "c").grad, {0.180593344712, -0.494295712291}, "dc");
  expect_near(at(t, "a").grad, {0.180593344712, -0.494295712291, -0.674889057003}, "da");
  expect_near(at(t, "e").grad, kDe, "de");
  expect_near(at(t, "q").grad, kDq, "dq");
  expect_near(at(t, "U").grad,
              {0.165477734929, 0.176722516679, -0.254275944746, -0.271554870542, 0.088798209817,
               0.094832353863},
              "dU");
  expect_near(at(t, "H").grad, kDH, "dH");
  expect_near(contribution(t, "H", 0),
              {0.098703181896, -0.270157018681, 0.059866506031, -0.163858514767, 0.022023656784,
               -0.060280178844},
              "H via value");
  expect_near(contribution(t, "H", 1),
              {0.179296900086, 0.089648450043, -0.114975953705, -0.057487976852, -0.064320946381,
               -0.032160473190},
              "H via score");
}

TEST(MicroscopeGolden, TheSoftmaxTakenApart) {
  const Trace t = traced(example("dot"), {"softmax"});
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  expect_near(at(t, "x").value, {1, 0.606530659713, 0.223130160148}, "x");
  expect_near(at(t, "s").value, {1.829660819861}, "s");
  expect_near(at(t, "s").grad, {0.080593718189}, "ds");
  expect_near(contribution(t, "x", 0), {0.098703181896, -0.270157018681, -0.368860200578},
              "x via the numerator");
  expect_near(contribution(t, "x", 1), {0.080593718189, 0.080593718189, 0.080593718189},
              "x via the sum");
  expect_near(at(t, "x").grad, {0.179296900086, -0.189563300492, -0.288266482389}, "dx");
  expect_near(at(t, "t").grad, kDe, "dt");
  expect_near(at(t, "e").grad, kDe, "de");
  expect_near(at(t, "q").grad, kDq, "dq");
  expect_near(at(t, "H").grad, kDH, "dH");
  const auto cut = [](const TraceTensor& x) { return x.cut == "detach"; };
  EXPECT_EQ(std::count_if(t.tensors.begin(), t.tensors.end(), cut), 1) << "the largest score";
}

TEST(MicroscopeGolden, ScaledDot) {
  for (const std::set<std::string>& parts : {std::set<std::string>{}, {"softmax"}}) {
    const Trace t = traced(example("scaled_dot"), parts);
    expect_near(at(t, "a").value, {0.488182167425, 0.342795904518, 0.169021928057}, "a");
    expect_near(at(t, "L").value, {0.870217593631}, "L");
    expect_near(at(t, "e").grad, {0.152249257717, -0.089542823295, -0.062706434423}, "de");
    expect_near(at(t, "q").grad, {0.151996627567, -0.107656482563}, "dq");
    expect_near(at(t, "H").grad,
                {0.161250404611, -0.172346732100, -0.025683301755, -0.190475634375, -0.025784473287,
                 -0.100477992434},
                "dH");
  }
}

TEST(MicroscopeGolden, AMaskedPositionIsExactlyZero) {
  for (const std::set<std::string>& parts : {std::set<std::string>{}, {"softmax"}}) {
    const Trace t = traced(example("masked"), parts);
    EXPECT_EQ(faults(t), std::vector<std::string>{});
    expect_near(at(t, "a").value, {0.622459331202, 0.377540668798, 0}, "a");
    expect_near(at(t, "L").value, {1.001303997966}, "L");
    expect_near(at(t, "e").grad, {0.201421652980, -0.201421652980, 0}, "de");
    expect_near(at(t, "q").grad, {0.201421652980, -0.201421652980}, "dq");
    expect_near(at(t, "H").grad,
                {0.391968857382, -0.242251785735, -0.085848931387, -0.308728165939, 0, 0}, "dH");
    EXPECT_EQ(at(t, "a").value[2], 0);
    EXPECT_EQ(at(t, "e").grad[2], 0);
    EXPECT_EQ(at(t, "H").grad[4], 0);
    EXPECT_EQ(at(t, "H").grad[5], 0);
  }
}

TEST(MicroscopeGolden, AGaussianAroundALearnedPosition) {
  const Trace t = traced(example("local_p"));
  expect_near(at(t, "w").value, {0.250228543346, 0.321299809637, 0.092053936691}, "w");
  expect_near(at(t, "L").value, {0.903844580002}, "L");
  expect_near(at(t, "p_t").grad, {-0.007317788119}, "dp_t");
}

TEST(MicroscopeGolden, SinglePrecisionToItsOwnPrecision) {
  Json file = example("dot");
  file["dtype"] = "f32";
  const Trace t = traced(file);
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  EXPECT_EQ(at(t, "e").dtype, "f32");
  expect_near(at(t, "q").grad, kDq, "dq", 1e-7);
  for (const CheckRow& r : check(t)) EXPECT_TRUE(r.pass) << r.tensor;
}

// Every mechanism's differences, fused and composed; both give the same gradients.
TEST(MicroscopeMechanisms, EveryGradientIsWhatDifferencesMeasure) {
  Json file = example("additive");
  const Json additive = file["params"];
  file["query"] = {0.5, -1.25};
  file["values"] = {{1, 0.5, -1}, {0.25, 1, 2}, {-1, 1, 0.5}};
  file["output"] = {{1, 0, 0.5}, {0, 1, -1}, {-1, 0.5, 2}};
  const std::map<std::string, Json> cases{
      {"dot", Json::object()},
      {"scaled_dot", Json::object()},
      {"general", {{"W", {{0.5, -1}, {0.25, 2}}}}},
      {"additive", additive},
      {"concat", {{"W", {{0.5, -0.25, 0.25, 1}, {0.75, 0.5, -0.5, 0.25}}}, {"v", {1, -0.5}}}},
      {"cosine", {{"beta", 1.5}}},
      {"local_m", {{"p", 1}, {"D", 1}}},
      {"local_p", {{"W_p", {{0.5, 1}, {1, -1}}}, {"v_p", {0.5, 0.25}}, {"D", 2}}}};
  for (const auto& [mechanism, params] : cases) {
    file["mechanism"] = mechanism;
    file["params"] = params;
    const Trace fused = traced(file), composed = traced(file, decomposable());
    for (const Trace* t : {&fused, &composed}) {
      EXPECT_EQ(faults(*t), std::vector<std::string>{}) << mechanism;
      for (const bool directional : {false, true})
        for (const CheckRow& r : check(*t, {.directional = directional}))
          EXPECT_TRUE(r.pass) << mechanism << " tensor " << r.tensor << " at " << r.worst << ": "
                              << r.analytic << ", measured " << r.numeric;
    }
    EXPECT_GT(composed.ops.size(), fused.ops.size());
    for (const TraceTensor& x : fused.tensors)
      if (x.role == "param" || x.role == "input")
        expect_near(at(composed, x.name).grad, x.grad, mechanism + " " + x.name);
  }
}

TEST(MicroscopeMechanisms, ConcatIsAdditiveWithoutABias) {
  Json additive = example("additive"), concat = additive;
  additive["params"].erase("b");
  concat["mechanism"] = "concat";
  concat["params"] = {{"W", {{0.5, -0.25, 0.25, 1}, {0.75, 0.5, -0.5, 0.25}}}, {"v", {1, -0.5}}};
  const Trace a = traced(additive), b = traced(concat);
  for (const char* name : {"e", "a", "L", "q", "H", "v"}) {
    expect_near(at(b, name).value, at(a, name).value, name);
    expect_near(at(b, name).grad, at(a, name).grad, name);
  }
}

// A case is the mechanism of the library: the layer on the same numbers gives the same weights and
// the same gradient to the query.
TEST(MicroscopeMechanisms, ACaseIsTheLayerOnTheSameNumbers) {
  const Tensor w_q = Tensor::of({{0.5, -0.25}, {0.75, 0.5}}, f64);
  const Tensor w_k = Tensor::of({{0.25, 1}, {-0.5, 0.25}}, f64);
  const Tensor u = Tensor::of({{1, 0}, {0, 1}, {-1, 0.5}}, f64);
  const Json v{1, -0.5}, w{{0.5, -0.25, 0.25, 1}, {0.75, 0.5, -0.5, 0.25}};
  const std::map<std::string, Json> cases{{"additive", example("additive")["params"]},
                                          {"dot", Json::object()},
                                          {"scaled_dot", Json::object()},
                                          {"cosine", {{"beta", 1.5}}},
                                          {"general", {{"W", {{0.5, -0.25}, {0.75, 0.5}}}}},
                                          {"concat", {{"W", w}, {"v", v}}}};
  for (const auto& [mechanism, params] : cases) {
    Json file = example("additive");
    file["mechanism"] = mechanism;
    file["params"] = params;
    const Trace t = traced(file);
    Rng rng(1);
    Attention layer({.score = *score_named(mechanism), .query = 2, .key = 2, .width = 2}, rng);
    layer.query.weight = w_q;
    layer.key.weight = w_k;
    layer.key.bias = Tensor::of({0.125, -0.25}, f64);
    layer.v = Tensor::of({1, -0.5}, f64);
    layer.beta = Tensor::of({1.5}, f64);
    layer.weight = mechanism == "general"
                       ? w_q
                       : Tensor::of({{0.5, -0.25, 0.25, 1}, {0.75, 0.5, -0.5, 0.25}}, f64);
    const Tensor q = leaf(Tensor::of({{1, 0.5}}, f64));
    const Tensor h = leaf(reshape(Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64), {1, 3, 2}));
    Tape tape;
    const Attended r = layer(q, layer.memory(h));
    tape.backward(neg(log(select(softmax(matmul_nt(r.context, u)), 1, 1))));
    expect_near(at(t, "a").value, r.weights.to_vector(), mechanism + " a");
    expect_near(at(t, "c").value, r.context.to_vector(), mechanism + " c");
    expect_near(at(t, "q").grad, tape.grad(q).to_vector(), mechanism + " dq");
    expect_near(at(t, "H").grad, tape.grad(h).to_vector(), mechanism + " dH");
  }
}

}  // namespace
}  // namespace heed::microscope
