// Word alignment: how well links agree with gold links, links read off attention, and baselines to
// stand beside them. Links are pairs of token positions; <eos> and padding are never linked.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "examples/translate/example.h"

namespace heed::translate {

/// Counts over a corpus, from which precision, recall and AER follow (Och & Ney 2003). Every sure
/// link counts as possible too.
struct AlignmentScore {
  int64_t links = 0;        ///< |A|, predicted links, repeated ones once
  int64_t sure = 0;         ///< |S|
  int64_t in_sure = 0;      ///< |A and S|
  int64_t in_possible = 0;  ///< |A and P|, S part of P

  /// |A and P| / |A|; 1 if nothing was predicted.
  [[nodiscard]] double precision() const;
  /// |A and S| / |S|; 1 if there is no sure link.
  [[nodiscard]] double recall() const;
  /// Alignment error rate 1 - (|A and S| + |A and P|) / (|A| + |S|); 0 is best; 0 if both are
  /// empty.
  [[nodiscard]] double aer() const;
};

/// Links of one sentence.
using Links = std::vector<Link>;

/// Scores predicted links against the gold links of the examples; throws std::invalid_argument if
/// their numbers differ.
AlignmentScore score_alignment(std::span<const Links> predicted, std::span<const Example> gold);

/// One link per target token: its strongest source token. `weights` is row-major, one row per
/// decoder step (row t predicts target token t; at least `targets` rows) and `columns` entries in a
/// row, of which the first `sources` are real tokens; the rest (<eos>, padding) is ignored. Token t
/// is read from row t + offset: 0 is the step that predicts it, 1 the step that has consumed it.
/// Of equal weights the leftmost wins; a row without any weight on a real token, and a row that
/// does not exist, links nothing.
Links links_from_attention(std::span<const double> weights, int64_t columns, int64_t sources,
                           int64_t targets, int offset = 0);

/// For each target token with a gold link: the weight on its gold (sure or possible) source tokens,
/// after renormalising over real tokens. Adds to a running sum so that a corpus mean can be formed.
struct AttentionMass {
  double sum = 0;
  int64_t tokens = 0;
  [[nodiscard]] double mean() const { return tokens ? sum / static_cast<double>(tokens) : 0.0; }
};
void add_attention_mass(AttentionMass& mass, std::span<const double> weights, int64_t columns,
                        const Example& gold);

/// The best links that give every target token exactly one source token. Their AER is the floor
/// for `links_from_attention`.
std::vector<Links> oracle_links(std::span<const Example> gold);

/// Target token t of T linked to the source token at the same relative place of S.
std::vector<Links> diagonal_links(std::span<const Example> examples);

/// IBM Model 1 (Brown et al. 1993) with an empty word, trained by `iterations` rounds of EM on
/// `train` and `test` together (it needs no gold links), then the best links of `test`.
std::vector<Links> ibm1_links(std::span<const Example> train, std::span<const Example> test,
                              int iterations = 5);

}  // namespace heed::translate
