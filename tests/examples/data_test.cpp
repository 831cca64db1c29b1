// Readers, splits, vocabularies, batches.
#include "examples/translate/data.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"
#include "examples/translate/batches.h"
#include "examples/translate/vocabulary.h"

namespace heed::translate {
namespace {

using Strings = std::vector<std::string>;
using Ids = std::vector<int64_t>;

template <class Error>
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

class DataFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "heed_data_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string file(const std::string& name, std::string_view content) const {
    write_file(folder_ + "/" + name, content);
    return folder_ + "/" + name;
  }
  // What reading this TSV text says, without the folder.
  [[nodiscard]] std::string tsv_error(std::string_view content, DataOptions options = {}) const {
    const std::string path = file("x.tsv", content);
    std::string text = error_of<FileError>([&] { (void)read_tsv(path, options); });
    if (text.starts_with(folder_)) text.erase(0, folder_.size() + 1);
    return text;
  }

  std::string folder_;
};

TEST_F(DataFiles, TatoebaLinesWorkAsTheyAre) {
  const Data data = read_tsv(file("a.tsv",
                                  "\xEF\xBB\xBFGo.\tVa !\tCC-BY 2.0 (France) #1 & #2\r\n"
                                  "Hi.\t嗨。\n"),
                             {});
  ASSERT_EQ(data.examples.size(), 2U);
  EXPECT_EQ(data.examples[0].src, Strings{"Go."});
  EXPECT_EQ(data.examples[0].tgt, (Strings{"Va", "!"}));
  EXPECT_EQ(data.examples[1].tgt, Strings{"嗨。"});
  EXPECT_TRUE(data.examples[0].sure.empty());
  EXPECT_EQ(data.report.text(), "read 2, kept 2");
}

TEST_F(DataFiles, SeparatorsOfUnicodeStayInsideALine) {
  const Data data = read_tsv(file("a.tsv", "a\u2028b\tc\u0085d\n"), {});
  EXPECT_EQ(data.examples[0].src, Strings{"a\u2028b"});
  EXPECT_EQ(data.examples[0].tgt, Strings{"c\u0085d"});
}

Example annotated() {
  return {.src = {"i", "do", "not", "eat"},
          .tgt = {"je", "ne", "mange", "pas"},
          .sure = {{0, 0}, {2, 1}, {3, 2}, {2, 3}},
          .possible = {{1, 2}},
          .tags = {"NEG", "MONO"},
          .tag_tokens = {{1, 3}, {}}};
}

TEST_F(DataFiles, TheCorpusReadsBackWithItsLinksAndTags) {
  const std::string line = format_tsv(annotated());
  EXPECT_EQ(line, "i do not eat\tje ne mange pas\t0-0 2-1 3-2 2-3\t1?2\tNEG:1.3,MONO");
  const Data data = read_tsv(file("a.tsv", "# micro\n" + line + "\n"), {});
  const Example& e = data.examples.at(0);
  EXPECT_EQ(e.sure, annotated().sure);
  EXPECT_EQ(e.possible, annotated().possible);
  EXPECT_EQ(e.tags, annotated().tags);
  EXPECT_EQ(e.tag_tokens, annotated().tag_tokens);
}

TEST_F(DataFiles, SwappingTurnsTheLinksAndCharactersDropThem) {
  const std::string path = file("a.tsv", "# micro\n" + format_tsv(annotated()) + "\n");
  const Example swapped = read_tsv(path, {.swap = true}).examples.at(0);
  EXPECT_EQ(swapped.src, annotated().tgt);
  EXPECT_EQ(swapped.tgt, annotated().src);
  EXPECT_EQ(swapped.possible, (std::vector<Link>{{2, 1}}));
  const Example mixed =
      read_tsv(path, {.src_tokeniser = Tokeniser::chars, .swap = true}).examples.at(0);
  EXPECT_EQ(mixed.src.size(), 15U);  // "je ne mange pas": the source is the second column
  EXPECT_EQ(mixed.tgt.size(), 4U);
  EXPECT_TRUE(mixed.sure.empty());
}

TEST_F(DataFiles, AHashInsideTheDataIsText) {
  EXPECT_EQ(read_tsv(file("a.tsv", "a\tb\n#c\td\n"), {}).examples.at(1).src, Strings{"#c"});
}

TEST_F(DataFiles, DroppedPairsAreCountedWithTheFirstLine) {
  const Data data =
      read_tsv(file("a.tsv", "a\tb\n\n\tx\nx\t \n1 2 3 4\tx\nx\t1 2 3 4\n1 2 3\t1\n a\tb c \n"),
               {.max_length = 3, .max_ratio = 2});
  EXPECT_EQ(data.report.text(),
            "read 8, kept 2, dropped 6 (1 blank line, first at line 2; 1 empty source, first at "
            "line 3; 1 empty target, first at line 4; 2 longer than 3 tokens, first at line 5; 1 "
            "one side over 2 times the other, first at line 7)");
  EXPECT_EQ(data.report.read - data.report.kept, 6);
  EXPECT_EQ(read_tsv(file("b.tsv", "a\tb\na b\tc d\n"), {.min_length = 2}).report.text(),
            "read 2, kept 1, dropped 1 (1 shorter than 2 tokens, first at line 1)");
}

TEST_F(DataFiles, LowerCasingIsReported) {
  const Data data = read_tsv(file("a.tsv", "Le Chat\tÉTÉ\n\tAAAA\n"), {.lowercase = true});
  EXPECT_EQ(data.examples[0].src, (Strings{"le", "chat"}));
  EXPECT_EQ(data.examples[0].tgt, Strings{"été"});
  EXPECT_EQ(data.report.lowercased, 5);  // the dropped pair does not count
}

TEST_F(DataFiles, BadTsvIsNamedWithLineAndColumn) {
  const auto begins = [this](std::string_view content, std::string_view expected) {
    const std::string error = tsv_error(content);
    EXPECT_TRUE(error.starts_with(expected)) << error;
  };
  begins("a\tb\né \xC3(\tb\n", "x.tsv:2:3: not UTF-8: byte 0xC3 begins a sequence");
  begins("a\tb\nété b\n",
         "x.tsv:2:6: expected source TAB target, got a line without a tab: \"été b\"");
  begins("# c\né b\tc\t0-0 1-1\n",
         "x.tsv:2:11: expected links like \"0-0 1-2\" or \"0?0 1?2\" between 2 source and 1 "
         "target tokens, got \"1-1\"");
  begins("# c\na\tb\t\t\tMONO,NEG:0.1\n",
         "x.tsv:2:12: expected tags like \"NEG:1.3,MONO\" with positions below 1 target tokens, "
         "got \"NEG:0.1\"");
  for (const std::string links : {"0", "-", "0-", "0-0-0", "a-b", "0--1", "99999999999-0", "CC-BY"})
    EXPECT_NE(tsv_error("# c\na\tb\t" + links + "\n").find("got \"" + links + "\""),
              std::string::npos)
        << links;
}

TEST_F(DataFiles, NothingLeftSaysWhatToDo) {
  EXPECT_EQ(tsv_error("a\t\n"),
            "x.tsv: no sentence pair is left: read 1, kept 0, dropped 1 (1 empty target, first at "
            "line 1); check that the file is the right one and the limits of length (1 to 80 "
            "tokens) fit it");
  EXPECT_NE(tsv_error(""), "no error");
  EXPECT_NE(tsv_error("# only a comment\n"), "no error");
}

TEST_F(DataFiles, ImpossibleLimitsAreRefused) {
  const std::string path = file("a.tsv", "a\tb\n");
  for (const DataOptions& options :
       {DataOptions{.min_length = 0}, DataOptions{.min_length = 3, .max_length = 2},
        DataOptions{.max_ratio = 0.5}})
    EXPECT_THROW((void)read_tsv(path, options), std::invalid_argument);
}

TEST_F(DataFiles, ParallelFilesPairTheirLines) {
  const std::string src = file("a.en", "a b\r\nc\n"), tgt = file("a.fr", "x\ny z");
  const Data data = read_parallel(src, tgt, {});
  ASSERT_EQ(data.examples.size(), 2U);
  EXPECT_EQ(data.examples[0].src, (Strings{"a", "b"}));
  EXPECT_EQ(data.examples[1].tgt, (Strings{"y", "z"}));
  EXPECT_EQ(read_parallel(src, tgt, {.swap = true}).examples[0].src, Strings{"x"});
}

TEST_F(DataFiles, UnequalLineCountsNameBothFilesAndCounts) {
  const std::string src = file("a.en", "a\nb\n"), tgt = file("a.fr", "x\n");
  EXPECT_EQ(error_of<FileError>([&] { (void)read_parallel(src, tgt, {}); }),
            src + ": has 2 lines and " + tgt +
                " has 1; line i of one must translate line i of the other, so both need the same "
                "number of lines");
}

std::vector<Example> many(int sources, int targets_each) {
  std::vector<Example> examples;
  for (int t = 0; t < targets_each; ++t)
    for (int s = 0; s < sources; ++s)
      examples.push_back({.src = {"s" + std::to_string(s)}, .tgt = {std::to_string(t)}});
  return examples;
}

std::set<std::string> sources_of(const std::vector<Example>& examples) {
  std::set<std::string> sources;
  for (const Example& e : examples) sources.insert(e.src[0]);
  return sources;
}

TEST(Split, KeepsEverySourceInOneSplit) {
  const Splits s = split_by_source(many(300, 2), 1);
  EXPECT_EQ(s.valid.size(), 30U);  // 5 % of 600
  EXPECT_EQ(s.test.size(), 30U);
  EXPECT_EQ(s.train.size(), 540U);
  std::set<std::string> all = sources_of(s.train);
  for (const auto* part : {&s.valid, &s.test})
    for (const std::string& source : sources_of(*part)) EXPECT_TRUE(all.insert(source).second);
  EXPECT_EQ(all.size(), 300U);
}

TEST(Split, IsBoundedSeededAndSound) {
  EXPECT_EQ(split_by_source(many(1000, 1), 1, 7).valid.size(), 7U);
  EXPECT_EQ(split_by_source(many(30, 2), 1).valid.size(), 2U);  // 3 asked for, pairs of 2
  const auto valid = [](uint64_t seed) {
    return sources_of(split_by_source(many(300, 1), seed).valid);
  };
  EXPECT_EQ(valid(1), valid(1));
  EXPECT_NE(valid(1), valid(2));
  const Splits tiny = split_by_source(many(3, 5), 1);  // large groups still give three parts
  EXPECT_EQ(tiny.train.size(), 5U);
  EXPECT_EQ(tiny.valid.size(), 5U);
  EXPECT_EQ(tiny.test.size(), 5U);
  EXPECT_NE(error_of<std::invalid_argument>([] { split_by_source(many(2, 9), 1); }), "no error");
}

TokenCounts counts_of(const Strings& tokens) {
  TokenCounts counts;
  count_tokens(counts, tokens);
  return counts;
}

TEST(VocabularyOrder, IsSpecialTokensThenCountThenBytes) {
  const Vocabulary v(counts_of({"b", "é", "a", "z", "z", "Z"}), {});
  EXPECT_EQ(v.text(), "<pad>\n<unk>\n<bos>\n<eos>\nz\nZ\na\nb\né\n");
  EXPECT_EQ(v.size(), 9);
  EXPECT_EQ(v.encode(Strings{"é", "q"}), (Ids{8, kUnk}));
  EXPECT_EQ(v.decode(Ids{kBos, 4, kUnk, kPad, 8, kEos, 4}), (Strings{"z", "<unk>", "é"}));
}

TEST(VocabularyOrder, MinCountAndMaxSizeLimitIt) {
  const TokenCounts counts = counts_of({"a", "b", "b", "c", "c", "c"});
  EXPECT_EQ(Vocabulary(counts, {.min_count = 2}).text(), "<pad>\n<unk>\n<bos>\n<eos>\nc\nb\n");
  const Vocabulary small(counts, {.max_size = 5});
  EXPECT_EQ(small.text(), "<pad>\n<unk>\n<bos>\n<eos>\nc\n");
  EXPECT_DOUBLE_EQ(unknown_share(small, counts), 0.5);
  EXPECT_THROW(Vocabulary(counts, {.min_count = 0}), std::invalid_argument);
  EXPECT_THROW(Vocabulary(counts, {.max_size = 4}), std::invalid_argument);
  EXPECT_THROW((void)small.token(5), std::invalid_argument);
  EXPECT_THROW((void)small.token(-1), std::invalid_argument);
}

TEST(VocabularyOrder, WordsThatReadLikeSpecialTokensAreWords) {
  const Strings words{"<unk>", "<unk>", "<eos>", "\\<pad>", "\\<unk>", "\\"};
  const Vocabulary v(counts_of(words), {});
  for (const std::string& word : words) {
    EXPECT_GE(v.id(word), kSpecials) << word;
    EXPECT_EQ(v.decode(Ids{v.id(word)}), Strings{word});
  }
  EXPECT_EQ(v.id("<bos>"), kUnk);
  EXPECT_EQ(v.text(), "<pad>\n<unk>\n<bos>\n<eos>\n\\<unk>\n\\<eos>\n\\\n\\\\<pad>\n\\\\<unk>\n");
  const Vocabulary read = Vocabulary::parse("v", v.text());
  EXPECT_EQ(read.text(), v.text());
  EXPECT_EQ(read.id("<unk>"), v.id("<unk>"));
}

TEST(VocabularyFile, ReadsBackExactly) {
  const Vocabulary v(counts_of({"\r", "a\u2028", "\xEF\xBB\xBF", " ", "▁", "我"}), {});
  EXPECT_EQ(Vocabulary::parse("v", v.text()).text(), v.text());
}

TEST(VocabularyFile, ErrorsNameTheLine) {
  const std::string head = "<pad>\n<unk>\n<bos>\n<eos>\n";
  const std::pair<std::string, std::string> cases[] = {
      {"", "v:1: expected \"<pad>\", got \"\""},
      {"<pad>\r\n<unk>\r\n", "v:1: expected \"<pad>\", got \"<pad>�\""},
      {"<pad>\n<unk>\n<bos>\n", "v:4: expected \"<eos>\", got \"\""},
      {head + "a\nb\na\n", "v:7: token \"a\" occurs twice"},
      {head + "a\n\nb\n", "v:6: expected a token, got an empty line"},
      {head + "<eos>\n", "v:5: special token \"<eos>\" again"},
      {head + "a\n\xFF\n", "v:6:1: not UTF-8"},
  };
  for (const auto& c : cases) {
    const std::string error = error_of<FileError>([&] { (void)Vocabulary::parse("v", c.first); });
    EXPECT_TRUE(error.starts_with(c.second)) << error;
  }
}

TEST(ShiftRight, IsTheDocumentedExample) {
  const Shifted s = shift_right(Ids{7, 8, 9});
  EXPECT_EQ(s.in, (Ids{2, 7, 8, 9}));
  EXPECT_EQ(s.out, (Ids{7, 8, 9, 3}));
  EXPECT_EQ(shift_right(Ids{}).in, Ids{kBos});
  EXPECT_EQ(shift_right(Ids{}).out, Ids{kEos});
}

TEST(Batches, ArePaddedBeyondEachEnd) {
  const std::vector<IdPair> pairs{{{4, 5, 6}, {7}}, {{8}, {9, 10}}, {{11}, {}}};
  const Batch b = make_batch(pairs, Ids{2, 0});
  EXPECT_EQ(b.size, 2);
  EXPECT_EQ(b.S, 4);
  EXPECT_EQ(b.T, 2);
  EXPECT_EQ(b.src, (Ids{11, kEos, kPad, kPad, 4, 5, 6, kEos}));
  EXPECT_EQ(b.src_lengths, (Ids{2, 4}));
  EXPECT_EQ(b.tgt_in, (Ids{kBos, kPad, kBos, 7}));
  EXPECT_EQ(b.tgt_out, (Ids{kEos, kPad, 7, kEos}));
  EXPECT_EQ(b.tgt_lengths, (Ids{1, 2}));
  EXPECT_EQ(b.rows, (Ids{2, 0}));
  EXPECT_EQ(b.target_tokens, 3);
}

std::vector<IdPair> random_pairs(int count) {
  Rng rng(3);
  std::vector<IdPair> pairs;
  for (int i = 0; i < count; ++i) {
    const auto length = static_cast<int64_t>(1 + rng.below(30));
    const auto other = static_cast<size_t>(length + static_cast<int64_t>(rng.below(4)));
    pairs.push_back({Ids(static_cast<size_t>(length), 5), Ids(other, 6)});
  }
  return pairs;
}

TEST(Batches, HoldEveryPairOnceWithinTheBound) {
  std::vector<IdPair> pairs = random_pairs(1000);
  pairs.push_back({Ids(500, 5), Ids{6}});  // longer than any batch: goes alone
  const BatchOptions options{.max_tokens = 200};
  for (const auto& plan : {plan_epoch(pairs, options, Rng(1)), plan_in_order(pairs, options)}) {
    Ids seen;
    for (const Ids& rows : plan) {
      const Batch b = make_batch(pairs, rows);
      EXPECT_TRUE(b.size == 1 || b.size * std::max(b.S, b.T) <= 200);
      seen.insert(seen.end(), rows.begin(), rows.end());
    }
    std::ranges::sort(seen);
    Ids all(pairs.size());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
}

TEST(Batches, DependOnTheSeedAloneAndPadLittle) {
  const std::vector<IdPair> pairs = random_pairs(2000);
  const BatchOptions options{.max_tokens = 500};
  EXPECT_EQ(plan_epoch(pairs, options, Rng(1)), plan_epoch(pairs, options, Rng(1)));
  EXPECT_NE(plan_epoch(pairs, options, Rng(1)), plan_epoch(pairs, options, Rng(2)));
  EXPECT_GT(padding_efficiency(pairs, plan_epoch(pairs, options, Rng(1))), 0.9);
  // A window of one sentence does not sort: this is the price of random batches.
  EXPECT_LT(padding_efficiency(pairs, plan_epoch(pairs, {.max_tokens = 500, .window = 16}, Rng(1))),
            0.8);
}

TEST(Batches, PaddingEfficiencyCountsBothSides) {
  const std::vector<IdPair> pairs{{{4, 5, 6}, {7}}, {{8}, {9}}};  // with <eos>: 4+2 and 2+2 tokens
  const std::vector<Ids> together{{0, 1}}, apart{{0}, {1}};
  EXPECT_DOUBLE_EQ(padding_efficiency(pairs, together), 10.0 / 12.0);
  EXPECT_DOUBLE_EQ(padding_efficiency(pairs, apart), 1.0);
  EXPECT_DOUBLE_EQ(padding_efficiency(pairs, {}), 1.0);
}

TEST(Batches, RefuseImpossibleOptions) {
  EXPECT_THROW(plan_in_order({}, {.max_tokens = 0}), std::invalid_argument);
  EXPECT_THROW(plan_epoch({}, {.window = 0}, Rng(1)), std::invalid_argument);
  EXPECT_TRUE(plan_epoch({}, {}, Rng(1)).empty());
}

}  // namespace
}  // namespace heed::translate
