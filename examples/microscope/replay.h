// One op of a trace as the library's own: from its name, its attributes and its tensors back to the
// function that computed it. What was drawn or chosen (dropout's mask, ids) is taken from the
// trace.
#pragma once
#include <span>
#include <vector>

#include "core/tensor.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {

/// Computes op `number` of the trace from `values`, one tensor per tensor of the trace; records one
/// node where a tape is active and an input needs a gradient. Throws std::invalid_argument for an
/// op that is not heed's, attributes that are missing and tensors that do not fit.
Tensors run_op(const Trace& trace, int number, std::span<const Tensor> values);

/// The same with other inputs than those in `values`.
Tensors run_op(const Trace& trace, int number, std::span<const Tensor> values,
               std::span<const Tensor> inputs);

/// Whether an op of this name can be computed again.
bool known_op(const std::string& name);

/// The numbers of a trace's tensor as a tensor.
Tensor tensor_from(const std::vector<int64_t>& shape, const std::string& dtype,
                   const Numbers& numbers);

}  // namespace heed::microscope
