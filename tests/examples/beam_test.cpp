// Beam search against greedy decoding, against every sentence there is, and against what the
// network says of a given sentence.
#include "examples/translate/beam.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/examples/small_translator.h"

namespace heed::translate {
namespace {

const Tokens kSource{"the", "cat", "the"};

TEST(BeamSearch, AWidthOfOneIsGreedyDecoding) {
  int ended = 0;
  for (const bool transformer : {false, true})
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      const Translator t = small_translator(transformer, seed);
      const std::vector<Tokens> one{kSource};
      const Decoded greedy = decode_greedy(t, one)[0];
      const BeamSearch search = beam_search(t, kSource, {.width = 1});
      ASSERT_EQ(search.hypotheses.size(), 1u);
      EXPECT_EQ(search.hypotheses[0].tokens, greedy.tokens) << seed;
      EXPECT_NEAR(search.hypotheses[0].log_probability, greedy.log_probability, 1e-6);
      EXPECT_EQ(search.hypotheses[0].cut, greedy.cut);
      ended += !greedy.cut;
    }
  EXPECT_GT(ended, 5) << "sentences that end, and not only those that are cut";
}

// Every sentence of at most `longest` words, ended or cut, by depth first search.
struct Every {
  const Translator& t;
  Source encoded;
  int64_t longest;
  std::map<Tokens, double> ended, cut;

  void grow(const Tokens& words, const DecoderState& state, int64_t last, double log_p) {
    const DecoderStep s =
        step(t.network, Tensor::ids(std::vector<int64_t>{last}, {1}), state, encoded);
    const auto p = log_softmax(s.logits).to_vector();
    for (int64_t word = 0; word < t.target.size(); ++word) {
      const double sum = log_p + p[static_cast<size_t>(word)];
      Tokens more = words;
      if (word != kEos) more.push_back(t.target.token(word));
      if (word == kEos) {
        ended[more] = sum;
      } else if (std::ssize(more) >= longest) {
        cut[more] = sum;
      } else {
        grow(more, s.state, word, sum);
      }
    }
  }
};

TEST(BeamSearch, AWideBeamFindsTheBestOfAllSentences) {
  for (const bool transformer : {false, true})
    for (const double alpha : {0.0, 1.0}) {
      const Translator t = small_translator(transformer, 7);
      const NoTape evaluation;
      auto source = t.encode(kSource, {}).src;
      source.push_back(kEos);
      const auto n = static_cast<int64_t>(source.size());
      Every every{t, encode(t.network, Tensor::ids(source, {1, n}), {n}), 3, {}, {}};
      every.grow({}, start(t.network, every.encoded), kBos, 0);
      std::vector<std::pair<double, Tokens>> best;
      const auto rank = [&](const std::map<Tokens, double>& some, int end) {
        for (const auto& [tokens, log_p] : some) {
          const double length = static_cast<double>(std::ssize(tokens) + end);
          best.emplace_back(log_p / std::pow((5 + length) / 6, alpha), tokens);
        }
      };
      rank(every.ended, 1);
      rank(every.cut, 0);
      std::sort(best.rbegin(), best.rend());

      const BeamSearch search = beam_search(
          t, kSource,
          {.width = 1000, .length_penalty = alpha, .length_factor = 0, .length_extra = 3});
      ASSERT_EQ(search.hypotheses.size(), best.size());
      for (size_t i = 0; i < best.size(); ++i)
        EXPECT_NEAR(search.hypotheses[i].score, best[i].first, 1e-5) << i;
      EXPECT_EQ(search.hypotheses[0].tokens, best[0].second);
    }
}

TEST(BeamSearch, SentencesAreDifferentSortedAndWorthWhatTheNetworkSays) {
  for (const bool transformer : {false, true}) {
    const Translator t = small_translator(transformer, 11);
    const BeamSearch search = beam_search(t, kSource, {.width = 6, .length_penalty = 0.6});
    ASSERT_EQ(search.hypotheses.size(), 6u);
    std::set<std::pair<Tokens, bool>> different;
    for (size_t i = 0; i < search.hypotheses.size(); ++i) {
      const Hypothesis& h = search.hypotheses[i];
      different.insert({h.tokens, h.cut});
      EXPECT_LE(h.score, search.hypotheses[i > 0 ? i - 1 : 0].score);
      EXPECT_EQ(search.tree[static_cast<size_t>(h.node)].word == kEos, !h.cut);
      const bool special = std::any_of(h.tokens.begin(), h.tokens.end(),
                                       [](const std::string& w) { return w.front() == '<'; });
      if (h.cut || special) continue;  // a special word is not what its text is read as
      const std::vector<Tokens> source{kSource}, target{h.tokens};
      EXPECT_NEAR(decode_forced(t, source, target)[0].log_probability, h.log_probability, 1e-5);
    }
    EXPECT_EQ(different.size(), 6u);
    for (size_t i = 0; i < search.tree.size(); ++i) {
      const BeamNode& n = search.tree[i];
      EXPECT_LT(n.parent, static_cast<int>(i));
      if (n.parent < 0) continue;
      const BeamNode& before = search.tree[static_cast<size_t>(n.parent)];
      EXPECT_NE(before.word, kEos) << "nothing follows the end";
      EXPECT_LE(n.log_probability, before.log_probability);
    }
  }
}

TEST(BeamSearch, NothingAndNonsense) {
  const Translator t = small_translator(false);
  EXPECT_TRUE(beam_search(t, {}).hypotheses.empty());
  EXPECT_THROW((void)beam_search(t, kSource, {.width = 0}), std::invalid_argument);
  EXPECT_THROW((void)beam_search(t, kSource, {.width = 2, .length_penalty = -1}),
               std::invalid_argument);
  EXPECT_THROW((void)beam_search(t, kSource, {.width = 2, .length_penalty = NAN}),
               std::invalid_argument);
}

}  // namespace
}  // namespace heed::translate
