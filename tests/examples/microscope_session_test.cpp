// A trace computed again from its own data: every op from its attributes, settings, Jacobians,
// closed routes.
#include "examples/microscope/session.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/file_bytes.h"
#include "examples/microscope/check.h"
#include "examples/microscope/why.h"
#include "tests/examples/microscope_cases.h"
#include "tests/examples/traced_op.h"

namespace heed::microscope {
namespace {

int op_named(const Trace& t, const std::string& op) {
  for (size_t i = 0; i < t.ops.size(); ++i)
    if (t.ops[i].op == op) return static_cast<int>(i);
  ADD_FAILURE() << "no op " << op;
  return 0;
}

bool same(const Numbers& a, const Numbers& b) {
  const auto equal = [](double x, double y) {
    return (x == y && std::signbit(x) == std::signbit(y)) || (x != x && y != y);
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
}

// What a trace says of an op is all there is to know: name, attributes and tensors give the same
// values, saved tensors, gradients and contributions to the bit.
TEST(MicroscopeSession, EveryOpIsComputedAgainFromItsAttributes) {
  std::set<std::string> ops;
  for (const test::Case& c : test::all_cases()) {
    int64_t numbers = 0;
    for (const auto& [name, x] : c.inputs) numbers += x.numel();
    if (numbers > 80) continue;
    for (const DType dtype : {f32, f64}) {
      const std::string what = c.op + " " + c.label + " " + std::string(name_of(dtype));
      const Trace t = trace_from(to_json(traced(c, dtype)), what);
      for (const TraceOp& o : t.ops) ops.insert(o.op);
      const Session session(t);
      EXPECT_EQ(session.first_difference(), std::nullopt) << what;
      const Trace again = session.trace();
      for (size_t i = 0; i < t.tensors.size(); ++i) {
        EXPECT_TRUE(same(again.tensors[i].value, t.tensors[i].value)) << what << " value " << i;
        EXPECT_TRUE(same(again.tensors[i].grad, t.tensors[i].grad)) << what << " gradient " << i;
      }
      ASSERT_EQ(again.contribs.size(), t.contribs.size()) << what;
      for (size_t i = 0; i < t.contribs.size(); ++i) {
        EXPECT_EQ(again.contribs[i].op, t.contribs[i].op);
        EXPECT_EQ(again.contribs[i].slot, t.contribs[i].slot);
        EXPECT_TRUE(same(again.contribs[i].value, t.contribs[i].value)) << what << " " << i;
      }
    }
  }
  // Every op of the library, by name: one that is missing in the table is missing here.
  for (const test::Case& c : test::all_cases()) EXPECT_TRUE(ops.contains(c.op)) << c.op;
  EXPECT_GT(ops.size(), 40u);
}

TEST(MicroscopeSession, SettingALeafIsTheCaseWithThatNumber) {
  Json file = example("dot");
  Session session(record_case(file, {}));
  session.set(setting_of(session.original(), "H[1,0]=0.25"));
  file["keys"][1][0] = 0.25;
  const Trace expected = record_case(file, {}), got = session.trace();
  for (size_t i = 0; i < got.tensors.size(); ++i) {
    EXPECT_TRUE(same(got.tensors[i].value, expected.tensors[i].value)) << i;
    EXPECT_TRUE(same(got.tensors[i].grad, expected.tensors[i].grad)) << i;
  }
  EXPECT_EQ(got.run["set"], Json({"H[1,0]=0.25"}));
  EXPECT_EQ(faults(got), std::vector<std::string>{});
  EXPECT_TRUE(session.undo());
  EXPECT_FALSE(session.undo());
  EXPECT_EQ(session.first_difference(), std::nullopt);
}

// A score that is set: what it is computed from keeps its value, what follows is a softmax of the
// scores that are there now.
TEST(MicroscopeSession, SettingAComputedNumberChangesOnlyWhatFollows) {
  const Trace before = record_case(example("dot"), {});
  Session session(before);
  session.set(setting_of(before, "e[1]=2"));
  const Trace t = session.trace();
  EXPECT_EQ(at(t, "e").value, (Numbers{1, 2, -0.5}));
  EXPECT_EQ(at(t, "q").value, at(before, "q").value);
  const double z = std::exp(1.0) + std::exp(2.0) + std::exp(-0.5);
  expect_near(at(t, "a").value, {std::exp(1.0) / z, std::exp(2.0) / z, std::exp(-0.5) / z}, "a");
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  // A trace that was made with settings begins with them, and they stay when others come.
  Session later(trace_from(to_json(t), "t"));
  EXPECT_EQ(later.first_difference(), std::nullopt);
  later.set(setting_of(t, "q[0]=5"));
  EXPECT_EQ(at(later.trace(), "e").value[1], 2);
  EXPECT_TRUE(later.undo());
  EXPECT_FALSE(later.undo());
}

TEST(MicroscopeSession, DetachedValuesFollowWhatTheyWereTakenFrom) {
  const Trace t = record_case(example("dot"), {"softmax"});
  Session session(t);
  session.set(setting_of(t, "e[2]=3"));  // now the largest
  expect_near(at(session.trace(), "t").value, {-2, -2.5, 0}, "t = e - max e");
}

TEST(MicroscopeSession, PlacesAreReadAndRefusedInASentence) {
  const Trace t = record_case(example("dot"), {});
  EXPECT_EQ(setting_of(t, "U[2,1]=-1e3"), (Setting{t.find("U"), 5, -1000}));
  EXPECT_EQ(setting_of(t, "e[0,1]=1"), setting_of(t, "e[1]=1"));
  EXPECT_EQ(setting_of(t, "L=4").index, 0u);
  EXPECT_EQ(text_of(t, setting_of(t, "H[2,0]=0.1")), "H[2,0]=0.1");
  for (const auto& [text, part] :
       std::map<std::string, std::string>{{"e[3]=1", "expected a place in [1, 3], got 'e[3]'"},
                                          {"e[-1]=1", "expected a place"},
                                          {"e[0]=x", "expected a number, got 'x'"},
                                          {"e=1", "expected a place"},
                                          {"e[0,]=1", "expected a place such as"},
                                          {"nobody[0]=1", "expected the name of a tensor"},
                                          {"=1", "expected a setting such as"},
                                          {"e[1]", "expected a setting such as"}}) {
    try {
      (void)setting_of(t, text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

TEST(MicroscopeSession, TheSoftmaxJacobianOfTheWorkedExample) {
  const Trace t = record_case(example("dot"), {});
  const Session session(t);
  const int softmax = op_named(t, "softmax");
  const Numbers all{0.247833154545,  -0.181180553699, -0.066652600846,
                    -0.181180553699, 0.221607399662,  -0.040426845963,
                    -0.066652600846, -0.040426845963, 0.107079446809};
  expect_near(session.jacobian(softmax, 0), all, "J");
  expect_near(session.jacobian_row(softmax, 0, 1), {all[3], all[4], all[5]}, "row");
  expect_near(session.jacobian_column(softmax, 0, 2), {all[2], all[5], all[8]}, "column");
  EXPECT_THROW((void)session.jacobian_row(softmax, 0, 3), std::invalid_argument);
  EXPECT_THROW((void)session.jacobian_row(softmax, 1, 0), std::invalid_argument);
  EXPECT_THROW((void)session.jacobian_row(softmax, 0, 0, 1), std::invalid_argument);
}

// Without the way through the score, the keys' gradient is what the values give, and the other way
// round; both ways together are the whole.
TEST(MicroscopeSession, ClosedRoutesAddUpToTheWhole) {
  const Trace t = record_case(example("dot"), {});
  const Session session(t);
  const int h = t.find("H");
  std::vector<Edge> ways;
  for (const TraceContribution& c : t.contribs)
    if (c.tensor == h) ways.push_back({c.op, c.slot});
  ASSERT_EQ(ways.size(), 2u);  // value, then score
  const Numbers by_score = session.gradients_without({ways[0]}).at(static_cast<size_t>(h));
  const Numbers by_value = session.gradients_without({ways[1]}).at(static_cast<size_t>(h));
  expect_near(by_value,
              {0.098703181896, -0.270157018681, 0.059866506031, -0.163858514767, 0.022023656784,
               -0.060280178844},
              "value");
  expect_near(by_score,
              {0.179296900086, 0.089648450043, -0.114975953705, -0.057487976852, -0.064320946381,
               -0.032160473190},
              "score");
  EXPECT_TRUE(session.gradients_without(ways).at(static_cast<size_t>(h)).empty()) << "none arrives";
  // The score's way closed further up: nothing reaches the query.
  const Edge softmax{op_named(t, "softmax"), 0};
  EXPECT_TRUE(session.gradients_without({softmax}).at(static_cast<size_t>(t.find("q"))).empty());
}

// What a file says of an op may be anything: it is refused, or computed, and never undefined
// behaviour (the sanitizers see to that).
TEST(MicroscopeSession, SurvivesAnythingInAnAttribute) {
  Json file = example("masked");
  file["mechanism"] = "local_p";
  file["params"] = {{"p", 1.25}, {"D", 2}};
  const Json good = Json::parse(to_json(record_case(file, {})));
  const Json others[] = {true,   -1,        0,       7,
                         1e308,  "x",       "NaN",   Json::array(),
                         {1, 2}, {0, 1, 0}, {-5, 9}, 9223372036854775807};
  size_t refused = 0, all = 0;
  for (size_t k = 0; k < good["ops"].size(); ++k) {
    std::set<std::string> names{"mask", "axis"};
    for (const auto& [name, value] : good["ops"][k]["attrs"].items()) names.insert(name);
    for (const std::string& name : names)
      for (const Json& other : others) {
        Json bad = good;
        bad["ops"][k]["attrs"][name] = other;
        ++all;
        try {
          const Trace t = trace_from(bad.dump(), "t");
          if (!faults(t).empty()) throw std::runtime_error("faults");
          (void)Session(t).trace();
          (void)check(t, {.directional = true});
          (void)check_invariants(t);
          for (const char* x : {"e", "a", "H"}) (void)why(t, t.find(x), 2);
        } catch (const std::exception&) {
          ++refused;
        }
      }
  }
  EXPECT_GT(refused, all / 4);
  EXPECT_LT(refused, all) << "an attribute that an op has not is nothing to it";
}

TEST(MicroscopeSession, ATraceOfForeignOpsIsRefused) {
  Trace t = record_case(example("dot"), {});
  t.ops[2].op = "sharpen";
  EXPECT_THROW(Session{t}, std::invalid_argument);
  Trace lost = record_case(example("local_p"), {});
  lost.ops[static_cast<size_t>(op_named(lost, "scale"))].attrs.erase("factor");
  EXPECT_THROW(Session{lost}, std::invalid_argument);
  lost.ops[static_cast<size_t>(op_named(lost, "scale"))].attrs["factor"] = {1, 2};
  EXPECT_THROW(Session{lost}, std::invalid_argument);
}

}  // namespace
}  // namespace heed::microscope
