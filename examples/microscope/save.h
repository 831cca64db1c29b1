// A recorded run as a file that the program `microscope` reads, for programs of one's own: link
// heed::trace and include <heed/trace.h>.
//
//     Tape tape;
//     Recording recording(tape);
//     Tensor loss = model.loss(batch);                    // named(x, "e") names a tensor
//     save_trace("t.json", recording.backward(loss));     // in place of tape.backward(loss)
#pragma once
#include <string>

#include "autograd/recording.h"

namespace heed {

struct TraceOptions {
  std::string title;
  /// Of tensors of more numbers than this (at least 256) statistics and 256 numbers are kept; the
  /// trace can then be looked at and not computed again. 0: everything is kept.
  int64_t sample = 0;
};

/// Writes a trace, heed-trace/1. Throws FileError when it cannot be written or would be larger than
/// what `microscope` reads (50 MB).
void save_trace(const std::string& path, const Recorded& recorded,
                const TraceOptions& options = {});

}  // namespace heed
