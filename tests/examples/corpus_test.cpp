// Micro en-fr as a whole: splits, balance, links, that French is a function of English, foils.
#include "examples/translate/corpus/corpus.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <unordered_map>

#include "core/rng.h"
#include "examples/translate/corpus/french.h"
#include "examples/translate/corpus/grammar.h"
#include "examples/translate/corpus/sampler.h"

namespace heed::translate {
namespace {

std::string joined(const std::vector<std::string>& tokens) {
  return fmt::format("{}", fmt::join(tokens, " "));
}

const Dataset& corpus() {
  static const Dataset data = make_micro({});
  return data;
}

const std::vector<Example>& extra(std::string_view name) {
  for (const auto& [key, pairs] : corpus().extra) {
    if (key == name) return pairs;
  }
  throw std::invalid_argument("no such split");
}

std::string bytes(const Dataset& d) {
  std::ostringstream out;
  for (const auto* split : {&d.train, &d.dev, &d.test}) write_tsv(out, *split, d.header);
  for (const auto& [name, pairs] : d.extra) write_tsv(out, pairs, name);
  write_tsv(out, d.contrast, d.header);
  return out.str();
}

TEST(MicroCorpus, HasTheSizesAskedFor) {
  EXPECT_EQ(corpus().train.size(), 20000u);
  EXPECT_EQ(corpus().dev.size(), 1000u);
  EXPECT_EQ(corpus().test.size(), 1000u);
  EXPECT_EQ(extra("combo").size(), 1000u);
  EXPECT_EQ(extra("length").size(), 500u);
  EXPECT_EQ(extra("align").size(), 1000u);
  EXPECT_EQ(corpus().contrast.size(), 500u);
  EXPECT_EQ(corpus().header, "micro en-fr, version 1, seed 1");
}

TEST(MicroCorpus, EveryPhenomenonIsInThreeHundredTestSentences) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    std::map<std::string, int> count;
    const Dataset d =
        make_micro({.train = 1, .combo = 0, .length = 0, .contrast = 0, .seed = seed});
    for (const Example& e : d.test) {
      for (const std::string& tag : e.tags) ++count[tag];
    }
    EXPECT_EQ(count.size(), 19u);
    for (const auto& [tag, n] : count) EXPECT_GE(n, 300) << tag << ", seed " << seed;
  }
}

TEST(MicroCorpus, SameSeedSameBytesOtherSeedOtherBytes) {
  const MicroOptions small{
      .train = 300, .dev = 50, .test = 50, .combo = 20, .length = 20, .contrast = 20, .seed = 7};
  MicroOptions other = small;
  other.seed = 8;
  EXPECT_EQ(bytes(make_micro(small)), bytes(make_micro(small)));
  EXPECT_NE(bytes(make_micro(small)), bytes(make_micro(other)));
}

TEST(MicroCorpus, NoSentenceComesTwice) {
  std::set<std::string> seen;
  size_t count = 0;
  const auto see = [&](const std::vector<std::string>& src) {
    seen.insert(joined(src));
    ++count;
  };
  for (const auto* split :
       {&corpus().train, &corpus().dev, &corpus().test, &extra("combo"), &extra("length")}) {
    for (const Example& e : *split) see(e.src);
  }
  for (const ContrastPair& p : corpus().contrast) see(p.src);
  EXPECT_EQ(seen.size(), count);
}

TEST(MicroCorpus, TheEnglishSideDecidesTheSplitWhateverTheSeed) {
  for (const Example& e : corpus().train) ASSERT_EQ(split_of(e.src), "train");
  for (const Example& e : corpus().dev) ASSERT_EQ(split_of(e.src), "dev");
  for (const Example& e : corpus().test) ASSERT_EQ(split_of(e.src), "test");
  for (const ContrastPair& p : corpus().contrast) ASSERT_EQ(split_of(p.src), "test");
}

TEST(MicroCorpus, LengthsStayInTheirBounds) {
  for (const auto* split : {&corpus().train, &corpus().dev, &corpus().test, &extra("combo")}) {
    for (const Example& e : *split) {
      ASSERT_GE(std::min(e.src.size(), e.tgt.size()), 3u) << joined(e.src);
      ASSERT_LE(std::max(e.src.size(), e.tgt.size()), 25u) << joined(e.src);
    }
  }
  for (const Example& e : extra("length")) {
    ASSERT_GE(std::min(e.src.size(), e.tgt.size()), 26u) << joined(e.src);
    ASSERT_LE(std::max(e.src.size(), e.tgt.size()), 40u) << joined(e.src);
  }
}

/// 200,000 sentences share their English side often enough (short ones) to show a second French.
TEST(MicroCorpus, FrenchIsAFunctionOfEnglish) {
  Rng rng(5);
  std::unordered_map<std::string, std::string> french;
  int repeated = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Example e = realise(sample_sentence(rng)).example;
    const auto [at, is_new] = french.emplace(joined(e.src), joined(e.tgt));
    repeated += !is_new;
    ASSERT_EQ(at->second, joined(e.tgt)) << joined(e.src);
  }
  EXPECT_GT(repeated, 1000);
}

/// If n sentences are drawn evenly from N, about n^2 / 2N of them meet. Drawing is uneven, so the
/// rate bounds their number from below. Only sentences of 12 words and more are looked at.
TEST(MicroCorpus, HoldsMoreThanABillionSentences) {
  Rng rng(6);
  std::set<std::string> seen;
  int count = 0, met = 0;
  while (count < 20'000) {
    const Example e = realise(sample_sentence(rng)).example;
    if (e.src.size() < 12 || e.src.size() > 25) continue;
    ++count;
    met += !seen.insert(joined(e.src)).second;
  }
  EXPECT_LE(met, 1);  // 20,000^2 / 2e9 = 0.2 expected for a billion drawn evenly
}

void expect_sound_links(const Example& e) {
  std::vector<int> sure(e.tgt.size()), any(e.tgt.size());
  std::set<Link> both;
  for (const auto* links : {&e.sure, &e.possible}) {
    for (const Link& l : *links) {
      ASSERT_TRUE(l.src >= 0 && l.src < std::ssize(e.src) && l.tgt >= 0 &&
                  l.tgt < std::ssize(e.tgt));
      ASSERT_TRUE(both.insert(l).second) << "a link twice in " << joined(e.src);
      ++any[size_t(l.tgt)];
      sure[size_t(l.tgt)] += links == &e.sure;
    }
  }
  // One link per target token reaches AER 0: each has a link, and at most one sure one.
  for (size_t t = 0; t < e.tgt.size(); ++t) {
    ASSERT_GE(any[t], 1) << joined(e.tgt) << ": no link at " << t;
    ASSERT_LE(sure[t], 1) << joined(e.tgt) << ": two sure links at " << t;
  }
  ASSERT_EQ(e.tags.size(), e.tag_tokens.size());
  for (const std::vector<int>& owned : e.tag_tokens) {
    ASSERT_FALSE(owned.empty());
    ASSERT_TRUE(std::ranges::is_sorted(owned));
    ASSERT_TRUE(owned.front() >= 0 && owned.back() < std::ssize(e.tgt));
  }
}

TEST(MicroCorpus, LinksAreSoundAndTheOneLinkFloorIsZero) {
  for (const auto* split : {&corpus().train, &corpus().test, &extra("combo"), &extra("length")}) {
    for (const Example& e : *split) ASSERT_NO_FATAL_FAILURE(expect_sound_links(e));
  }
}

TEST(MicroCorpus, TheDiagonalIsABadAlignment) {
  int right = 0, all = 0;
  for (const Example& e : corpus().test) {
    if (std::ranges::find(e.tags, "MONO") != e.tags.end()) continue;
    for (const Link& l : e.sure) right += l.src == l.tgt;
    all += static_cast<int>(e.sure.size());
  }
  EXPECT_LT(right, all / 2);
}

TEST(MicroCorpus, SpellingAndElisionHoldEverywhere) {
  for (const Example& e : corpus().train) {
    for (const auto* side : {&e.src, &e.tgt}) {
      for (const std::string& token : *side) {
        ASSERT_FALSE(token.empty());
        ASSERT_TRUE(std::ranges::none_of(token, [](char c) { return c >= 'A' && c <= 'Z'; }));
      }
    }
    for (size_t t = 0; t + 1 < e.tgt.size(); ++t) {
      const bool vowel = vowel_sound(e.tgt[t + 1]);
      ASSERT_EQ(e.tgt[t].ends_with('\''), vowel && e.tgt[t].ends_with('\'')) << joined(e.tgt);
      ASSERT_FALSE(vowel && !elided(e.tgt[t]).empty()) << joined(e.tgt);
      ASSERT_TRUE(contract(e.tgt[t], e.tgt[t + 1]).empty()) << joined(e.tgt);
    }
  }
}

TEST(MicroCorpus, VocabularyIsSmallAndItsWordsFrequent) {
  std::map<std::string, int> en, fr;
  for (const Example& e : corpus().train) {
    for (const std::string& w : e.src) ++en[w];
    for (const std::string& w : e.tgt) ++fr[w];
  }
  EXPECT_LT(en.size(), 700u);
  EXPECT_LT(fr.size(), 1000u);
  int unlucky = 0;  // test sentences with a word seen fewer than 8 times: they bound exact match
  for (const Example& e : corpus().test) {
    unlucky += std::ranges::any_of(e.src, [&](const auto& w) { return en[w] < 8; }) ||
               std::ranges::any_of(e.tgt, [&](const auto& w) { return fr[w] < 8; });
  }
  EXPECT_LE(unlucky, 10);
  for (const char* word : {"l'", "j'", "qu'", "œuf", "sœur", "garçon", "où", "hôpital"}) {
    EXPECT_GT(fr[word], 0) << word;
  }
}

TEST(MicroCorpus, ComboHoldsKnownWordsInNewPairs) {
  std::set<std::string> words;
  for (const Example& e : corpus().train) words.insert(e.tgt.begin(), e.tgt.end());
  int unknown = 0;
  for (const Example& e : extra("combo")) {
    unknown += std::ranges::any_of(e.tgt, [&](const auto& w) { return !words.contains(w); });
  }
  EXPECT_LE(unknown, 5);
}

TEST(MicroCorpus, HeldOutPairsAreOnlyInCombo) {
  std::set<std::string> held_out;  // "red car", of all adjectives and nouns
  int pairs = 0;
  for (size_t n = 0; n < nouns().size(); ++n) {
    for (size_t a = 0; a < adjectives().size(); ++a, ++pairs) {
      Clause c;
      c.verb = find_verb("see");
      c.direct.resize(1);
      c.direct[0].noun = static_cast<int>(n);
      c.direct[0].adjectives = {static_cast<int>(a)};
      if (realise({{c}}).held_out) {
        held_out.insert(fmt::format("{} {}", adjectives()[a].en, nouns()[n].en));
      }
    }
  }
  EXPECT_NEAR(static_cast<double>(held_out.size()) / pairs, 0.05, 0.01);
  const auto count = [&](const std::vector<Example>& pairs_of) {
    return std::ranges::count_if(pairs_of, [&](const Example& e) {
      for (size_t i = 0; i + 1 < e.src.size(); ++i) {
        const bool compound =
            i + 2 < e.src.size() && e.src[i + 2].starts_with("tree");  // "old apple trees"
        if (!compound && held_out.contains(e.src[i] + " " + e.src[i + 1])) return true;
      }
      return false;
    });
  };
  EXPECT_EQ(count(corpus().train) + count(corpus().test) + count(extra("length")), 0);
  EXPECT_GT(count(extra("combo")), 200);
}

TEST(MicroCorpus, FoilsDifferInOneWordAndComeInFourKinds) {
  std::map<std::string, int> kinds;
  for (const ContrastPair& p : corpus().contrast) {
    ++kinds[p.flipped];
    ASSERT_EQ(p.reference.size(), p.foil.size());
    int different = 0;
    for (size_t t = 0; t < p.foil.size(); ++t) different += p.foil[t] != p.reference[t];
    EXPECT_EQ(different, 1) << joined(p.foil);
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{
                       {"gender", 125}, {"negation", 125}, {"number", 125}, {"person", 125}}));
}

}  // namespace
}  // namespace heed::translate
