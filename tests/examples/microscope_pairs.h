// Sentence pairs that the tests of the microscope record, and what they ask of every trace.
#pragma once
#include "examples/microscope/check.h"
#include "examples/microscope/pair.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {

inline PairOptions small(const std::string& mech) {
  PairOptions o;
  o.mech = mech;
  o.d = 4;
  o.ff = 6;
  o.src = {"the", "cat", "sat"};
  o.tgt = {"le", "chat"};
  o.seed = 5;
  return o;
}

inline Trace through_a_file(const Trace& t) {
  return trace_from(to_json(t), "t.json");
}

inline void expect_checked(const Trace& t, const std::string& what, bool directional) {
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

}  // namespace heed::microscope
