#include "examples/translate/beam.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace heed::translate {
namespace {

// A word behind sentence `row` of the beam.
struct Continuation {
  double log_probability;
  int64_t row, word;
  // The order of ties is that of greedy decoding: the first.
  friend bool operator<(const Continuation& a, const Continuation& b) {
    if (a.log_probability != b.log_probability) return a.log_probability > b.log_probability;
    return a.row != b.row ? a.row < b.row : a.word < b.word;
  }
};

std::vector<Continuation> best_of(const Tensor& log_p, const std::vector<int>& beam,
                                  const std::vector<BeamNode>& tree, size_t room) {
  const int64_t v = log_p.shape()[1];
  std::vector<Continuation> all;
  for (int64_t row = 0; row < std::ssize(beam); ++row) {
    const int node = beam[static_cast<size_t>(row)];
    const double before = node < 0 ? 0 : tree[static_cast<size_t>(node)].log_probability;
    const float* p = log_p.data<float>() + row * v;
    for (int64_t word = 0; word < v; ++word) {
      const double log_probability = before + static_cast<double>(p[word]);
      all.push_back({std::isnan(log_probability) ? -INFINITY : log_probability, row, word});
    }
  }
  const auto kept = all.begin() + std::min(std::ssize(all), static_cast<std::ptrdiff_t>(room));
  std::partial_sort(all.begin(), kept, all.end());
  all.erase(kept, all.end());
  return all;
}

Hypothesis ending_at(int node, const BeamSearch& search, const Translator& t, double alpha) {
  const BeamNode& last = search.tree[static_cast<size_t>(node)];
  Hypothesis h{.node = node,
               .tokens = {},
               .log_probability = last.log_probability,
               .score = 0,
               .cut = last.word != kEos};
  double length = 0;
  for (int i = node; i >= 0; i = search.tree[static_cast<size_t>(i)].parent, ++length)
    if (const int64_t word = search.tree[static_cast<size_t>(i)].word; word != kEos)
      h.tokens.push_back(t.target.token(word));
  std::reverse(h.tokens.begin(), h.tokens.end());
  h.score = h.log_probability / std::pow((5 + length) / 6, alpha);
  return h;
}

}  // namespace

BeamSearch beam_search(const Translator& t, const Tokens& source, const BeamOptions& o) {
  require(o.width >= 1, "beam_search: expected a width of at least 1, got {}", o.width);
  require(o.length_penalty >= 0 && std::isfinite(o.length_penalty),
          "beam_search: expected a length penalty from 0 on, got {}", o.length_penalty);
  BeamSearch search;
  if (source.empty()) return search;
  const NoTape evaluation;
  const std::vector<IdPair> pair{t.encode(source, {})};
  const Batch one = make_batch(pair, std::vector<int64_t>{0});
  Source encoded = encode(t.network, Tensor::ids(one.src, {1, one.S}), one.src_lengths);
  DecoderState state = start(t.network, encoded);
  const auto limit =
      static_cast<int64_t>(o.length_factor * static_cast<double>(source.size())) + o.length_extra;

  std::vector<int> beam{-1};  // nodes of the sentences that go on
  std::vector<int64_t> words{kBos};
  for (int64_t length = 1; !beam.empty(); ++length) {
    const auto count = static_cast<int64_t>(words.size());
    DecoderStep s = step(t.network, Tensor::ids(words, {count}), state, encoded);
    const size_t room = static_cast<size_t>(o.width) - search.hypotheses.size();
    std::vector<int64_t> rows;
    std::vector<int> next;
    words.clear();
    for (const Continuation& c : best_of(log_softmax(s.logits), beam, search.tree, room)) {
      const int node = static_cast<int>(search.tree.size());
      search.tree.push_back({beam[static_cast<size_t>(c.row)], c.word, c.log_probability});
      if (c.word == kEos || length >= limit) {
        search.hypotheses.push_back(ending_at(node, search, t, o.length_penalty));
      } else {
        next.push_back(node), rows.push_back(c.row), words.push_back(c.word);
      }
    }
    beam = std::move(next);
    if (beam.empty()) break;
    state = heed::rows_of(s.state, rows);
    encoded = rows_of(encoded, rows);
  }
  std::stable_sort(search.hypotheses.begin(), search.hypotheses.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  return search;
}

}  // namespace heed::translate
