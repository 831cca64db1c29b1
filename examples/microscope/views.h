// What a trace can be looked at as, beside a list of ops: the matrices of attention weights with
// the words of their rows and columns. Found by the names that the layers give; no numbers of its
// own.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// {"alignment": [...]}: an entry for each tensor of attention weights, in forward order:
///   tensor   its weights a (of local_p: w) [..., T, S]; scores: its e, or null
///   kind     cross, or self_encoder, self_decoder
///   t        the target step of its first row
///   layer    of a Transformer, or null;   heads: how many [B, N, T, S] holds, 1 without that axis
///   rows, cols  the words of the last two axes
/// columns: the words of the source, rows: those that are predicted, fed: those that are read.
Json alignment_views(const Trace& trace, const std::vector<std::string>& columns,
                     const std::vector<std::string>& rows, const std::vector<std::string>& fed);

}  // namespace heed::microscope
