#include "examples/translate/alignment.h"

#include <algorithm>
#include <compare>
#include <map>
#include <string>

#include "core/error.h"

namespace heed::translate {
namespace {

double ratio(int64_t part, int64_t whole, double of_nothing) {
  return whole ? static_cast<double>(part) / static_cast<double>(whole) : of_nothing;
}

Links sorted_unique(Links links) {
  std::ranges::sort(links);
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

bool contains(const Links& links, Link link) {
  return std::ranges::find(links, link) != links.end();
}

std::span<const double> row_of(std::span<const double> weights, int64_t columns, int64_t row) {
  return weights.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
}

}  // namespace

double AlignmentScore::precision() const {
  return ratio(in_possible, links, 1);
}
double AlignmentScore::recall() const {
  return ratio(in_sure, sure, 1);
}
double AlignmentScore::aer() const {
  return 1 - ratio(in_sure + in_possible, links + sure, 1);
}

AlignmentScore score_alignment(std::span<const Links> predicted, std::span<const Example> gold) {
  require(predicted.size() == gold.size(),
          "alignment: expected links for each of {} sentences, got {}", gold.size(),
          predicted.size());
  AlignmentScore score;
  for (size_t i = 0; i < gold.size(); ++i) {
    const Links links = sorted_unique(predicted[i]), sure = sorted_unique(gold[i].sure);
    score.links += static_cast<int64_t>(links.size());
    score.sure += static_cast<int64_t>(sure.size());
    for (const Link& link : links) {
      const bool is_sure = contains(sure, link);
      score.in_sure += is_sure;
      score.in_possible += is_sure || contains(gold[i].possible, link);
    }
  }
  return score;
}

Links links_from_attention(std::span<const double> weights, int64_t columns, int64_t sources,
                           int64_t targets, int offset) {
  const auto rows = columns > 0 ? static_cast<int64_t>(weights.size()) / columns : 0;
  require(sources <= columns && targets <= rows && offset >= 0,
          "alignment: expected a weight for {} target and {} source tokens and an offset >= 0, got "
          "{} rows of {} and {}",
          targets, sources, rows, columns, offset);
  Links links;
  for (int64_t t = 0; t < targets && t + offset < rows; ++t) {
    const auto row = row_of(weights, columns, t + offset).first(static_cast<size_t>(sources));
    const auto best = std::ranges::max_element(row);
    if (best != row.end() && *best > 0)
      links.push_back({static_cast<int>(best - row.begin()), static_cast<int>(t)});
  }
  return links;
}

void add_attention_mass(AttentionMass& mass, std::span<const double> weights, int64_t columns,
                        const Example& gold) {
  require(
      static_cast<int64_t>(gold.src.size()) <= columns &&
          static_cast<int64_t>(gold.tgt.size()) * columns <= static_cast<int64_t>(weights.size()),
      "alignment: expected a weight for {} target and {} source tokens, got {} weights in rows "
      "of {}",
      gold.tgt.size(), gold.src.size(), weights.size(), columns);
  for (int t = 0; t < static_cast<int>(gold.tgt.size()); ++t) {
    const auto row = row_of(weights, columns, t);
    double on_gold = 0, on_all = 0;
    bool linked = false;
    for (int s = 0; s < static_cast<int>(gold.src.size()); ++s) {
      const bool is_gold = contains(gold.sure, {s, t}) || contains(gold.possible, {s, t});
      const double weight = row[static_cast<size_t>(s)];
      on_all += weight;
      if (is_gold) on_gold += weight;
      linked = linked || is_gold;
    }
    if (!linked) continue;
    ++mass.tokens;
    if (on_all > 0) mass.sum += on_gold / on_all;
  }
}

std::vector<Links> oracle_links(std::span<const Example> gold) {
  std::vector<Links> all;
  for (const Example& e : gold) {
    Links& links = all.emplace_back();
    for (int t = 0; t < static_cast<int>(e.tgt.size()) && !e.src.empty(); ++t) {
      const auto here = [t](const Link& l) { return l.tgt == t; };
      // A sure link counts twice in AER, a possible one once, any other not at all.
      Link best{0, t};
      if (const auto p = std::ranges::find_if(e.possible, here); p != e.possible.end()) best = *p;
      if (const auto s = std::ranges::find_if(e.sure, here); s != e.sure.end()) best = *s;
      links.push_back(best);
    }
  }
  return all;
}

std::vector<Links> diagonal_links(std::span<const Example> examples) {
  std::vector<Links> all;
  for (const Example& e : examples) {
    Links& links = all.emplace_back();
    const size_t S = e.src.size(), T = e.tgt.size();
    for (size_t t = 0; t < T && S > 0; ++t)  // the source token above the middle of token t
      links.push_back({static_cast<int>((2 * t + 1) * S / (2 * T)), static_cast<int>(t)});
  }
  return all;
}

namespace {

// Sentences as word ids; source word 0 is the empty word.
class Model1 {
 public:
  Model1(std::span<const Example> train, std::span<const Example> test) {
    size_t cells = 0;
    for (const auto part : {train, test})
      for (const Example& e : part) cells += (e.src.size() + 1) * e.tgt.size();
    pairs_.reserve(cells);
    for (const auto part : {train, test})
      for (const Example& e : part) add(e);
    std::ranges::sort(pairs_);
    pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
    pairs_.shrink_to_fit();
    cells_.reserve(cells);
    // Each cell of each sentence finds its word pair once; EM then runs over flat arrays.
    for (const Sentence& s : sentences_)
      for (const uint32_t t : s.tgt)
        for (const uint32_t w : s.src)
          cells_.push_back(static_cast<uint32_t>(std::ranges::lower_bound(pairs_, WordPair{w, t}) -
                                                 pairs_.begin()));
    probability_.assign(pairs_.size(), 1.0);  // uniform: EM normalises within a token
  }

  void round() {
    std::vector<double> count(pairs_.size()), total(source_ids_.size() + 1);
    const uint32_t* cell = cells_.data();
    for (const Sentence& s : sentences_)
      for (size_t t = 0; t < s.tgt.size(); ++t, cell += s.src.size()) {
        double sum = 0;
        for (size_t i = 0; i < s.src.size(); ++i) sum += probability_[cell[i]];
        for (size_t i = 0; i < s.src.size(); ++i) count[cell[i]] += probability_[cell[i]] / sum;
      }
    for (size_t k = 0; k < pairs_.size(); ++k) total[pairs_[k].src] += count[k];
    for (size_t k = 0; k < pairs_.size(); ++k) probability_[k] = count[k] / total[pairs_[k].src];
  }

  // The best links of the sentences from number `first` on.
  [[nodiscard]] std::vector<Links> links(size_t first) const {
    std::vector<Links> all;
    const uint32_t* cell = cells_.data();
    for (size_t n = 0; n < sentences_.size(); ++n) {
      const Sentence& s = sentences_[n];
      if (n >= first) all.emplace_back();
      for (size_t t = 0; t < s.tgt.size(); ++t, cell += s.src.size()) {
        size_t best = 0;
        for (size_t i = 1; i < s.src.size(); ++i)
          if (probability_[cell[i]] > probability_[cell[best]]) best = i;
        if (n >= first && best > 0)
          all.back().push_back({static_cast<int>(best) - 1, static_cast<int>(t)});
      }
    }
    return all;
  }

 private:
  struct Sentence {
    std::vector<uint32_t> src, tgt;
  };
  struct WordPair {
    uint32_t src, tgt;
    friend auto operator<=>(const WordPair&, const WordPair&) = default;
  };
  using Ids = std::map<std::string, uint32_t>;

  static uint32_t id(Ids& ids, const std::string& word) {
    return ids.try_emplace(word, static_cast<uint32_t>(ids.size()) + 1).first->second;
  }

  void add(const Example& e) {
    Sentence& s = sentences_.emplace_back();
    s.src.push_back(0);
    for (const std::string& word : e.src) s.src.push_back(id(source_ids_, word));
    for (const std::string& word : e.tgt) s.tgt.push_back(id(target_ids_, word));
    for (const uint32_t w : s.src)
      for (const uint32_t t : s.tgt) pairs_.push_back({w, t});
  }

  Ids source_ids_, target_ids_;
  std::vector<Sentence> sentences_;
  std::vector<WordPair> pairs_;  // that occur together, sorted
  std::vector<uint32_t> cells_;  // for each sentence, target token, source token: index of the pair
  std::vector<double> probability_;  // p(target word | source word), as pairs_
};

}  // namespace

std::vector<Links> ibm1_links(std::span<const Example> train, std::span<const Example> test,
                              int iterations) {
  Model1 model(train, test);
  for (int i = 0; i < iterations; ++i) model.round();
  return model.links(train.size());
}

}  // namespace heed::translate
