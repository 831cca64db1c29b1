// Where a trace comes from, run again: its `run` is the recipe. A case, a sentence pair through a
// fresh network, or one through a trained model; with numbers and words changed on the way.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// Whether `run` says how the trace was made (a trace of one's own model does not).
bool has_recipe(const Trace& trace);

/// Makes the trace anew. Throws std::invalid_argument without a recipe, FileError for one that is
/// not as it should be (`path` is for these).
Trace run_recipe(const Json& run, const std::string& path);

/// `microscope rerun`: the trace with these changes. "W[0,1]=0.3" sets a number, whatever it is
/// computed from; "src[1]=chat" and "tgt[0]=le" change a word, for which the recipe is run again
/// (first weights belong to words, so no other word's change). So it is for a trace that holds only
/// samples; what comes holds all numbers, for whoever wants samples of it (sample_limit). Throws
/// std::invalid_argument.
Trace rerun(const Trace& trace, const std::vector<std::string>& changes, const std::string& path);

}  // namespace heed::microscope
