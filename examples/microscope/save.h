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

/// Writes a trace, heed-trace/1. Throws FileError when it cannot be written or would be larger than
/// what `microscope` reads (50 MB).
void save_trace(const std::string& path, const Recorded& recorded, const std::string& title = "");

}  // namespace heed
