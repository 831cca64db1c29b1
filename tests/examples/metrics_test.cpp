// BLEU, chrF, exact match, accuracy by tag and length, alignment error rate. Figures marked (ref)
// come from a separate program written from the formulas of sacrebleu 2; the others are counted by
// hand beside the case.
#include "examples/translate/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "examples/translate/alignment.h"
#include "examples/translate/text.h"

namespace heed::translate {
namespace {

using Strings = std::vector<std::string>;

Strings words(std::string_view line) {
  return tokenise(line, Tokeniser::whitespace);
}

Example pair(std::string_view src, std::string_view tgt) {
  return {.src = words(src), .tgt = words(tgt)};
}

TEST(Bleu, CountsClippedNgramsAndSmooths) {
  // 4 of 6, 2 of 5, 1 of 4, and for the 4-grams half a match of 3; BP = exp(1 - 8/6).
  const Bleu b = corpus_bleu(Strings{"am I am a character sequence"},
                             Strings{"I am a symbol string sequence a a"});
  EXPECT_EQ(b.correct, (std::array<int64_t, 4>{4, 2, 1, 0}));
  EXPECT_EQ(b.total, (std::array<int64_t, 4>{6, 5, 4, 3}));
  EXPECT_NEAR(b.brevity_penalty, std::exp(1 - 8.0 / 6.0), 1e-12);
  EXPECT_NEAR(b.score, 23.2634726977, 1e-9);  // (ref)
  EXPECT_EQ(b.text(),
            "23.26 66.7/40.0/25.0/16.7 (BP = 0.717 ratio = 0.750 hyp_len = 6 ref_len = 8)");
}

TEST(Bleu, ARepeatedWordMatchesAsOftenAsTheReferenceHasIt) {
  const Bleu b =
      corpus_bleu(Strings{"the the the the the the the"}, Strings{"the cat is on the mat"});
  EXPECT_EQ(b.correct, (std::array<int64_t, 4>{2, 0, 0, 0}));  // Papineni et al., section 2.1
  // Each order without a match halves again: 1/2, 1/4, 1/8.
  EXPECT_NEAR(b.score, 100 * std::pow(2.0 / 7 * (0.5 / 6) * (0.25 / 5) * (0.125 / 4), 0.25), 1e-9);
}

TEST(Bleu, SumsCountsOverTheCorpusWithEmptyHypotheses) {
  const Bleu b = corpus_bleu(Strings{"the cat", "", "he eats a red apple today ."},
                             Strings{"the cat sleeps", "a dog", "he eats the red apple today ."});
  EXPECT_EQ(b.hyp_length, 9);
  EXPECT_EQ(b.ref_length, 12);
  EXPECT_NEAR(b.score, 35.9678959471, 1e-9);  // (ref)
}

TEST(Bleu, IsAHundredForTheReferenceAndZeroWhereItIsUndefined) {
  EXPECT_DOUBLE_EQ(corpus_bleu(Strings{"a b c d"}, Strings{"a b c d"}).score, 100);
  EXPECT_EQ(corpus_bleu(Strings{"a b", "c d"}, Strings{"a b", "c d"}).score, 0);  // no 4-grams
  EXPECT_EQ(corpus_bleu(Strings{"x y z w"}, Strings{"a b c d"}).score, 0);
  EXPECT_EQ(corpus_bleu(Strings{""}, Strings{"a"}).score, 0);
  EXPECT_EQ(corpus_bleu({}, {}).score, 0);
}

TEST(Bleu, CutsAtWhiteSpaceOfAnyKind) {
  const Strings hyp{"10\u00A0000 francs !", "l' homme"}, ref{"10 000 francs\u202F!", "l' hommes"};
  EXPECT_NEAR(corpus_bleu(hyp, ref).score, 88.9139705019, 1e-9);  // (ref)
}

TEST(Bleu, AnUnknownWordMatchesNothing) {
  EXPECT_EQ(corpus_bleu(Strings{"a b c <unk>"}, Strings{"a b c <unk>"}).correct,
            (std::array<int64_t, 4>{3, 2, 1, 0}));
}

TEST(Chrf, AveragesOverTheOrdersBothSidesHave) {
  EXPECT_DOUBLE_EQ(corpus_chrf(Strings{"a b c"}, Strings{"abc"}), 100);
  EXPECT_DOUBLE_EQ(corpus_chrf(Strings{"a", "b"}, Strings{"a", "c"}), 50);
  EXPECT_DOUBLE_EQ(corpus_chrf(Strings{"aa"}, Strings{"ab"}), 25);  // 1 of 2 and 0 of 1
  EXPECT_EQ(corpus_chrf(Strings{""}, Strings{"reference"}), 0);
  EXPECT_EQ(corpus_chrf({}, {}), 0);
}

TEST(Chrf, WeighsRecallTwiceAndReadsCodePoints) {
  // Unigrams 1 of 1 and 1 of 2; the hypothesis has no bigram: F = 5 * 1 * 0.5 / (4 * 1 + 0.5).
  EXPECT_NEAR(corpus_chrf(Strings{"é"}, Strings{"éa"}), 100 * 2.5 / 4.5, 1e-12);
  EXPECT_NEAR(
      corpus_chrf(Strings{"Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo "
                          "zemře."},
                  Strings{"Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a "
                          "kdo zemře."}),
      39.1408169032, 1e-9);  // (ref)
  EXPECT_NEAR(corpus_chrf(Strings{"the cat", "", "he eats a red apple today ."},
                          Strings{"the cat sleeps", "a dog", "he eats the red apple today ."}),
              61.0027594749, 1e-9);  // (ref)
}

TEST(Chrf, ALineWhoseReferenceLacksAnOrderDoesNotCountInIt) {
  // Bigrams of the first line are left out: orders 1 (3 of 4, 3 of 3) and 2 (1 of 1, 1 of 1).
  const double p = (3.0 / 4 + 1) / 2, r = 1;
  EXPECT_NEAR(corpus_chrf(Strings{"ax", "bc"}, Strings{"a", "bc"}), 500 * p * r / (4 * p + r),
              1e-12);
}

TEST(Metrics, DifferentCountsAreRefused) {
  EXPECT_THROW((void)corpus_bleu(Strings{"a"}, {}), std::invalid_argument);
  EXPECT_THROW((void)corpus_chrf(Strings{"a"}, {}), std::invalid_argument);
  EXPECT_THROW((void)exact_matches(std::vector<Tokens>{{"a"}}, {}), std::invalid_argument);
}

TEST(ExactMatch, CountsSentencesAndTokens) {
  const std::vector<Tokens> hyp{words("le chat"), words("un chien dort"), words("<unk>"), {}};
  const std::vector<Example> ref{pair("the cat", "le chat"), pair("a dog", "un chien"),
                                 pair("x", "<unk>"), pair("y", "y")};
  EXPECT_EQ(exact_matches(hyp, ref).right, 1);
  EXPECT_DOUBLE_EQ(exact_matches(hyp, ref).share(), 0.25);
  const Rate tokens = token_matches(hyp, ref);
  EXPECT_EQ(tokens.right, 4);  // le chat, un chien
  EXPECT_EQ(tokens.total, 7);  // 2 + 3 (one too many) + 1 + 1 (missing)
}

TEST(AccuracyByTag, AsksForTheTokensOfTheTagWhereverTheyStand) {
  Example e = pair("i do not see the car", "je ne vois pas la voiture");
  e.tags = {"NEG", "AGR", "MONO"};
  e.tag_tokens = {{1, 3}, {4}, {}};
  const std::vector<Example> ref(4, e);
  const std::vector<Tokens> hyp{
      words("je ne vois pas la voiture"),         // all right
      words("oui je ne vois pas la voiture"),     // a word too many: the tags are right
      words("je ne vois plus la voiture"),        // the negation is wrong
      words("je ne vois pas le voiture rouge")};  // the agreement is wrong
  const std::vector<Rate> rates = accuracy_by_tag(hyp, ref);
  ASSERT_EQ(rates.size(), 3U);
  EXPECT_EQ(rates[0].name, "AGR");
  EXPECT_EQ(rates[0].right, 3);
  EXPECT_EQ(rates[1].name, "MONO");
  EXPECT_EQ(rates[1].right, 1);  // owns no token: the whole sentence
  EXPECT_EQ(rates[2].name, "NEG");
  EXPECT_EQ(rates[2].right, 3);
  EXPECT_EQ(rates[2].total, 4);
}

TEST(AccuracyByLength, SortsIntoTheBuckets) {
  std::vector<Example> ref;
  std::vector<Tokens> hyp;
  for (const size_t length : {3UL, 7UL, 8UL, 12UL, 13UL, 18UL, 19UL, 25UL, 26UL, 40UL}) {
    ref.push_back({.src = Tokens(length, "x"), .tgt = {"y"}});
    hyp.push_back({length % 2 ? "y" : "z"});
  }
  const std::vector<Rate> rates = accuracy_by_length(hyp, ref);
  ASSERT_EQ(rates.size(), 5U);
  const std::tuple<std::string, int64_t> expected[] = {
      {"3-7", 2}, {"8-12", 0}, {"13-18", 1}, {"19-25", 2}, {"26+", 0}};
  for (size_t i = 0; i < rates.size(); ++i) {
    EXPECT_EQ(std::tuple(rates[i].name, rates[i].right), expected[i]);
    EXPECT_EQ(rates[i].total, 2);
  }
}

// Two sentences: S = {0-0, 1-2, 2-1} and {0-0}, P has 1-1 and 1-0 besides.
std::vector<Example> gold() {
  Example a = pair("a b c", "x y z"), b = pair("d e", "w");
  a.sure = {{0, 0}, {1, 2}, {2, 1}};
  a.possible = {{1, 1}};
  b.sure = {{0, 0}};
  b.possible = {{1, 0}, {0, 0}};
  return {a, b};
}

TEST(Alignment, ErrorRateCountsSureAndPossibleLinks) {
  // A: 0-0 sure, 1-1 possible, 0-2 wrong; then 1-0 possible, given twice.
  const std::vector<Links> predicted{{{0, 0}, {1, 1}, {0, 2}}, {{1, 0}, {1, 0}}};
  const AlignmentScore s = score_alignment(predicted, gold());
  EXPECT_EQ(s.links, 4);
  EXPECT_EQ(s.sure, 4);
  EXPECT_EQ(s.in_sure, 1);
  EXPECT_EQ(s.in_possible, 3);
  EXPECT_DOUBLE_EQ(s.precision(), 3.0 / 4.0);
  EXPECT_DOUBLE_EQ(s.recall(), 1.0 / 4.0);
  EXPECT_DOUBLE_EQ(s.aer(), 1 - (1.0 + 3.0) / (4.0 + 4.0));
}

TEST(Alignment, SureLinksHaveNoErrorAndNothingIsNotWrong) {
  std::vector<Links> sure;
  for (const Example& e : gold()) sure.push_back(e.sure);
  EXPECT_EQ(score_alignment(sure, gold()).aer(), 0);
  const AlignmentScore none = score_alignment(std::vector<Links>(2), gold());
  EXPECT_EQ(none.aer(), 1);
  EXPECT_EQ(none.precision(), 1);
  EXPECT_EQ(score_alignment({}, {}).aer(), 0);
  EXPECT_THROW((void)score_alignment({}, gold()), std::invalid_argument);
}

TEST(Alignment, OneLinkPerTokenHasAFloor) {
  // Every target token of gold() has a sure link; without 2-1, token 1 falls back on possible 1-1.
  std::vector<Example> data = gold();
  EXPECT_EQ(score_alignment(oracle_links(data), data).aer(), 0);
  data[0].sure.pop_back();
  const AlignmentScore s = score_alignment(oracle_links(data), data);
  EXPECT_EQ(s.links, 4);
  EXPECT_DOUBLE_EQ(s.aer(), 1 - (3.0 + 4.0) / (4.0 + 3.0));
  data[0].possible.clear();  // now token 1 must be linked wrongly
  EXPECT_DOUBLE_EQ(score_alignment(oracle_links(data), data).aer(), 1 - (3.0 + 3.0) / (4.0 + 3.0));
}

TEST(Alignment, AttentionLinksTheStrongestRealToken) {
  // Columns: two tokens, </s>, padding. Rows: two tokens, then the step of </s>.
  const std::vector<double> weights{0.1, 0.2, 0.7, 0.0,  //
                                    0.4, 0.3, 0.1, 0.2,  //
                                    0.0, 0.0, 1.0, 0.0};
  EXPECT_EQ(links_from_attention(weights, 4, 2, 2), (Links{{1, 0}, {0, 1}}));
  // One step later: token 0 reads row 1, token 1 reads a row with nothing on a real token.
  EXPECT_EQ(links_from_attention(weights, 4, 2, 2, 1), (Links{{0, 0}}));
  EXPECT_EQ(links_from_attention(std::vector<double>{0.5, 0.5}, 2, 2, 1), (Links{{0, 0}}));
  EXPECT_THROW((void)links_from_attention(weights, 4, 5, 2), std::invalid_argument);
  EXPECT_THROW((void)links_from_attention(weights, 4, 2, 4), std::invalid_argument);
}

TEST(Alignment, MassOnGoldIsRenormalisedOverRealTokens) {
  Example e = pair("a b", "x y z");
  e.sure = {{0, 0}};
  e.possible = {{1, 0}, {1, 1}};
  const std::vector<double> weights{0.3, 0.3, 0.4,  // both tokens are gold: 1
                                    0.1, 0.4, 0.5,  // 0.4 of 0.5
                                    1.0, 0.0, 0.0,  // no gold link: not counted
                                    0.0, 0.0, 1.0};
  AttentionMass mass;
  add_attention_mass(mass, weights, 3, e);
  EXPECT_EQ(mass.tokens, 2);
  EXPECT_DOUBLE_EQ(mass.mean(), (1.0 + 0.8) / 2);
}

TEST(Alignment, TheDiagonalScalesWithTheLengths) {
  const std::vector<Example> data{pair("a b c d", "x y"), pair("a", "x y z"),
                                  pair("a b c", "x y z")};
  const std::vector<Links> links = diagonal_links(data);
  EXPECT_EQ(links[0], (Links{{1, 0}, {3, 1}}));
  EXPECT_EQ(links[1], (Links{{0, 0}, {0, 1}, {0, 2}}));
  EXPECT_EQ(links[2], (Links{{0, 0}, {1, 1}, {2, 2}}));
}

TEST(Alignment, Model1FindsTheWordsThatGoTogether) {
  const std::vector<Example> train{pair("the house", "das haus"), pair("the book", "das buch"),
                                   pair("a book", "ein buch")};
  const std::vector<Example> test{pair("a house", "haus ein")};
  const std::vector<Links> links = ibm1_links(train, test, 20);
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0], (Links{{1, 0}, {0, 1}}));
  EXPECT_EQ(ibm1_links(train, train, 20)[1], (Links{{0, 0}, {1, 1}}));
}

}  // namespace
}  // namespace heed::translate
