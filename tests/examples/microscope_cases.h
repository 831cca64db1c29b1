// The example cases as traces, and what the tests of the microscope ask of a trace.
#pragma once
#include <gtest/gtest.h>

#include "core/file_bytes.h"
#include "examples/microscope/case.h"

namespace heed::microscope {

/// The JSON of a file of examples/microscope/cases.
inline Json example(const std::string& name) {
  return Json::parse(read_file(HEED_SOURCE_DIR "/examples/microscope/cases/" + name + ".json"));
}

/// A case recorded, through the text of a file.
inline Trace traced(const Json& file, const std::set<std::string>& decompose = {}) {
  check_case(file, "case");
  return trace_from(to_json(record_case(file, decompose)), "trace");
}

/// Two heads of width 1, small enough to be computed by hand.
inline Json two_heads(const Json& w_o, const Json& cotangent) {
  return {{"mechanism", "multi_head"},
          {"query", {1, 0.5}},
          {"keys", {{1, 0}, {0, 1}}},
          {"params",
           {{"heads", 2},
            {"W_q", {{1, 0}, {0, 1}}},
            {"W_k", {{1, 0}, {0, 2}}},
            {"W_v", {{1, 0}, {0, 1}}},
            {"W_o", w_o}}},
          {"cotangent", cotangent}};
}

/// The tensor of this name.
inline const TraceTensor& at(const Trace& t, const std::string& name) {
  return t.tensors.at(static_cast<size_t>(t.find(name)));
}

inline void expect_near(const Numbers& got, const Numbers& expected, const std::string& what,
                        double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], tolerance) << what << " " << i;
}

}  // namespace heed::microscope
