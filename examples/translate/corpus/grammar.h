// The grammar of micro en-fr: one derivation in, one sentence pair with gold links out.
// Each rule writes English and French at once and links what it wrote. No random numbers here.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "examples/translate/corpus/derivation.h"
#include "examples/translate/example.h"

namespace heed::translate {

/// A one-token change of the French side that makes it wrong for this source.
struct Foil {
  int position;
  std::string text;
  std::string flipped;  ///< "gender", "number", "negation" or "person"
};

struct Realised {
  Example example;
  std::vector<Foil> foils;
  bool held_out = false;  ///< holds a noun-adjective or verb-clitic pair kept for the combo split
};

/// The 19 phenomena, in the order of the documentation.
enum class Tag {
  mono,
  adj_post,
  adj_mix,
  agr_np,
  agr_long,
  neg,
  clitic,
  neg_clitic,
  elision,
  contract,
  genitive,
  compound,
  tense,
  question,
  swap_arg,
  lex_ctx,
  poss,
  num_name,
  coord
};
constexpr int kTags = 19;
std::string_view tag_name(Tag tag);

/// Links: every French token has at least one, and at most one sure one, so an aligner that gives
/// one link per target token can reach an alignment error rate of 0.
Realised realise(const Sentence& sentence);

}  // namespace heed::translate
