// A tensor of a trace in the formats of other programs: numbers for tables and papers, a picture of
// its matrix, the graph around it. Text only; nothing is computed.
#pragma once
#include <string>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// {"node", "shape", "dtype", "value", "grad_state", "grad", "cut"}.
Json json_of(const Trace& trace, int tensor);
/// One row per number: its index on every axis, value, gradient (empty where there is none).
std::string csv_of(const Trace& trace, int tensor);
/// Two tables, value and gradient; the last two axes are columns and rows, the others titles.
std::string markdown_of(const Trace& trace, int tensor);
/// The op that makes it, its formulas, and value and gradient as bmatrix.
std::string latex_of(const Trace& trace, int tensor);
/// Heat maps of value and gradient, blue below 0 and orange above, with the words of an alignment
/// view where it is one's.
std::string svg_of(const Trace& trace, int tensor);
/// The ops between what it is computed from and what it is used for, in Graphviz's language; widths
/// by the size of what flows back. -1: the whole trace.
std::string dot_of(const Trace& trace, int tensor);

}  // namespace heed::microscope
