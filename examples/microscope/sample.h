// Large tensors as statistics and a sample of their numbers, so that the trace of a large model is
// a file of bearable size. Such a trace can be looked at, and not computed again.
#pragma once
#include "examples/microscope/trace.h"

namespace heed::microscope {

/// How many numbers are kept of a tensor that has more than it may.
inline constexpr int64_t kSampleSize = 256;

/// Of every tensor of more than `most` numbers (at least kSampleSize), and of what contributed to
/// it, kSampleSize numbers are kept, at equal distances; the same ones of every tensor of that
/// shape. What was differentiated and the matrices of attention stay whole. Throws
/// std::invalid_argument.
void take_samples(Trace& trace, int64_t most);

/// The limit that the trace of this `run` was made with; 0: none. Throws std::invalid_argument.
int64_t sample_limit(const Json& run);

/// Whether any tensor is a sample.
bool holds_samples(const Trace& trace);

/// "256 of 8192 numbers" of a tensor that is a sample.
std::string size_of_sample(const TraceTensor& tensor);

/// Whether one of its tensors is a sample, so that its formula has not all of its numbers.
bool touches_sample(const Trace& trace, const TraceOp& op);

/// Says that this trace holds only samples of some tensors, if it does: throws
/// std::invalid_argument for whoever needs all of them.
void require_whole(const Trace& trace);

}  // namespace heed::microscope
