#include "examples/translate/setup.h"

#include <fmt/format.h>

#include <algorithm>

namespace heed::translate {
namespace {

using Side = std::vector<std::string> Example::*;

TokenCounts counts_of(std::span<const Example> examples, Side side) {
  TokenCounts counts;
  for (const Example& e : examples) count_tokens(counts, e.*side);
  return counts;
}

// Source positions of the longest sentence, its <eos> included.
int64_t longest_source(const Corpus& corpus) {
  size_t most = 0;
  for (const auto* set : {&corpus.sets.train, &corpus.sets.dev, &corpus.sets.test})
    for (const Example& e : *set) most = std::max(most, e.src.size());
  return static_cast<int64_t>(most) + 1;
}

}  // namespace

Translator make_translator(const Corpus& corpus, NetworkOptions network,
                           const VocabularyOptions& vocabulary, uint64_t seed) {
  Vocabulary source(counts_of(corpus.sets.train, &Example::src), vocabulary),
      target(counts_of(corpus.sets.train, &Example::tgt), vocabulary);
  std::visit(
      [&](auto& o) {
        o.source_vocabulary = source.size();
        o.target_vocabulary = target.size();
      },
      network);
  if (auto* rnn = std::get_if<Seq2SeqOptions>(&network); rnn && rnn->score == Score::location)
    rnn->longest = longest_source(corpus);
  Rng init = Rng(seed).fork("init");
  return {corpus.text, std::move(source), std::move(target), make_network(network, init), {}};
}

std::string vocabulary_text(const Translator& t, const Corpus& corpus) {
  return fmt::format(
      "vocabulary: {} source, {} target (4 special ones each); unknown in the test set: "
      "{:.2f} % of source tokens, {:.2f} % of target tokens",
      t.source.size(), t.target.size(),
      100 * unknown_share(t.source, counts_of(corpus.sets.test, &Example::src)),
      100 * unknown_share(t.target, counts_of(corpus.sets.test, &Example::tgt)));
}

}  // namespace heed::translate
