#include "examples/translate/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::translate {
namespace {

constexpr std::string_view kUnknown = "<unk>";

void check_counts(const char* what, size_t hypotheses, size_t references) {
  require(hypotheses == references, "{}: expected as many hypotheses as references, got {} and {}",
          what, hypotheses, references);
}

std::vector<std::string_view> unicode_words(std::string_view line) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t i = 0; i <= line.size();) {
    const CodePoint c = i < line.size() ? decode_utf8(line, i) : CodePoint{' ', 1, true};
    if (is_space(c.value)) {
      if (i > begin) words.push_back(line.substr(begin, i - begin));
      begin = i + c.bytes;
    }
    i += c.bytes;
  }
  return words;
}

std::u32string without_spaces(std::string_view line) {
  std::u32string out;
  for (size_t i = 0; i < line.size();) {
    const CodePoint c = decode_utf8(line, i);
    if (!is_space(c.value)) out.push_back(c.value);
    i += c.bytes;
  }
  return out;
}

// Counts of the n-grams of a sequence; an n-gram is a view of it.
template <class T>
struct SequenceLess {
  bool operator()(std::span<const T> a, std::span<const T> b) const {
    return std::ranges::lexicographical_compare(a, b);
  }
};
template <class T>
using Ngrams = std::map<std::span<const T>, int64_t, SequenceLess<T>>;

template <class T>
Ngrams<T> ngrams(std::span<const T> sequence, size_t order) {
  Ngrams<T> counts;
  for (size_t i = 0; i + order <= sequence.size(); ++i) ++counts[sequence.subspan(i, order)];
  return counts;
}

// Number of n-grams in common, each at most as often as the reference has it.
template <class T, class Skip>
int64_t clipped_matches(const Ngrams<T>& hypothesis, const Ngrams<T>& reference, Skip skip) {
  int64_t matches = 0;
  for (const auto& [ngram, count] : hypothesis)
    if (const auto found = reference.find(ngram); found != reference.end() && !skip(ngram))
      matches += std::min(count, found->second);
  return matches;
}

int64_t ngram_total(size_t length, size_t order) {
  return length >= order ? static_cast<int64_t>(length - order + 1) : 0;
}

void finish(Bleu& b) {
  const auto hyp = static_cast<double>(b.hyp_length), ref = static_cast<double>(b.ref_length);
  b.brevity_penalty = hyp >= ref ? 1.0 : hyp > 0 ? std::exp(1 - ref / hyp) : 0.0;
  if (std::ranges::all_of(b.correct, [](int64_t n) { return n == 0; })) return;
  double log_sum = 0, halving = 1;
  for (size_t n = 0; n < 4; ++n) {
    if (b.total[n] == 0) return;  // no sentence is long enough for this order
    if (b.correct[n] == 0) halving *= 2;
    const double matches = b.correct[n] ? static_cast<double>(b.correct[n]) : 1 / halving;
    b.precisions[n] = 100 * matches / static_cast<double>(b.total[n]);
    log_sum += std::log(b.precisions[n]);
  }
  b.score = b.brevity_penalty * std::exp(log_sum / 4);
}

bool right(const std::string& hypothesis, const std::string& reference) {
  return hypothesis == reference && hypothesis != kUnknown;
}

// For each reference token: whether a shortest edit (insert, delete, substitute) keeps it.
std::vector<bool> kept_tokens(const Tokens& hyp, const Tokens& ref) {
  const size_t width = hyp.size() + 1;
  std::vector<size_t> cost((ref.size() + 1) *
                           width);  // [ref + 1, hyp + 1], edits of the beginnings
  for (size_t j = 0; j < width; ++j) cost[j] = j;
  for (size_t i = 1; i <= ref.size(); ++i) {
    cost[i * width] = i;
    for (size_t j = 1; j < width; ++j) {
      const size_t diagonal = cost[(i - 1) * width + j - 1] + !right(hyp[j - 1], ref[i - 1]);
      cost[i * width + j] =
          std::min({diagonal, cost[(i - 1) * width + j] + 1, cost[i * width + j - 1] + 1});
    }
  }
  std::vector<bool> kept(ref.size());
  for (size_t i = ref.size(), j = hyp.size(); i > 0 && j > 0;) {
    const size_t here = cost[i * width + j];
    const bool same = right(hyp[j - 1], ref[i - 1]);
    if (here == cost[(i - 1) * width + j - 1] + !same) {
      kept[--i] = same;
      --j;
    } else if (here == cost[(i - 1) * width + j] + 1) {
      --i;
    } else {
      --j;
    }
  }
  return kept;
}

}  // namespace

std::string Bleu::text() const {
  const double ratio =
      ref_length ? static_cast<double>(hyp_length) / static_cast<double>(ref_length) : 0.0;
  return fmt::format(
      "{:.2f} {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})",
      score, precisions[0], precisions[1], precisions[2], precisions[3], brevity_penalty, ratio,
      hyp_length, ref_length);
}

Bleu corpus_bleu(std::span<const std::string> hypotheses, std::span<const std::string> references) {
  check_counts("BLEU", hypotheses.size(), references.size());
  const auto unknown = [](std::span<const std::string_view> ngram) {
    return std::ranges::find(ngram, kUnknown) != ngram.end();
  };
  Bleu b;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::vector<std::string_view> hyp = unicode_words(hypotheses[i]);
    const std::vector<std::string_view> ref = unicode_words(references[i]);
    b.hyp_length += static_cast<int64_t>(hyp.size());
    b.ref_length += static_cast<int64_t>(ref.size());
    for (size_t n = 1; n <= 4; ++n) {
      b.total[n - 1] += ngram_total(hyp.size(), n);
      b.correct[n - 1] += clipped_matches(ngrams<std::string_view>(hyp, n),
                                          ngrams<std::string_view>(ref, n), unknown);
    }
  }
  finish(b);
  return b;
}

double corpus_chrf(std::span<const std::string> hypotheses,
                   std::span<const std::string> references) {
  check_counts("chrF", hypotheses.size(), references.size());
  constexpr size_t kOrders = 6;
  constexpr double kBetaSquared = 4;
  std::array<int64_t, kOrders> in_hyp{}, in_ref{}, common{};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::u32string hyp = without_spaces(hypotheses[i]), ref = without_spaces(references[i]);
    for (size_t n = 1; n <= kOrders; ++n) {
      // A line whose reference is too short for an order does not count in it (sacrebleu 2).
      if (ref.size() >= n) in_hyp[n - 1] += ngram_total(hyp.size(), n);
      in_ref[n - 1] += ngram_total(ref.size(), n);
      common[n - 1] += clipped_matches(ngrams<char32_t>(hyp, n), ngrams<char32_t>(ref, n),
                                       [](auto&&) { return false; });
    }
  }
  double precision = 0, recall = 0;
  int orders = 0;
  for (size_t n = 0; n < kOrders; ++n) {
    if (in_hyp[n] == 0 || in_ref[n] == 0) continue;
    precision += static_cast<double>(common[n]) / static_cast<double>(in_hyp[n]);
    recall += static_cast<double>(common[n]) / static_cast<double>(in_ref[n]);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * (1 + kBetaSquared) * precision * recall / (kBetaSquared * precision + recall);
}

bool exact_match(const Tokens& hypothesis, const Tokens& reference) {
  return std::ranges::equal(hypothesis, reference, right);
}

Rate exact_matches(std::span<const Tokens> hypotheses, std::span<const Example> examples) {
  check_counts("exact match", hypotheses.size(), examples.size());
  Rate rate{.name = "exact match"};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    rate.right += exact_match(hypotheses[i], examples[i].tgt);
    ++rate.total;
  }
  return rate;
}

Rate token_matches(std::span<const Tokens> hypotheses, std::span<const Example> examples) {
  check_counts("token match", hypotheses.size(), examples.size());
  Rate rate{.name = "tokens"};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const Tokens& hyp = hypotheses[i];
    const Tokens& ref = examples[i].tgt;
    for (size_t t = 0; t < std::min(hyp.size(), ref.size()); ++t)
      rate.right += right(hyp[t], ref[t]);
    rate.total += static_cast<int64_t>(std::max(hyp.size(), ref.size()));
  }
  return rate;
}

std::vector<Rate> accuracy_by_tag(std::span<const Tokens> hypotheses,
                                  std::span<const Example> examples) {
  check_counts("accuracy by tag", hypotheses.size(), examples.size());
  std::map<std::string, Rate> by_tag;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const Example& e = examples[i];
    const std::vector<bool> kept = kept_tokens(hypotheses[i], e.tgt);
    const bool whole = exact_match(hypotheses[i], e.tgt);
    for (size_t k = 0; k < e.tags.size(); ++k) {
      Rate& rate = by_tag[e.tags[k]];
      const std::vector<int>& owned = e.tag_tokens[k];
      rate.right += owned.empty() ? whole : std::ranges::all_of(owned, [&](int t) {
        return kept[static_cast<size_t>(t)];
      });
      ++rate.total;
    }
  }
  std::vector<Rate> rates;
  for (auto& [name, rate] : by_tag) rates.push_back({name, rate.right, rate.total});
  return rates;
}

std::vector<Rate> accuracy_by_length(std::span<const Tokens> hypotheses,
                                     std::span<const Example> examples) {
  check_counts("accuracy by length", hypotheses.size(), examples.size());
  constexpr size_t kLast[] = {2, 7, 12, 18, 25, SIZE_MAX};
  std::vector<Rate> rates{{.name = "1-2"},   {.name = "3-7"},   {.name = "8-12"},
                          {.name = "13-18"}, {.name = "19-25"}, {.name = "26+"}};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const auto bucket = std::ranges::lower_bound(kLast, examples[i].src.size()) - kLast;
    Rate& rate = rates[static_cast<size_t>(bucket)];
    rate.right += exact_match(hypotheses[i], examples[i].tgt);
    ++rate.total;
  }
  std::erase_if(rates, [](const Rate& rate) { return rate.total == 0; });
  return rates;
}

}  // namespace heed::translate
