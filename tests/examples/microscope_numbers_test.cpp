// Numbers of a file that are to be whole: 1e308, -1, 0.5 and "NaN" are refused by name wherever an
// integer is made of them, which is undefined where it does not fit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"
#include "tests/examples/microscope_pairs.h"
#include "tests/examples/traced_op.h"

namespace heed::microscope {
namespace {

// None of them is a whole number.
const std::vector<Json> kNone{1e308, -1e308, 0.5, 1e19, "NaN", "Infinity", "abc", nullptr, true};

template <class F>
std::string refusal(F f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  } catch (const FileError& e) {
    return e.what();
  }
  return "accepted";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(MicroscopeNumbers, WholeOnesAreTakenAndOthersAreNot) {
  EXPECT_EQ(whole_number(Json(3), "n", 0, 9), 3);
  EXPECT_EQ(whole_number(Json(3.0), "n", 0, 9), 3);
  EXPECT_EQ(whole_number(Json(-3), "n", -9, 9), -3);
  EXPECT_EQ(whole_number(-0.0, "n", 0, 9), 0);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(whole_number(Json(uint64_t{kMost}), "n", 0, kMost), kMost);
  for (const Json& bad : kNone)
    EXPECT_TRUE(says(refusal([&] { (void)whole_number(bad, "n", -9, kMost); }),
                     "n: expected a whole number from -9 to "))
        << bad;
  EXPECT_TRUE(says(refusal([&] { (void)whole_number(Json(uint64_t{kMost} + 1), "n", 0, kMost); }),
                   "got 9223372036854775808"));
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_NE(refusal([&] { (void)whole_number(Json(uint64_t{kMost} + 1), "n", kLeast, kMost); }),
            "accepted");
  EXPECT_EQ(refusal([] { (void)whole_number(Json(10), "n", 0, 9); }),
            "n: expected a whole number from 0 to 9, got 10");
  EXPECT_EQ(refusal([] { (void)whole_number(Json(-1), "n", 0, 9); }),
            "n: expected a whole number from 0 to 9, got -1");
  EXPECT_TRUE(says(refusal([] { (void)whole_number(NAN, "n", 0, 9); }), "got nan"));
}

// Every whole number that an op was told, one after the other.
TEST(MicroscopeNumbers, AttributesOfEveryOp) {
  std::set<std::string> met;
  for (const test::Case& c : test::all_cases()) {
    const Trace good = traced(c, f64);
    for (size_t k = 0; k < good.ops.size(); ++k)
      for (const auto& item : good.ops[k].attrs.items()) {
        const std::string& name = item.key();
        const Json& value = item.value();
        const bool list = value.is_array() && !value.empty();
        if (!(list ? value[0] : value).is_number_integer()) continue;
        if (name == "count") continue;  // cross_entropy counts its tokens itself
        if (!met.insert(good.ops[k].op + "." + name).second) continue;
        const auto with = [&](const Json& number) {
          Trace t = good;
          Json& place = t.ops[k].attrs[name];
          (list ? place[0] : place) = number;
          return refusal([&] { (void)Session(t); });
        };
        const std::string where = good.ops[k].op + ": its attribute '" + name + "': expected ";
        for (const Json& bad : kNone)
          EXPECT_TRUE(says(with(bad), where)) << where << bad << " " << with(bad);
        for (const int odd : {-1, 1000})
          (void)with(odd);  // refused by the op, or an axis from behind
        if (name == "mask") {
          EXPECT_TRUE(says(with(257), where)) << "no 1 of 8 bits";
        }
      }
  }
  for (const char* one : {"select.index", "slice.begin", "slice.end", "slice.axis", "split.parts",
                          "sum.axes", "permute.order", "softmax.mask", "masked_fill.mask",
                          "gru_sequence.lengths", "cross_entropy.ignore", "concat.axis"})
    EXPECT_TRUE(met.contains(one)) << one;
}

// Numbers that need not be whole may be infinite, but they are numbers.
TEST(MicroscopeNumbers, AFactorIsANumber) {
  Trace t = traced(example("scaled_dot"));
  for (TraceOp& op : t.ops)
    if (op.op == "scale") op.attrs["factor"] = "Infinity";
  EXPECT_EQ(refusal([&] { (void)Session(t); }), "accepted");
  for (TraceOp& op : t.ops)
    if (op.op == "scale") op.attrs["factor"] = "abc";
  EXPECT_TRUE(says(refusal([&] { (void)Session(t); }),
                   "scale: its attribute 'factor' is of another kind: \"abc\""));
}

TEST(MicroscopeNumbers, Ids) {
  const Trace t = record_pair(small("additive"));
  const Json good = Json::parse(to_json(t));
  size_t ids = 0;
  while (t.tensors.at(ids).dtype != "i64") ++ids;
  for (const Json& bad : {Json(1e308), Json(0.5), Json("NaN"), Json("-Infinity")}) {
    Json j = good;
    j["tensors"][ids]["value"][0] = bad;
    EXPECT_TRUE(says(refusal([&] { (void)trace_from(j.dump(), "t.json"); }),
                     fmt::format("t.json: tensors[{}].value: expected a whole number", ids)))
        << bad;
  }
  Session session(t);
  for (const double bad : {1e308, 0.5, -1.0, double{NAN}, double{INFINITY}})
    EXPECT_NE(refusal([&] { session.set({static_cast<int>(ids), 0, bad}); }), "accepted") << bad;
  EXPECT_EQ(session.first_difference(), std::nullopt) << "nothing was changed";
}

TEST(MicroscopeNumbers, RecipesOfSentences) {
  const Json good = to_json(small("additive"));
  int met = 0;
  for (const auto& item : good.items()) {
    const std::string& name = item.key();
    if (!item.value().is_number_integer()) continue;
    ++met;
    for (const Json& bad : kNone) {
      Json j = good;
      j[name] = bad;
      EXPECT_TRUE(says(refusal([&] { (void)pair_from(j, "t.json"); }),
                       "t.json: run.pair." + name + ": expected "))
          << name << " " << bad;
    }
    Json j = good;
    j[name] = -1;
    EXPECT_TRUE(says(refusal([&] { (void)pair_from(j, "t.json"); }), "run.pair." + name)) << name;
  }
  EXPECT_EQ(met, 7) << "reach, layers, d, heads, ff, pad, seed";
  Json model = to_json(ModelOptions{.directory = "m", .src = {"a"}, .tgt = {}});
  model["beam"] = 1e308;
  EXPECT_TRUE(says(refusal([&] { (void)model_from(model, "t.json"); }), "run.model.beam"));
}

TEST(MicroscopeNumbers, Cases) {
  const auto with = [](const char* pointer, const Json& bad) {
    Json file = two_heads({{1, 0}, {0, 1}}, {1, 0.5});
    file["mask"] = {1, 1};
    file[Json::json_pointer(pointer)] = bad;
    return refusal([&] {
      check_case(file, "case.json");
      (void)record_case(file, {});
    });
  };
  EXPECT_EQ(with("/mask/1", 0), "accepted");
  for (const Json& bad : kNone)
    for (const char* place : {"/params/heads", "/mask/1", "/target", "/position"})
      EXPECT_NE(with(place, bad), "accepted") << place << " " << bad;
  for (const char* place : {"/params/heads", "/mask/1", "/target"})
    EXPECT_NE(with(place, -1), "accepted") << place;
}

// Finite numbers whose sum is not: their trace reads back.
TEST(MicroscopeNumbers, AMeanThatIsBeyondAllNumbers) {
  const Tensor x = leaf(Tensor::full({20}, 1e308, f64));
  Tape tape;
  Recording recording(tape);
  Trace t = trace_of(recording.backward(sum(scale(x, 1e-308))));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", "f64"}};
  EXPECT_EQ(stats_of(t.tensors[0].value)["mean"], "Infinity");
  EXPECT_EQ(to_json(through_a_file(t)), to_json(t));
}

}  // namespace
}  // namespace heed::microscope
