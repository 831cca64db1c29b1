// Routes of a gradient, and two traces side by side.
#include "examples/microscope/path.h"

#include <gtest/gtest.h>

#include <cmath>

#include "examples/microscope/compare.h"
#include "examples/microscope/recipe.h"
#include "examples/microscope/session.h"
#include "tests/examples/microscope_pairs.h"

namespace heed::microscope {
namespace {

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
