// What a task hands out: splits of sentence pairs, challenge sets, minimal pairs. Plain data.
#pragma once
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/translate/example.h"

namespace heed::translate {

/// A minimal pair: a good model finds `reference` more probable than `foil`.
struct ContrastPair {
  std::vector<std::string> src, reference, foil;  ///< the foil differs in one token
  std::string flipped;                            ///< "gender", "number", "negation" or "person"
};

/// All splits of a task. No source sentence of train, dev, test, `contrast` or an extra set occurs
/// in another of them (only "align" is the test set by another name).
struct Dataset {
  std::string name;
  std::string header;  ///< one line: task, version, seed
  std::vector<Example> train, dev, test;
  std::vector<std::pair<std::string, std::vector<Example>>> extra;  ///< challenge sets by name
  std::vector<ContrastPair> contrast;
};

/// The pair read in the other direction: sides and links change places. A tag then owns the tokens
/// of the new target that were linked to what it owned.
Example swap_sides(const Example& e);

/// "# header" and one line per pair, as `format_tsv` (data.h) writes it and `read_tsv` reads it.
void write_tsv(std::ostream& out, std::span<const Example> pairs, std::string_view header);

/// "# header" and per pair: source TAB reference TAB foil TAB what was flipped.
void write_tsv(std::ostream& out, std::span<const ContrastPair> pairs, std::string_view header);

}  // namespace heed::translate
