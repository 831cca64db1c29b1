// A trace whose fused operations are run as the small ones that they stand for: the same numbers to
// rounding, and every step between them to look at. What was named keeps its name; within a twin
// t, x, s (softmax) and u (additive score) are named, and each step of a recurrence is a scope.
#pragma once
#include <set>
#include <string>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// The ops that have a twin: softmax, additive_score, unit, linear, layer_norm, rnn_sequence,
/// gru_sequence, lstm_sequence.
const std::set<std::string>& twins();

/// The trace recorded again with twins for these ops. A softmax of which a row keeps nothing stays
/// as it is: its twin would divide 0 by 0. Throws std::invalid_argument for an op without a twin,
/// and for traces with ops that are not heed's.
Trace decomposed(const Trace& trace, const std::set<std::string>& ops);

}  // namespace heed::microscope
