// What stands out in the numbers of a trace: saturated and underflowed weights, rows that keep
// nothing, dead units, the first number that is none. Facts by fixed limits; what they mean for a
// gradient is said by why.h.
#pragma once
#include "examples/microscope/trace.h"

namespace heed::microscope {

inline constexpr double kSaturated = 1e-6;  // of the others' sum in a softmax row; of a derivative

/// A list as `diags` of a trace file has it, in forward order:
///   softmax_saturated  value: 1 - largest weight of the row, as the sum of the others
///   underflow          value: how many kept weights of the row are exactly 0
///   masked_all         value: 0, the row keeps nothing
///   tanh_saturated     value: the smallest derivative of a tanh or sigmoid, 1 - y^2 or y (1 - y)
///   dead               value: how many units of a relu are 0 in every row
///   nan_origin         value: the first number that is not finite made of finite ones
Json diags_of(const Trace& trace);

/// Whether the op computes such numbers on purpose: the -infinity of a mask.
bool infinite_on_purpose(const TraceOp& op);

}  // namespace heed::microscope
