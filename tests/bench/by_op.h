// Where the time of a step goes, by the name of the op. Nothing in an op or on the tape is there
// for it: forward is sampled by a timer that looks how many ops were recorded, backward is timed
// op by op by walking the tape here instead of in Tape::backward.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/training.h"

namespace heed::bench {

struct OpTime {
  std::string op;
  double nodes = 0;  // per step
  double forward_ms = 0, backward_ms = 0;
};

/// Per step of shard 0, largest sum first, from passes over about `seconds`. What runs between two
/// recorded ops counts for the second one; weight gradients that were gathered count for the op
/// that caused them to be multiplied, or as "(gathered products)" at the end. Uses SIGALRM.
std::vector<OpTime> time_by_op(Training& training, double seconds);

}  // namespace heed::bench
