// Mechanisms of cases beyond soft attention of one query: blind scores, many heads, hard choices.
// Expected numbers by hand or from the definitions.
#include <gtest/gtest.h>

#include <cmath>

#include "core/file_bytes.h"
#include "examples/microscope/check.h"
#include "examples/microscope/session.h"
#include "layers/multi_head.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {
namespace {

std::map<std::string, std::string> statuses(const Trace& t) {
  std::map<std::string, std::string> all;
  for (const CheckRow& r : check(t)) {
    EXPECT_TRUE(r.pass) << t.tensors[static_cast<size_t>(r.tensor)].name << " " << r.analytic
                        << ", measured " << r.numeric;
    all[t.tensors[static_cast<size_t>(r.tensor)].name] = r.status;
  }
  for (const InvariantRow& r : check_invariants(t))
    EXPECT_TRUE(r.pass) << r.what << " of op " << r.op << ": " << r.error << " > " << r.limit;
  return all;
}

// Luong's location score: e = W q, whatever the keys are.
TEST(MicroscopeMechanisms, LocationIsBlindToTheKeys) {
  Json file = example("dot");
  file["mechanism"] = "location";
  file["params"] = {{"W", {{1, 2}, {0, -1}, {0.5, 0.5}}}};
  const Trace t = traced(file);
  expect_near(at(t, "e").value, {2, -0.5, 0.75}, "W q for q = (1, 0.5)");
  size_t ways = 0;
  for (const TraceContribution& c : t.contribs) ways += c.tensor == t.find("H") ? 1 : 0;
  EXPECT_EQ(ways, 1u) << "the value's, and none by the score";
  for (const auto& [name, status] : statuses(t)) EXPECT_EQ(status, "pass") << name;
}

// Two heads of width 1 by hand: scores are products of numbers, weights a sigmoid of a difference.
TEST(MicroscopeMechanisms, TwoHeadsByHand) {
  const Trace t = traced(two_heads({{1, 1}, {0, 2}}, {1, -1}));
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  // Head 0: q 1, k (1, 0), v (1, 0). Head 1: q 0.5, k (0, 2), v (0, 1).
  const double c0 = sigmoid(1), c1 = sigmoid(1);
  expect_near(at(t, "e").value, {1, 0, 0, 1}, "e");
  expect_near(at(t, "a").value, {sigmoid(1), sigmoid(-1), sigmoid(-1), sigmoid(1)}, "a");
  expect_near(at(t, "c").value, {c0, c1}, "c");
  expect_near(at(t, "o").value, {c0 + c1, 2 * c1}, "o");
  expect_near(at(t, "c").grad, {1, 1 - 2}, "dc = W_o^T (1, -1)");
  for (const auto& [name, status] : statuses(t)) EXPECT_EQ(status, "pass") << name;
  EXPECT_EQ(at(t, "k").shape, (std::vector<int64_t>{1, 2, 2, 1}));
}

// The library's layer on the same numbers, with a causal mask; three routes into X, and with the
// residual a fourth.
TEST(MicroscopeMechanisms, SelfAttentionIsTheLayerOnTheSameNumbers) {
  const Json w_q{{0.5, -1, 0.25, 1}, {1, 0.5, -0.5, 0.25}, {-1, 0.75, 1, 0}, {0.5, 0.5, 0, -1}};
  const Json w_k{{1, 0, 0.5, -0.5}, {0.25, 1, -1, 0}, {0, -0.75, 1, 1}, {-1, 0.5, 0.5, 0}};
  const Json w_v{{0, 1, 1, -1}, {0.5, 0.5, 0, 1}, {1, -1, 0.25, 0}, {0, 0, 1, 0.5}};
  const Json w_o{{1, 0, -1, 0.5}, {0, 1, 0.5, 0}, {0.25, -1, 1, 0}, {1, 1, 0, -1}};
  const Json x{{1, 0, 0.5, -1}, {0, 1, -0.5, 0.25}, {-1, 1, 0.75, 0}};
  Json file{{"mechanism", "self"},
            {"keys", x},
            {"causal", true},
            {"params", {{"heads", 2}, {"W_q", w_q}, {"W_k", w_k}, {"W_v", w_v}, {"W_o", w_o}}},
            {"cotangent", {1, -0.5, 0.25, 2}}};
  const Trace t = traced(file);
  const auto tensor = [](std::initializer_list<Json> parts) {
    std::vector<double> all;
    for (const Json& part : parts)
      for (const Json& row : part)
        for (const Json& v : row) all.push_back(v);
    return cast(Tensor::from<double>(all, {static_cast<int64_t>(all.size()) / 4, 4}), f64);
  };
  Rng rng(1);
  MultiHead layer({.query = 4, .heads = 2, .bias = false}, rng);
  layer.in_proj_weight = tensor({w_q, w_k, w_v});
  layer.out_proj.weight = tensor({w_o});
  const Tensor in = leaf(reshape(tensor({x}), {1, 3, 4}));
  Tape tape;
  const SelfAttended out = layer.self(in, Mask::causal());
  tape.backward(select(out.y, 1, 2),
                Tensor::from<double>(std::vector<double>{1, -0.5, 0.25, 2}, {1, 4}));
  expect_near(at(t, "o").value, out.y.to_vector(), "o");
  expect_near(at(t, "a").value, out.weights.to_vector(), "a");
  expect_near(at(t, "X").grad, tape.grad(in).to_vector(), "dX");
  EXPECT_EQ(at(t, "a").value[1], 0) << "position 0 does not see position 1";
  const auto ways = [](const Trace& any) {
    size_t n = 0;
    for (const TraceContribution& c : any.contribs) n += c.tensor == any.find("X") ? 1 : 0;
    return n;
  };
  EXPECT_EQ(ways(t), 3u);
  for (const auto& [name, status] : statuses(t)) EXPECT_EQ(status, "pass") << name;
  file["residual"] = true;
  const Trace residual = traced(file, {"softmax"});
  EXPECT_EQ(ways(residual), 4u);
  for (const auto& [name, status] : statuses(residual)) EXPECT_EQ(status, "pass") << name;
}

// The worked example with c = h_J: losses by hand from the specification.
const Numbers kLosses{1.407605964444, 0.680269670642, 1.023909056180};
const Numbers kA{0.546549387266, 0.331498960424, 0.121951652310};

Json hard(const Json& how) {
  Json file = example("dot");
  file["hard"] = how;
  return file;
}

TEST(MicroscopeHard, ArgmaxCutsTheScores) {
  const Trace t = traced(hard({{"kind", "argmax"}}));
  expect_near(at(t, "L").value, {kLosses[0]}, "position 0 has the largest weight");
  EXPECT_EQ(at(t, "e").grad_state, "cut");
  EXPECT_EQ(at(t, "e").cut, "argmax");
  EXPECT_EQ(at(t, "q").grad_state, "cut");
  EXPECT_EQ(t.run["estimator"]["kind"], "argmax");
  (void)statuses(t);
}

TEST(MicroscopeHard, StraightThroughIsBiased) {
  const Trace t = traced(hard({{"kind", "straight_through"}}));
  expect_near(at(t, "L").value, {kLosses[0]}, "forward it is the choice");
  expect_near(at(t, "e").grad, {0.356920516762, -0.209647613339, -0.147272903422}, "de");
  const auto status = statuses(t);
  EXPECT_EQ(status.at("e"), "biased");
  EXPECT_EQ(status.at("q"), "biased");
  EXPECT_EQ(status.at("c"), "pass");
}

// Enumerated, REINFORCE is the gradient of the expected loss, with or without a baseline; its
// variance is what the baseline reduces.
TEST(MicroscopeHard, ReinforceIsUnbiased) {
  const Numbers exact{0.157353589309, -0.145671448943, -0.011682140367};
  double expected = 0;
  for (size_t j = 0; j < 3; ++j) expected += kA[j] * kLosses[j];
  EXPECT_NEAR(expected, 1.119702267221, 1e-12);
  std::vector<double> variances;
  for (const double baseline : {0.0, expected}) {
    Numbers mean(3);
    double second = 0;
    for (size_t j = 0; j < 3; ++j) {
      const Trace t = traced(hard({{"kind", "reinforce"}, {"chosen", j}, {"baseline", baseline}}));
      expect_near(at(t, "L").value, {kLosses[j]}, "L");
      const Numbers& g = at(t, "e").grad;
      for (size_t i = 0; i < 3; ++i) mean[i] += kA[j] * g[i], second += kA[j] * g[i] * g[i];
      EXPECT_EQ(statuses(t).at("e"), "biased") << "an estimate is never called exact";
    }
    expect_near(mean, exact, "the mean over all choices");
    for (const double g : exact) second -= g * g;
    variances.push_back(second);
  }
  EXPECT_NEAR(variances[0], 0.579131, 1e-6);
  EXPECT_NEAR(variances[1], 0.018851, 1e-6);
}

TEST(MicroscopeHard, GumbelIsExactForItsRelaxedWeights) {
  const Trace t =
      traced(hard({{"kind", "gumbel"}, {"noise", {0.25, 1, -0.5}}, {"temperature", 0.5}}));
  // e + g = (1.25, 1.5, -1), over 0.5.
  const double z = std::exp(2.5) + std::exp(3.0) + std::exp(-2.0);
  expect_near(at(t, "w").value, {std::exp(2.5) / z, std::exp(3.0) / z, std::exp(-2.0) / z}, "w");
  for (const auto& [name, status] : statuses(t)) EXPECT_EQ(status, "pass") << name;
}

TEST(MicroscopeHard, RefusesWhatDoesNotFit) {
  const auto refusal = [](const Json& file) {
    try {
      (void)traced(file);
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refusal(hard({{"kind", "gumbel"}})).find("hard.noise"), std::string::npos);
  EXPECT_NE(refusal(hard({{"kind", "reinforce"}, {"chosen", 3}})).find("position below 3"),
            std::string::npos);
  EXPECT_NE(refusal(hard({{"kind", "softly"}})).find("hard.kind: expected one of"),
            std::string::npos);
  Json file = hard({{"kind", "argmax"}});
  file["mechanism"] = "local_p";
  file["params"] = {{"p", 1}, {"D", 1}};
  EXPECT_NE(refusal(file).find("one distribution"), std::string::npos);
  file = example("dot");
  file.erase("query");
  EXPECT_NE(refusal(file).find("query: dot needs it"), std::string::npos);
  file = example("dot");
  file["causal"] = true;
  EXPECT_NE(refusal(file).find("only self has it"), std::string::npos);
}

// A window's edge within the step: differences say nothing, and the check says that.
TEST(MicroscopeCheck, TheEdgeOfAWindowIsNoDerivative) {
  Json file = example("local_p");
  EXPECT_EQ(statuses(traced(file)).at("p_t"), "pass");
  file["params"]["p"] = 2;  // with D = 2 position 0 is on the edge
  EXPECT_EQ(statuses(traced(file)).at("p_t"), "nondiff");
  EXPECT_EQ(statuses(traced(file)).at("U"), "pass");
}

}  // namespace
}  // namespace heed::microscope
