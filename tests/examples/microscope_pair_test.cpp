// Sentence pairs through fresh networks as traces: what they are made of, that their numbers are
// those of a plain run, that words can be changed.
#include "examples/microscope/pair.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/microscope/check.h"
#include "examples/microscope/decompose.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/recipe.h"
#include "examples/microscope/session.h"
#include "tests/examples/microscope_pairs.h"

namespace heed::microscope {
namespace {

using translate::kEos, translate::kPad;

TEST(MicroscopePair, EveryGradientOfEveryMechanismIsWhatDifferencesMeasure) {
  for (const char* mech : {"additive", "dot", "scaled_dot", "general", "concat", "cosine",
                           "location", "local_m", "local_p", "none", "multi_head"})
    expect_checked(through_a_file(record_pair(small(mech))), mech, true);
  for (const char* enc : {"lstm", "tanh"}) {
    PairOptions o = small("general");
    o.enc = enc;
    o.decoder = "luong";
    o.bridge = "last";
    o.input_feeding = true;
    o.label_smoothing = 0.1;
    o.pad = 2;
    expect_checked(record_pair(o), enc, true);
  }
  PairOptions one = small("additive");
  one.src = {"hi"}, one.tgt = {"lo"}, one.d = 2;
  expect_checked(record_pair(one), "every number", false);
}

// The library on its own, without a recorder, from the same parameters.
TEST(MicroscopePair, ItsLossIsThatOfTheSumOfItsWords) {
  const Trace t = record_pair(small("additive"));
  const Numbers each = at(t, "L_t").value;
  ASSERT_EQ(each.size(), 3u) << "le chat </s>";
  EXPECT_NEAR(at(t, "L").value[0], (each[0] + each[1] + each[2]) / 3, 1e-15);
  // The probability of each word, from the logits by the definition.
  const Numbers z = at(t, "z").value;
  const size_t v = z.size() / 3;
  EXPECT_EQ(v, 6u) << "four special words, le, chat";
  const size_t said[] = {4, 5, static_cast<size_t>(kEos)};
  for (size_t i = 0; i < 3; ++i) {
    double sum = 0;
    for (size_t j = 0; j < v; ++j) sum += std::exp(z[i * v + j]);
    EXPECT_NEAR(each[i], std::log(sum) - z[i * v + said[i]], 1e-12);
  }
}

TEST(MicroscopePair, SaysWhichMatricesAreAttention) {
  const Trace t = record_pair(small("additive"));
  const Json& all = t.views["alignment"];
  ASSERT_EQ(all.size(), 3u) << "one for each step";
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all[i]["kind"], "cross");
    EXPECT_EQ(all[i]["t"], i);
    EXPECT_EQ(all[i]["rows"], Json::array({t.run["tgt"][i]}));
    EXPECT_EQ(all[i]["cols"], Json({"the", "cat", "sat", "</s>"}));
    const TraceTensor& a = t.tensors.at(all[i]["tensor"].get<size_t>());
    const TraceTensor& e = t.tensors.at(all[i]["scores"].get<size_t>());
    EXPECT_EQ(a.name, "a");
    EXPECT_EQ(e.name, "e");
    EXPECT_EQ(scope_path(t, a.scope), fmt::format("decoder/step[{}]/attention", i));
    double sum = 0;
    for (const double w : a.value) sum += w;
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  const Trace m = record_pair(small("multi_head"));
  std::vector<std::string> kinds;
  for (const Json& v : m.views["alignment"]) {
    kinds.push_back(v["kind"]);
    EXPECT_EQ(v["heads"], 2);
    EXPECT_EQ(v["layer"], 0);
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"self_encoder", "self_decoder", "cross"}));
  EXPECT_EQ(m.views["alignment"][1]["cols"], Json({"<s>", "le", "chat"}));
  // Of local_p the weights that the context is made with.
  const Trace p = record_pair(small("local_p"));
  for (const Json& v : p.views["alignment"])
    EXPECT_EQ(p.tensors.at(v["tensor"].get<size_t>()).name, "w");
}

TEST(MicroscopePair, PaddingBehindTheSourceChangesNothing) {
  for (const char* mech : {"additive", "multi_head"}) {
    PairOptions o = small(mech);
    const Trace plain = record_pair(o);
    o.pad = 3;
    const Trace padded = record_pair(o);
    EXPECT_NEAR(at(plain, "L").value[0], at(padded, "L").value[0], 1e-12) << mech;
    for (const TraceTensor& x : plain.tensors) {
      if (x.role != "param") continue;
      const Numbers &a = x.grad, &b = at(padded, x.name).grad;
      ASSERT_EQ(a.size(), b.size()) << x.name;
      for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12) << mech << x.name;
    }
    const Numbers& words = at(padded, "source.weight").grad;
    for (size_t i = 0; i < static_cast<size_t>(o.d); ++i)
      EXPECT_EQ(words[static_cast<size_t>(kPad * o.d) + i], 0) << "the padding's own vector";
  }
}

// Another word changes its own vector and what follows from it, and no other first weight.
TEST(MicroscopePair, AWordCanBeChanged) {
  const Trace t = record_pair(small("additive"));
  const Trace u = rerun(t, {"src[1]=dog"}, "t.json");
  EXPECT_EQ(u.run["pair"]["src"], Json({"the", "dog", "sat"}));
  PairOptions o = small("additive");
  o.src[1] = "dog";
  EXPECT_EQ(at(u, "L").value, at(record_pair(o), "L").value);
  EXPECT_NE(at(u, "L").value, at(t, "L").value);
  const Numbers x = at(t, "x").value, y = at(u, "x").value;
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(x[i] == y[i], i < 4 || i >= 8) << i << ": the vector of word 1 alone is another";
  for (const TraceTensor& p : t.tensors)
    if (p.role == "param" && p.name != "source.weight") {
      EXPECT_EQ(p.value, at(u, p.name).value) << p.name;
    }
  // A word and a number at once.
  const Trace both = rerun(t, {"src[1]=dog", "attention.v[0]=2"}, "t.json");
  EXPECT_EQ(at(both, "attention.v").value[0], 2);
  EXPECT_EQ(both.run["set"], Json({"attention.v[0]=2"}));
  EXPECT_EQ(faults(both), std::vector<std::string>{});
  EXPECT_THROW((void)rerun(t, {"src[3]=x"}, "t"), std::invalid_argument);
  EXPECT_THROW((void)rerun(t, {"src[x]=y"}, "t"), std::invalid_argument);
  EXPECT_THROW((void)rerun(t, {"src[0]="}, "t"), std::invalid_argument);
}

TEST(MicroscopePair, TheRecipeGivesTheSameBytes) {
  for (const char* mech : {"additive", "multi_head"}) {
    const Trace t = record_pair(small(mech));
    EXPECT_EQ(to_json(run_recipe(through_a_file(t).run, "t.json")), to_json(t)) << mech;
  }
}

// Fused and as small ops: the same gradients to rounding, names and scopes stay, and every small
// op's gradient is what differences measure.
TEST(MicroscopePair, FusedOpsComeApart) {
  std::set<std::string> met;
  for (const char* mech : {"additive", "cosine", "multi_head"})
    for (const char* enc : {"gru", "lstm", "tanh"}) {
      if (std::string(mech) != "additive" && std::string(enc) != "gru") continue;
      PairOptions o = small(mech);
      o.enc = enc;
      const Trace fused = record_pair(o), apart = decomposed(fused, twins());
      for (const TraceOp& op : fused.ops) met.insert(op.op);
      for (const TraceOp& op : apart.ops)  // a recurrence's small ops have linear among them
        EXPECT_TRUE(!twins().contains(op.op) || op.op == "linear") << op.op;
      EXPECT_EQ(apart.views["alignment"].size(), fused.views["alignment"].size());
      EXPECT_NEAR(at(apart, "L").value[0], at(fused, "L").value[0], 1e-12);
      for (const TraceTensor& x : fused.tensors) {
        if (x.role != "param") continue;
        const Numbers& g = at(apart, x.name).grad;
        ASSERT_EQ(g.size(), x.grad.size()) << x.name;
        for (size_t i = 0; i < g.size(); ++i) EXPECT_NEAR(g[i], x.grad[i], 1e-12) << x.name;
      }
      const std::string key = std::string(mech) == "multi_head"
                                  ? "decoder/layer[0]/cross_attention/e"
                                  : "decoder/step[1]/attention/e";
      EXPECT_EQ(at(apart, key).shape, at(fused, key).shape);
      expect_checked(apart, std::string(mech) + " " + enc, true);
      EXPECT_EQ(to_json(run_recipe(apart.run, "t")), to_json(apart));
    }
  for (const std::string& op : twins()) EXPECT_TRUE(met.contains(op)) << op;
  EXPECT_THROW((void)decomposed(record_pair(small("dot")), {"embedding"}), std::invalid_argument);
}

TEST(MicroscopePair, RefusesOptionsInASentence) {
  const auto refusal = [](const char* key, const Json& value) {
    Json j = to_json(small("additive"));
    j[key] = value;
    try {
      (void)record_pair(pair_from(j, "t.json"));
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refusal("mech", "magic").find("t.json: run.pair.mech: expected one of additive"),
            std::string::npos);
  EXPECT_NE(refusal("d", 0).find("run.pair.d: expected a whole number from 1 to 512, got 0"),
            std::string::npos);
  EXPECT_NE(refusal("d", "x").find("run.pair.d: expected a whole number from 1 to 512, got \"x\""),
            std::string::npos);
  EXPECT_NE(refusal("d", 5).find("even d"), std::string::npos);
  EXPECT_NE(refusal("colour", 5).find("no field 'colour'"), std::string::npos);
  EXPECT_NE(refusal("src", Json::array()).find("words on both sides"), std::string::npos);
  EXPECT_NE(refusal("input_feeding", true).find("luong"), std::string::npos);
}

// Free running on gold words by chance is forcing, to the bit; the choice of words is a cut.
TEST(MicroscopePair, FreeRunningCutsAtTheChoiceOfAWord) {
  PairOptions o = small("additive");
  o.mode = "free_running";
  const Trace t = record_pair(o);
  int ends = 0;
  for (const TraceTensor& x : t.tensors) ends += x.ends == "argmax" ? 1 : 0;
  EXPECT_EQ(ends, 2) << "of three words the last is fed to nobody";
  expect_checked(t, "free", true);
}

TEST(MicroscopePair, HardChoicesSayHowTrueTheirGradientIs) {
  for (const char* hard : {"argmax", "reinforce", "straight_through", "gumbel"}) {
    PairOptions o = small("additive");
    o.hard = hard;
    const Trace t = through_a_file(record_pair(o));
    EXPECT_EQ(faults(t), std::vector<std::string>{}) << hard;
    EXPECT_EQ(t.run["estimator"]["kind"], hard);
    const std::string kind = hard;
    int biased = 0;
    for (const CheckRow& r : check(t, {.directional = true})) {
      EXPECT_TRUE(r.pass) << hard << " " << t.tensors[static_cast<size_t>(r.tensor)].name;
      const bool score = t.tensors[static_cast<size_t>(r.tensor)].name == "e";
      biased += r.status == "biased" ? 1 : 0;
      if (score) {
        EXPECT_EQ(r.status, kind == "gumbel" ? "pass" : "biased") << hard;
      }
    }
    EXPECT_EQ(biased > 0, kind == "reinforce" || kind == "straight_through") << hard;
    EXPECT_EQ(at(t, "e").grad_state, kind == "argmax" ? "cut" : "done");
    if (kind == "argmax") {
      EXPECT_EQ(at(t, "e").cut, "argmax");
    }
  }
}

}  // namespace
}  // namespace heed::microscope
