// Attention made visible: a heat map on the terminal, a self-contained HTML page, JSON. It draws
// what it is given and computes nothing about it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "examples/console/terminal.h"

namespace heed::translate {

/// The attention of one sentence pair. Row t is the step that predicts target token t, column s is
/// source token s; usually the last token of each side is "</s>".
struct AttentionMap {
  std::vector<std::string> source, target;
  std::vector<double> weights;  ///< [target, source] row-major; finite, >= 0, each row sums to 1
};

/// Throws std::invalid_argument unless the sizes agree and every row sums to 1 (within 1e-3, or is
/// all zero: a row with nothing to attend to). All functions below call it.
void check(const AttentionMap& map);

/// A heat map in text, one row per target token. Weights stand in per cent in the cells as long as
/// the width allows; a narrower terminal gets narrow cells with the source written downwards, and a
/// still narrower one a list of the strongest source tokens. Ends with a newline.
std::string attention_text(const AttentionMap& map, const TerminalOptions& options);

/// One JSON object on one line: {"schema":"heed.attention.1","model":...,"source":[...],
/// "target":[...],"weights":[[...],...]}; numbers are written so that they read back exactly.
std::string attention_json(const AttentionMap& map, const std::string& model);

/// One HTML page for all the maps: inline SVG, style and script, nothing else is loaded. Weights
/// are shown on hover and on keyboard focus, and in a table.
std::string attention_page(std::span<const AttentionMap> maps, const std::string& model);

}  // namespace heed::translate
