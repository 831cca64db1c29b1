// A tensor of a trace in the formats of other programs: numbers for tables and papers, a picture of
// its matrix, the graph around it. Nothing is computed.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// json: value, gradient and its state; csv: a row per number; md: tables; tex: bmatrix; svg and
/// png: heat maps, blue below 0 and orange above, svg with the words of an attention; dot: the ops
/// around the tensor in Graphviz's language.
inline const std::vector<std::string> kExportFormats{"json", "csv", "md", "tex",
                                                     "svg",  "png", "dot"};

/// Value and gradient of a tensor as one of these; dot with tensor -1: the whole trace.
std::string exported(const Trace& trace, int tensor, const std::string& format);

}  // namespace heed::microscope
