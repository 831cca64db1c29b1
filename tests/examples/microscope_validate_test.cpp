// What `validate` lets through and what it refuses: a changed bit, a missing contribution, another
// order, and files made to hurt.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"
#include "examples/microscope/check.h"
#include "examples/microscope/schema.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {
namespace {

Trace recorded(const std::string& name, const std::set<std::string>& decompose = {}) {
  return record_case(example(name), decompose);
}

// Four ops, a constant, a cut, a leaf used twice with a contribution of zeros.
Trace tiny() {
  const Tensor w = leaf(Tensor::of({1, 2}, f64));
  Tape tape;
  Recording recording(tape);
  const Tensor y = named(scale(w, 0), "y");
  const Tensor loss = sum(w) + sum(y * Tensor::of({3, 4}, f64)) + sum(w * detach(exp(w)));
  Trace t = trace_of(recording.backward(loss));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", "f64"}};
  t.run = Json::object();
  return t;
}

std::string refusal(const std::string& text) {
  try {
    const Trace t = trace_from(text, "t.json");
    const auto wrong = faults(t);
    return wrong.empty() ? "valid" : wrong[0];
  } catch (const FileError& e) {
    return e.what();
  }
}

std::string refusal(const Json& file) {
  return refusal(file.dump());
}

const char* const kExamples[] = {"dot", "masked", "scaled_dot", "local_p", "additive"};

TEST(MicroscopeValidate, ReadsBackWhatItWroteToTheByte) {
  for (const char* name : kExamples)
    for (const std::set<std::string>& parts : {std::set<std::string>{}, decomposable()}) {
      const std::string text = to_json(recorded(name, parts));
      EXPECT_EQ(refusal(text), "valid") << name;
      EXPECT_EQ(to_json(trace_from(text, "t")), text) << name;
      EXPECT_EQ(to_json(recorded(name, parts)), text)
          << name << ": the same run gives the same bytes";
    }
}

TEST(MicroscopeValidate, ReadsBackEveryNumberToTheBit) {
  const double odd[] = {-0.0,
                        0.0,
                        NAN,
                        INFINITY,
                        -INFINITY,
                        5e-324,
                        1e22,
                        0.1,
                        1.0 / 3,
                        1e-7,
                        std::numeric_limits<double>::max()};
  Rng rng(3);
  for (const char* dtype : {"f32", "f64"}) {
    Trace t = recorded("dot");
    TraceTensor& x = t.tensors[5];  // U: any numbers will do, nothing is derived from them here
    x.dtype = dtype;
    x.value.assign(std::begin(odd), std::end(odd));
    for (int i = 0; i < 20000; ++i) {
      const double v = std::ldexp(rng.normal(), static_cast<int>(rng.below(200)) - 100);
      x.value.push_back(v);
    }
    if (x.dtype == "f32")
      for (double& v : x.value) v = static_cast<double>(static_cast<float>(v));
    const Trace back = trace_from(to_json(t), "t");
    for (size_t i = 0; i < x.value.size(); ++i) {
      const double a = x.value[i], b = back.tensors[5].value[i];
      EXPECT_TRUE((a == b && std::signbit(a) == std::signbit(b)) || (a != a && b != b))
          << a << " " << b;
    }
  }
}

TEST(MicroscopeValidate, RejectsEveryChangedBitOfAGradient) {
  for (const char* name : {"dot", "masked", "additive"}) {
    const Trace good = recorded(name);
    for (size_t i = 0; i < good.tensors.size(); ++i)
      for (size_t j = 0; j < good.tensors[i].grad.size(); ++j) {
        Trace bad = good;
        double& g = bad.tensors[i].grad[j];
        g = std::nextafter(g, INFINITY);
        EXPECT_NE(refusal(to_json(bad)), "valid") << name << " " << i << " " << j;
      }
    Trace bad = good;
    bad.seed_value[0] = std::nextafter(bad.seed_value[0], 0);
    EXPECT_NE(refusal(to_json(bad)), "valid");
  }
}

TEST(MicroscopeValidate, RejectsAMissingDoubledOrMovedContribution) {
  for (const char* name : {"dot", "masked", "additive"}) {
    const Json good = Json::parse(to_json(recorded(name)));
    const size_t n = good["contribs"].size();
    for (size_t i = 0; i < n; ++i) {
      Json bad = good;
      bad["contribs"].erase(i);
      EXPECT_NE(refusal(bad), "valid") << name << " without " << i;
      bad = good;
      bad["contribs"].push_back(good["contribs"][i]);
      EXPECT_NE(refusal(bad), "valid") << name << " doubled " << i;
      if (i + 1 == n) continue;
      bad = good;
      std::swap(bad["contribs"][i], bad["contribs"][i + 1]);
      EXPECT_NE(refusal(bad), "valid") << name << " swapped " << i;
    }
  }
}

// A contribution of zeros changes no sum: it is missed because its op says that it sends it.
TEST(MicroscopeValidate, MissesAContributionOfZeros) {
  const Trace t = tiny();
  ASSERT_EQ(refusal(to_json(t)), "valid");
  Json bad = Json::parse(to_json(t));
  size_t zeros = 0;
  for (size_t i = 0; i < t.contribs.size(); ++i)
    if (t.contribs[i].value == Numbers{0, 0}) {
      bad["contribs"].erase(i);
      ++zeros;
    }
  ASSERT_EQ(zeros, 1u);
  EXPECT_NE(refusal(bad).find("missing"), std::string::npos) << refusal(bad);
}

TEST(MicroscopeValidate, RejectsAContributionOfZerosThatNoOpSends) {
  const Json good = Json::parse(to_json(tiny()));
  Json bad = good;
  const Json& last = good["contribs"].back();
  bad["contribs"].push_back(last);
  bad["contribs"].back()["value"] = {0, 0};
  EXPECT_NE(refusal(bad).find("no op sends it"), std::string::npos) << refusal(bad);
}

TEST(MicroscopeValidate, RejectsReferencesThatLeadNowhere) {
  const Json good = Json::parse(to_json(tiny()));
  for (const char* place :
       {"/tensors/1/id", "/tensors/1/producer", "/tensors/1/scope", "/ops/1/id", "/ops/1/fwd",
        "/ops/1/in/0", "/ops/1/out/0", "/ops/0/bwd", "/ops/0/sends/0", "/contribs/0/op",
        "/contribs/0/bwd", "/contribs/0/slot", "/contribs/0/tensor", "/seeds/0/tensor"}) {
    Json bad = good;
    ASSERT_TRUE(bad.contains(Json::json_pointer(place))) << place;
    bad[Json::json_pointer(place)] = 1000;
    EXPECT_NE(refusal(bad), "valid") << place;
  }
  Json bad = good;
  bad["formulas"].erase("sum");
  EXPECT_NE(refusal(bad), "valid");
  bad = good;
  bad["tensors"][0]["cut"] = "argmax";
  EXPECT_NE(refusal(bad), "valid") << "it has a gradient";
}

TEST(MicroscopeValidate, SaysWhereTheSchemaIsBroken) {
  const Json good = Json::parse(to_json(recorded("dot")));
  const auto with = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return refusal(bad);
  };
  EXPECT_EQ(with("/schema", "heed-trace/2"),
            "t.json: schema: expected \"heed-trace/1\", got \"heed-trace/2\"");
  EXPECT_EQ(with("/tensors/2/name", 5), "t.json: tensors[2].name: expected string, got 5");
  EXPECT_EQ(with("/ops/1/in/0", -1), "t.json: ops[1].in[0]: expected at least 0, got -1");
  EXPECT_EQ(with("/ops/1/extra", 1), "t.json: ops[1].extra: expected no such field");
  EXPECT_EQ(with("/tensors/2/role", "queen").find("t.json: tensors[2].role: expected one of"), 0u);
  Json bad = good;
  bad.erase("ops");
  EXPECT_EQ(refusal(bad), "t.json: the file: expected the field \"ops\"");
}

// Every scalar, list and object of a trace in turn becomes something else: refused or harmless, and
// never undefined behaviour (the sanitizers see to that).
TEST(MicroscopeValidate, SurvivesAnythingInAnyPlace) {
  const Json good = Json::parse(to_json(tiny()));
  const Json flat = good.flatten();
  const Json others[] = {nullptr,
                         true,
                         -1,
                         0,
                         7,
                         2147483647,
                         9223372036854775807,
                         1e308,
                         "x",
                         "NaN",
                         Json::array(),
                         Json::object(),
                         {1, 2},
                         {{"a", 1}}};
  size_t refused = 0, all = 0;
  for (const auto& [pointer, value] : flat.items()) {
    const bool stats = pointer.find("/stats/") != std::string::npos;
    if (stats && !pointer.starts_with("/tensors/0/")) continue;  // one of many alike
    for (const Json& other : others) {
      Json bad = good;
      bad[Json::json_pointer(pointer)] = other;
      ++all;
      refused += refusal(bad) != "valid" ? 1 : 0;
    }
  }
  EXPECT_GT(refused, all / 2);
  for (const char* table : {"scopes", "tensors", "ops", "contribs", "seeds"})
    for (size_t i = 0; i < good[table].size(); ++i)
      for (const Json& other : others) {
        Json bad = good;
        bad[table][i] = other;
        EXPECT_NE(refusal(bad), "valid") << table << i;
      }
}

TEST(MicroscopeValidate, RefusesFilesMadeToHurt) {
  EXPECT_NE(refusal(std::string(1'000'000, '[')).find("nests at most"), std::string::npos);
  EXPECT_NE(refusal(std::string("")).find("expected JSON"), std::string::npos);
  EXPECT_NE(refusal(std::string("{\"schema\": \"heed")).find("expected JSON"), std::string::npos);
  EXPECT_NE(refusal(std::string("\xff\xfe{}")).find("expected JSON"), std::string::npos);
  EXPECT_NE(refusal(std::string("[1e999]")).find("expected JSON"), std::string::npos);
  EXPECT_NE(refusal(std::string(kMostBytes + 1, ' ')).find("at most 50 MB"), std::string::npos);
  const Json good = Json::parse(to_json(recorded("dot")));
  Json bad = good;  // a shape whose number of elements overflows
  bad["tensors"][0]["shape"] = {2147483647, 2147483647, 2147483647, 2147483647, 2147483647};
  EXPECT_NE(refusal(bad).find("expected 4."), std::string::npos) << refusal(bad);
  bad["tensors"][0]["shape"] = {0, 2147483647};
  EXPECT_NE(refusal(bad), "valid");
  bad = good;
  bad["tensors"][0]["name"] = std::string(5000, 'x');
  EXPECT_NE(refusal(bad).find("at most 4096 bytes"), std::string::npos);
}

TEST(MicroscopeValidate, SentencesStayOnOneLine) {
  Json bad = Json::parse(to_json(recorded("dot")));
  bad["tensors"][0]["role"] = "\n\x1b[31m<script>alert(1)</script>";
  const auto expect_harmless = [](const Json& file) {
    const std::string text = refusal(file);
    EXPECT_NE(text, "valid");
    for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
  };
  expect_harmless(bad);
  bad = Json::parse(to_json(recorded("dot")));
  bad["\x1b[31m"] = 1;
  expect_harmless(bad);
  bad.erase("\x1b[31m");
  bad["tensors"][0]["name"] = "\x1b[31m\n";
  bad["tensors"][0]["grad"][0] = 0;
  expect_harmless(bad);
  EXPECT_EQ(harmless("a\u202eb\u2066c\u2028\u0085\u4e2d"), "a?b?c\u2028?\u4e2d")
      << "what turns text around";
}

TEST(MicroscopeValidate, AChangedValueIsFoundByRunningAgain) {
  Trace t = recorded("dot");
  double& v = t.tensors[static_cast<size_t>(t.find("a"))].value[1];
  v = std::nextafter(v, 1);
  bool found = false;
  for (const CheckRow& r : check(t))
    if (r.tensor == t.find("a")) found = !r.pass && !r.again;
  EXPECT_TRUE(found);
}

TEST(MicroscopeCheck, FindsAWrongGradient) {
  Trace t = recorded("dot");
  for (const bool directional : {false, true}) {
    Trace bad = t;
    bad.tensors[static_cast<size_t>(t.find("e"))].grad[1] *= 1.001;
    int failed = 0;
    for (const CheckRow& r : check(bad, {.directional = directional})) failed += r.pass ? 0 : 1;
    EXPECT_EQ(failed, 1);
  }
}

TEST(MicroscopeSchema, RefusesARuleThatItDoesNotCheck) {
  EXPECT_THROW((void)mismatch(Json(5), Json{{"multipleOf", 2}}), std::logic_error);
}

TEST(MicroscopeCase, RefusesWhatDoesNotFitInASentence) {
  const auto text_of = [](const char* pointer, const Json& value, const char* without = "") {
    Json file = example("dot");
    if (*pointer) file[Json::json_pointer(pointer)] = value;
    file.erase(without);
    try {
      check_case(file, "c.json");
      (void)record_case(file, {});
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(text_of("", {}), "accepted");
  EXPECT_NE(text_of("/mechanism", "dott").find("mechanism: expected one of"), std::string::npos);
  EXPECT_NE(text_of("/keys/1", {1, 2, 3}).find("rows of equal length"), std::string::npos);
  EXPECT_NE(text_of("/keys", {{1, 2, 3}}).find("matmul_nt"), std::string::npos);
  EXPECT_NE(text_of("/target", 3).find("expected a class in [0, 3)"), std::string::npos);
  EXPECT_NE(text_of("/mask", {1, 1}).find("expected 3 positions"), std::string::npos);
  EXPECT_NE(text_of("/params", {{"beta", 1}}).find("no such number"), std::string::npos);
  EXPECT_NE(text_of("/mechanism", "general").find("params.W: general needs it"), std::string::npos);
  EXPECT_NE(text_of("", {}, "target").find("either output and target"), std::string::npos);
  EXPECT_NE(text_of("/querry", 1).find("no such field"), std::string::npos);
  EXPECT_NE(text_of("/query/0", "1").find("query[0]: expected number"), std::string::npos);
}

}  // namespace
}  // namespace heed::microscope
