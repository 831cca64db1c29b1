// Beam search for one sentence, with the tree that it grew. Nothing is recorded.
#pragma once
#include "examples/translate/decode.h"

namespace heed::translate {

struct BeamOptions {
  int64_t width = 5;
  double length_penalty = 1;  // alpha below; 0 ranks by probability alone
  // As in DecodeOptions.
  double length_factor = 2;
  int64_t length_extra = 10;
};

/// A word behind those of its parents, kept by the search.
struct BeamNode {
  int parent;  // an earlier node; -1: the first word of a sentence
  int64_t word;
  double log_probability;  // of the sentence up to here, in nats
};

/// A whole sentence of the search.
struct Hypothesis {
  int node;                // its last word
  Tokens tokens;           // without </s>
  double log_probability;  // with </s>, in nats
  double score;            // what it is ranked by
  bool cut = false;        // the length limit came before </s>
};

struct BeamSearch {
  std::vector<BeamNode> tree;
  std::vector<Hypothesis> hypotheses;  // the best first; at most `width`
};

/// Of all continuations of the sentences in the beam the most probable ones are kept, as many as
/// `width` leaves beside the sentences that have ended; an ended one keeps its place. A width of 1
/// is decode_greedy; one that loses nothing finds the best of all sentences. Ranked by
///   log p(y) / ((5 + length) / 6)^alpha,
/// </s> counted (Wu et al. 2016, eq. 14, without its coverage term). An empty sentence gives an
/// empty search. Throws std::invalid_argument for a width below 1 and a penalty that is no number
/// from 0 on.
BeamSearch beam_search(const Translator& translator, const Tokens& source,
                       const BeamOptions& options = {});

}  // namespace heed::translate
