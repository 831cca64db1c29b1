// How good translations are: BLEU, chrF and exact matches, in total, by tag and by length. The
// formulas follow sacrebleu 2 (Post 2018, arXiv:1804.08771) so that figures can be compared.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "examples/translate/example.h"

namespace heed::translate {

/// BLEU of a corpus, with what it was computed from (index n-1 is about n-grams).
struct Bleu {
  double score = 0;                    ///< 0 to 100
  std::array<double, 4> precisions{};  ///< per cent, after smoothing
  std::array<int64_t, 4> correct{}, total{};
  double brevity_penalty = 0;
  int64_t hyp_length = 0, ref_length = 0;  ///< tokens

  /// "41.02 71.0/47.5/34.3/24.5 (BP = 0.999 ratio = 0.999 hyp_len = 12091 ref_len = 12103)"
  [[nodiscard]] std::string text() const;
};

/// Corpus BLEU with one reference per line (Papineni et al. 2002), as `sacrebleu -tok none`: lines
/// are cut at white space of any kind; when an order has no match its precision is 1/(2^k total)
/// for the k-th such order ("exp" smoothing); a corpus too short for 4-grams, or without any
/// match, scores 0. The token "<unk>" of a hypothesis never matches. Throws std::invalid_argument
/// if the numbers of lines differ.
Bleu corpus_bleu(std::span<const std::string> hypotheses, std::span<const std::string> references);

/// What was computed, in sacrebleu's notation.
inline constexpr const char* kBleuSignature = "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp";
inline constexpr const char* kChrfSignature = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no";

/// Corpus chrF2, 0 to 100 (Popović 2015): character n-grams of orders 1 to 6 without white space;
/// precision and recall are averaged over the orders that both sides have, then combined with
/// beta = 2. Throws std::invalid_argument if the numbers of lines differ.
double corpus_chrf(std::span<const std::string> hypotheses,
                   std::span<const std::string> references);

/// `right` of `total` of something.
struct Rate {
  std::string name;
  int64_t right = 0, total = 0;
  /// In [0, 1]; 0 of nothing is 0.
  [[nodiscard]] double share() const {
    return total ? static_cast<double>(right) / static_cast<double>(total) : 0.0;
  }
};

using Tokens = std::vector<std::string>;

/// Whether two sentences are the same, token by token. "<unk>" in the hypothesis is never right.
bool exact_match(const Tokens& hypothesis, const Tokens& reference);

/// Sentences that match exactly.
Rate exact_matches(std::span<const Tokens> hypotheses, std::span<const Example> examples);

/// Tokens that are right at their position. Each sentence counts as many tokens as the longer of
/// hypothesis and reference has, so that missing and surplus tokens are wrong.
Rate token_matches(std::span<const Tokens> hypotheses, std::span<const Example> examples);

/// For each tag, in the order of their bytes: the sentences in which all target tokens that the tag
/// owns are right. A token counts as right if it is kept in a shortest edit from the reference to
/// the hypothesis, so a word too many elsewhere in the sentence does no harm. A tag that owns no
/// token asks for the whole sentence.
std::vector<Rate> accuracy_by_tag(std::span<const Tokens> hypotheses,
                                  std::span<const Example> examples);

/// Exact matches by source length in the buckets 1-2, 3-7, 8-12, 13-18, 19-25 and 26+; buckets
/// without a sentence are left out.
std::vector<Rate> accuracy_by_length(std::span<const Tokens> hypotheses,
                                     std::span<const Example> examples);

}  // namespace heed::translate
