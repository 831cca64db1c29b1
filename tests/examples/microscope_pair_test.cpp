// Sentence pairs through fresh networks and trained models as traces: what they are made of, that
// their numbers are those of a plain run, that words can be changed, and their routes.
#include "examples/microscope/pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/microscope/check.h"
#include "examples/microscope/compare.h"
#include "examples/microscope/decompose.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/path.h"
#include "examples/microscope/recipe.h"
#include "examples/microscope/session.h"
#include "examples/translate/beam.h"
#include "tests/core/file_checks.h"
#include "tests/examples/microscope_cases.h"
#include "tests/examples/small_translator.h"

namespace heed::microscope {
namespace {

using translate::kEos, translate::kPad;

PairOptions small(const std::string& mech) {
  PairOptions o;
  o.mech = mech;
  o.d = 4;
  o.ff = 6;
  o.src = {"the", "cat", "sat"};
  o.tgt = {"le", "chat"};
  o.seed = 5;
  return o;
}

Trace through_a_file(const Trace& t) {
  return trace_from(to_json(t), "t.json");
}

void expect_checked(const Trace& t, const std::string& what, bool directional) {
  EXPECT_EQ(faults(t), std::vector<std::string>{}) << what;
  for (const CheckRow& r : check(t, {.directional = directional}))
    EXPECT_TRUE(r.pass && r.status == "pass")
        << what << " tensor " << r.tensor << " " << t.tensors[static_cast<size_t>(r.tensor)].name
        << " at " << r.worst << ": " << r.status << " " << r.analytic << ", measured " << r.numeric;
  if (directional) return;
  for (const InvariantRow& r : check_invariants(t))
    EXPECT_TRUE(r.pass) << what << " " << r.what << " op " << r.op << " slot " << r.slot << ": "
                        << r.error << " > " << r.limit;
}

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
    EXPECT_EQ(all[i]["rows"], Json({t.run["tgt"][i]}));
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
  EXPECT_NE(refusal("d", 0).find("run.pair.d: expected 1 to 512, got 0"), std::string::npos);
  EXPECT_NE(refusal("d", "x").find("another kind of value"), std::string::npos);
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

// A model directory as `translate train` writes it: the loss is what decoding the same sentence
// says of it, in f32 and in f64, and the trace can be made again from its recipe.
class MicroscopeModel : public ScratchFolder {};

TEST_F(MicroscopeModel, ATrainedModelsLossIsThatOfDecoding) {
  const std::vector<std::string> src{"the", "cat"}, tgt{"le", "chat"};
  for (const bool transformer : {false, true}) {
    translate::Translator model = translate::small_translator(transformer);
    translate::save_translator(path("model"), model);
    const std::vector<translate::Tokens> one{src}, other{tgt};
    const double expected = -translate::decode_forced(model, one, other)[0].log_probability;
    ModelOptions o{.directory = path("model"), .src = src, .tgt = tgt};
    for (const DType dtype : {f32, f64}) {
      o.dtype = dtype;
      const Trace t = through_a_file(record_model(o));
      EXPECT_EQ(t.meta["dtype"], std::string(name_of(dtype)));
      EXPECT_NEAR(3 * at(t, "L").value[0], expected, 1e-5);
      EXPECT_FALSE(t.views["alignment"].empty());
      expect_checked(t, "model", true);
      EXPECT_EQ(to_json(run_recipe(t.run, "t")), to_json(t));
    }
    o.src = {"the", "dog"};  // a word that it does not know
    EXPECT_EQ(record_model(o).run["src"], Json({"the", "<unk>", "</s>"}));
    EXPECT_NE(rerun(record_model(o), {"src[1]=cat"}, "t").run["src"][1], "<unk>");
  }
  EXPECT_THROW((void)record_model({.directory = path("none"), .src = src, .tgt = tgt}), FileError);
}

// The search is kept as a tree; the hypothesis that is asked for is what is differentiated.
TEST_F(MicroscopeModel, KeepsABeamSearch) {
  translate::Translator model = translate::small_translator(false, 11);
  translate::save_translator(path("model"), model);
  ModelOptions o{.directory = path("model"), .src = {"the", "cat"}, .tgt = {}, .beam = 4};
  const translate::BeamSearch search = translate::beam_search(model, o.src, {.width = 4});
  ASSERT_EQ(search.hypotheses.size(), 4u);
  std::set<std::string> traced;
  for (o.hypothesis = 1; o.hypothesis <= 4; ++o.hypothesis) {
    const translate::Hypothesis& h = search.hypotheses[static_cast<size_t>(o.hypothesis - 1)];
    if (h.tokens.empty()) continue;
    const Trace t = through_a_file(record_model(o));
    EXPECT_EQ(faults(t), std::vector<std::string>{});
    const Json beam = t.views.at("beam");
    ASSERT_EQ(beam.size(), search.tree.size());
    const Json& last = beam[static_cast<size_t>(h.node)];
    EXPECT_EQ(last["rank"], o.hypothesis);
    EXPECT_NEAR(number_from(last["logp"]), h.log_probability, 1e-12);
    traced.insert(t.run["tgt"].dump());
    const bool special = std::any_of(h.tokens.begin(), h.tokens.end(),
                                     [](const std::string& w) { return w.front() == '<'; });
    if (special) continue;  // read as <unk>
    int marked = 0;
    for (const Json& node : beam) marked += node.contains("tensor");
    EXPECT_EQ(marked, std::ssize(h.tokens) + !h.cut);
    EXPECT_EQ(last["tensor"], t.find("L_t"));
    const auto length = static_cast<double>(h.tokens.size() + 1);
    const double loss = h.cut ? -h.log_probability : length * at(t, "L").value[0];
    EXPECT_NEAR(loss, -h.log_probability, 1e-5);
    EXPECT_EQ(to_json(run_recipe(t.run, "t")), to_json(t));
  }
  EXPECT_GE(traced.size(), 2u) << "hypotheses differ";
  o.hypothesis = 5;
  EXPECT_THROW((void)record_model(o), std::invalid_argument);
}

TEST_F(MicroscopeModel, ABeamThatIsNoTreeIsRefused) {
  translate::Translator model = translate::small_translator(false, 11);
  translate::save_translator(path("model"), model);
  const Trace good =
      record_model({.directory = path("model"), .src = {"the"}, .tgt = {"le"}, .beam = 2});
  EXPECT_EQ(faults(good), std::vector<std::string>{});
  const auto spoiled = [&](size_t node, const char* key, const Json& value) {
    Trace t = good;
    t.views["beam"][node][key] = value;
    return faults(t);
  };
  EXPECT_NE(spoiled(1, "parent", 1), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "parent", 1), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "id", 3), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "tensor", 100000), std::vector<std::string>{});
  Trace t = good;
  t.views["beam"][0]["logp"] = "<script>";
  EXPECT_THROW((void)through_a_file(t), FileError);
}

TEST(MicroscopePath, RoutesAddUpToTheWhole) {
  for (const char* mech : {"additive", "dot", "multi_head"})
    for (const RouteBy by : {RouteBy::route, RouteBy::time, RouteBy::head}) {
      const Trace t = record_pair(small(mech));
      const PathReport r = path(t, place_named(t, "loss.t2"), place_named(t, "src.1"), by);
      EXPECT_GE(r.routes.size(),
                2u - (by == RouteBy::time && t.run["pair"]["mech"] == "multi_head"));
      EXPECT_FALSE(r.shortest.empty());
      double most = 0;
      for (const double g : r.total) most = std::max(most, std::abs(g));
      EXPECT_GT(most, 0);
      EXPECT_LE(r.error, 1e-12 * most) << mech;
    }
}

// What is left without attention is what a network that has its attention's weights detached from
// everything would give: here, the way by the initial state.
TEST(MicroscopePath, ABlockedRouteIsGone) {
  const Trace t = record_pair(small("additive"));
  const Place from = place_named(t, "loss.t2"), to = place_named(t, "src.1");
  const PathReport all = path(t, from, to, RouteBy::route);
  const PathReport rest = path(t, from, to, RouteBy::route, "attention");
  ASSERT_EQ(rest.routes.size(), 1u);
  EXPECT_EQ(rest.routes[0].label, "initial state");
  for (const Route& r : all.routes)
    if (r.label == "initial state") {
      EXPECT_EQ(r.gradient, rest.total);
    }
  EXPECT_THROW((void)path(t, from, to, RouteBy::route, "telepathy"), std::invalid_argument);
  // A later word does not reach an earlier loss.
  EXPECT_THROW(
      (void)path(t, place_named(t, "step[0]/e"), place_named(t, "step[2]/s"), RouteBy::route),
      std::invalid_argument);
}

TEST(MicroscopePath, PlacesHaveNames) {
  const Trace t = record_pair(small("additive"));
  EXPECT_EQ(place_named(t, "src.1").tensor, t.find("x"));
  EXPECT_EQ(place_named(t, "src.1").numbers, (std::vector<size_t>{4, 5, 6, 7}));
  EXPECT_EQ(place_named(t, "loss.t2").numbers, (std::vector<size_t>{2}));
  EXPECT_EQ(place_named(t, "logit.t1.chat").numbers, (std::vector<size_t>{6 + 5}));
  EXPECT_EQ(place_named(t, "step[1]/e").tensor, t.find("decoder/step[1]/attention/e"));
  EXPECT_NE(t.find("step[0]/e"), t.find("step[1]/e"));
  EXPECT_EQ(place_named(t, "h[1]").numbers.size(), 4u);
  EXPECT_EQ(place_named(t, "h[1,2]").numbers, (std::vector<size_t>{6}));
  EXPECT_EQ(place_named(t, "L").numbers, (std::vector<size_t>{0}));
  for (const char* bad : {"loss.t9", "src.x", "logit.t1.dog", "h[9]", "nobody", "h[", ""})
    EXPECT_THROW((void)place_named(t, bad), std::invalid_argument) << bad;
}

TEST(MicroscopeCompare, FindsWhereTwoTracesPart) {
  const Trace t = record_pair(small("additive"));
  Session session(t);
  session.set(setting_of(t, "step[1]/e[2]=0.5"));
  const Comparison c = compare(t, session.trace(), Align::name);
  ASSERT_GE(c.first_value, 0);
  EXPECT_EQ(c.tensors.at(static_cast<size_t>(c.first_value)).key, "decoder/step[1]/attention/e");
  ASSERT_GE(c.first_grad, 0);
  for (const ComparedTensor& x : c.tensors) {
    EXPECT_TRUE(x.one >= 0 && x.other >= 0 && x.same_shape) << x.key;
    if (x.key.starts_with("encoder/") || x.key.starts_with("decoder/step[0]")) {
      EXPECT_EQ(x.value, 0) << x.key;
    }
  }
  EXPECT_EQ(compare(t, t, Align::name).first_value, -1);
  EXPECT_EQ(compare(t, t, Align::name).first_grad, -1);
}

TEST(MicroscopeCompare, AlignsStepsByTheirWord) {
  PairOptions o = small("additive");
  const Trace one = record_pair(o);
  o.tgt = {"petit", "le", "chat"};
  const Trace other = record_pair(o);
  const std::vector<std::string> keys = keys_of(one, Align::token);
  EXPECT_NE(std::find(keys.begin(), keys.end(), "decoder/step[chat]/attention/e"), keys.end());
  const Comparison c = compare(one, other, Align::token);
  bool met = false;
  for (const ComparedTensor& x : c.tensors)
    if (x.key == "decoder/step[chat]/attention/e")
      met = x.one == one.find("step[1]/e") && x.other == other.find("step[2]/e");
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace heed::microscope
