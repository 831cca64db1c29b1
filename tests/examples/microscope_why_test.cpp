// Every rule of `why`, each with a trace that triggers it, and the first that holds wins.
#include "examples/microscope/why.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/file_bytes.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/session.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {
namespace {

Why asked(const Trace& t, const std::string& place) {
  const Setting s = setting_of(t, place + "=0");
  const Why w = why(t, s.tensor, s.index);
  EXPECT_FALSE(w.en.empty());
  EXPECT_FALSE(w.zh.empty());
  return w;
}

TEST(MicroscopeWhy, OrdinaryGradientsAreTheSumOfTheirTerms) {
  const Trace t = traced(example("dot"));
  const Why w = asked(t, "H[1,0]");
  EXPECT_EQ(w.rule, "ordinary");
  double sum = 0;
  for (const WhyTerm& v : w.terms) sum += v.value();
  EXPECT_NEAR(sum, -0.055109447673, 1e-12);
  EXPECT_NEAR(w.gradient, sum, 1e-15);
}

TEST(MicroscopeWhy, Masked) {
  const Trace t = traced(example("masked"));
  EXPECT_EQ(asked(t, "e[2]").rule, "masked");
  EXPECT_EQ(asked(t, "a[2]").rule, "masked");
  EXPECT_EQ(asked(t, "e[1]").rule, "ordinary");
  Json local = example("local_p");
  local["params"] = {{"p", 0}, {"D", 1}};
  EXPECT_EQ(asked(traced(local), "e[2]").rule, "masked") << "outside the window";
}

TEST(MicroscopeWhy, Cut) {
  Json file = example("dot");
  file["hard"] = {{"kind", "argmax"}};
  const Why w = asked(traced(file), "q[0]");
  EXPECT_EQ(w.rule, "cut");
  EXPECT_NE(w.en.find("argmax"), std::string::npos) << w.en;
}

TEST(MicroscopeWhy, NotReachedAndConstants) {
  PairOptions o;
  o.d = 2, o.src = {"a", "b"}, o.tgt = {"c", "d"};
  const Trace t = record_pair(o);
  Session session(t);
  const int each = t.find("L_t"), early = t.find("step[0]/s"), late = t.find("step[2]/e");
  session.differentiate(early, Numbers(at(t, "step[0]/s").value.size(), 1));
  const Trace first = session.trace();
  EXPECT_EQ(why(first, late, 0).rule, "not_reached");
  EXPECT_EQ(why(first, each, 0).rule, "not_reached");
  for (size_t i = 0; i < t.tensors.size(); ++i)
    if (t.tensors[i].dtype == "i64" && !t.tensors[i].value.empty()) {
      const Why w = why(t, static_cast<int>(i), 0);
      EXPECT_EQ(w.rule, "not_reached");
      EXPECT_NE(w.en.find("index"), std::string::npos) << "integers: " << w.en;
      break;
    }
}

// The key of a masked position: its gradient arrives through a score that is masked.
TEST(MicroscopeWhy, WhatArrivesIsZeroAlready) {
  const Trace t = traced(example("masked"));
  const Why w = asked(t, "H[2,0]");
  EXPECT_EQ(w.rule, "incoming_zero");
  EXPECT_EQ(w.source, t.find("e"));
  EXPECT_EQ(w.source_index, 2u);
  EXPECT_EQ(w.because, "masked");
}

Json scaled(double factor) {
  Json file = example("dot");
  for (Json& v : file["query"]) v = v.get<double>() * factor;
  return file;
}

TEST(MicroscopeWhy, AWeightThatIsTooSmallForANumber) {
  const Trace t = traced(scaled(2000));  // scores 2000, 1000, -1000
  EXPECT_EQ(at(t, "a").value[1], 0);
  const Why w = asked(t, "e[1]");
  EXPECT_EQ(w.rule, "underflow");
  EXPECT_EQ(w.source, t.find("a"));
  // Its value gets nothing either; the same tensor's values are H, which scores use too.
  Json apart = scaled(2000);
  apart["values"] = {{1, 0}, {0, 1}, {-1, 1}};
  const Why v = asked(traced(apart), "V[1,0]");
  EXPECT_EQ(v.rule, "underflow");
  bool told = false;
  for (const Json& d : diags_of(t)) told = told || d["kind"] == "underflow";
  EXPECT_TRUE(told);
}

TEST(MicroscopeWhy, SaturatedSoftmaxAndTanh) {
  const Trace t = traced(scaled(64));  // scores 64, 32, -32: the second weight is e^-32
  const Why w = asked(t, "e[1]");
  EXPECT_EQ(w.rule, "saturated");
  EXPECT_NEAR(w.factor / std::exp(-32.0), 1, 1e-12) << "the sum of the others";
  Json file = example("additive");
  file["params"]["b"] = {30, -30};  // tanh of +-30
  const Why b = asked(traced(file), "b[0]");
  EXPECT_TRUE(b.rule == "saturated" || b.rule == "incoming_zero") << b.rule;
  if (b.rule == "incoming_zero") {
    EXPECT_EQ(b.because, "saturated");
  }
}

// Dot scores with a key bias: q . b is added to every score, which a softmax does not see.
TEST(MicroscopeWhy, TermsCancelByShiftInvariance) {
  Rng rng(3);
  const Tensor k = leaf(Tensor::normal({3, 2}, 0, 1, rng, f64));
  const Tensor b = leaf(Tensor::normal({2}, 0, 1, rng, f64));
  const Tensor q = Tensor::normal({1, 2}, 0, 1, rng, f64);
  const Tensor v = leaf(Tensor::normal({3, 2}, 0, 1, rng, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(b, "b");
  const Tensor a = softmax(named(matmul_nt(q, k + b), "e"));
  Trace t = trace_of(recording.backward(sum(square(matmul(a, v)))));
  t.meta = meta_of(f64);
  const Why w = asked(t, "b[0]");
  EXPECT_EQ(w.rule, "cancel");
  EXPECT_TRUE(w.shift);
  EXPECT_NE(w.en.find("shift invariance"), std::string::npos);
  size_t several = 0;
  for (const WhyTerm& term : w.terms) several += term.value() != 0 ? 1 : 0;
  EXPECT_EQ(several, 3u) << "one for each score";
}

TEST(MicroscopeWhy, TermsCancelWithoutASoftmax) {
  const Tensor x = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(x, "x");
  Trace t = trace_of(recording.backward(sum(square(x)) - sum(scale(x, 2))));
  t.meta = meta_of(f64);
  const Why w = asked(t, "x[0]");  // 2 x - 2
  EXPECT_EQ(w.rule, "cancel");
  EXPECT_FALSE(w.shift);
}

TEST(MicroscopeWhy, AHeadThatTheOutputIgnores) {
  const Trace t = traced(two_heads({{1, 0}, {1, 0}}, {1, -0.5}));  // nothing reads head 1
  const Why c = asked(t, "c[1,0,0]");
  EXPECT_EQ(c.rule, "incoming_zero");
  EXPECT_EQ(c.because, "dead_weight");
  EXPECT_EQ(asked(t, "c[0,0,0]").rule, "ordinary");
  const Why q = asked(t, "q[1,0,0]");
  EXPECT_EQ(q.because, "dead_weight") << "and so for all of that head";
}

TEST(MicroscopeWhy, WhatIsLeftIsRounding) {
  const Tensor x = leaf(Tensor::of({1, 1}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(x, "x");
  const Tensor w = Tensor::of({1e20, 1e-3}, f64);
  Trace t = trace_of(recording.backward(sum(x * w)));
  t.meta = meta_of(f64);
  EXPECT_EQ(asked(t, "x[1]").rule, "rounding");
  EXPECT_EQ(asked(t, "x[0]").rule, "ordinary");
}

TEST(MicroscopeWhy, TheFirstNumberThatIsNone) {
  const Tensor x = leaf(Tensor::of({-1, 4}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(x, "x");
  const Tensor y = named(sqrt(x), "y");
  Trace t = trace_of(recording.backward(sum(exp(y))));
  t.meta = meta_of(f64);
  const Why w = asked(t, "x[0]");
  EXPECT_EQ(w.rule, "nan_origin");
  EXPECT_EQ(w.source, t.find("y"));
  EXPECT_EQ(w.source_index, 0u);
  EXPECT_NE(w.en.find("sqrt"), std::string::npos);
  bool told = false;
  for (const Json& d : diags_of(t))
    told = told || (d["kind"] == "nan_origin" && d["tensor"] == t.find("y"));
  EXPECT_TRUE(told);
}

// Forward all is well; dividing 0 by 0 happens on the way back.
TEST(MicroscopeWhy, ANumberThatIsNoneOnTheWayBack) {
  const Tensor x = leaf(Tensor::of({0, 4}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(x, "x");
  Trace t = trace_of(recording.backward(sum(named(sqrt(x), "y"))));
  t.meta = meta_of(f64);
  const Why w = asked(t, "x[0]");  // 1 / (2 * 0)
  EXPECT_EQ(w.rule, "nan_origin");
  EXPECT_EQ(w.source, t.find("x"));
  EXPECT_NE(w.en.find("backward"), std::string::npos);
}

TEST(MicroscopeDiags, SayWhatStandsOut) {
  const auto kinds = [](const Trace& t) {
    std::map<std::string, int> all;
    for (const Json& d : diags_of(t)) ++all[d["kind"].get<std::string>()];
    return all;
  };
  EXPECT_TRUE(kinds(traced(example("dot"))).empty());
  EXPECT_EQ(kinds(traced(scaled(64)))["softmax_saturated"], 1);
  Json file = example("masked");
  file["mask"] = {0, 0, 0};
  EXPECT_EQ(kinds(traced(file))["masked_all"], 1);
  const Tensor x = leaf(Tensor::of({{-1, 2}, {-3, 40}}, f64));
  Tape tape;
  Recording recording(tape);
  Trace t = trace_of(recording.backward(sum(tanh(x)) + sum(relu(x))));
  EXPECT_EQ(kinds(t)["dead"], 1) << "the first unit";
  EXPECT_EQ(kinds(t)["tanh_saturated"], 1);
  t.meta = meta_of(f64);
  t.diags = diags_of(t);
  EXPECT_EQ(trace_from(to_json(t), "t").diags, t.diags);
}

}  // namespace
}  // namespace heed::microscope
