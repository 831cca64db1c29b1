// The small generators: their rules, links and splits, and number words written by hand.
#include "examples/translate/tasks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "examples/translate/corpus/dates.h"
#include "examples/translate/corpus/number_words.h"

namespace heed::translate {
namespace {

std::string joined(const std::vector<std::string>& tokens, std::string_view by = " ") {
  return fmt::format("{}", fmt::join(tokens, by));
}

Dataset small(std::string_view name, uint64_t seed = 1) {
  return make_task(name, {.train = 500, .seed = seed});
}

std::string bytes(const Dataset& d) {
  std::ostringstream out;
  for (const auto* split : {&d.train, &d.dev, &d.test}) write_tsv(out, *split, d.header);
  return out.str();
}

TEST(Tasks, EveryTaskFillsItsSplitsWithoutRepeating) {
  for (const TaskInfo& task : tasks()) {
    const Dataset d = small(task.name);
    EXPECT_EQ(d.name, task.name);
    EXPECT_EQ(d.train.size(), 500u);
    EXPECT_EQ(std::ssize(d.dev), task.dev);
    EXPECT_EQ(std::ssize(d.test), task.test);
    std::set<std::string> seen;
    for (const auto* split : {&d.train, &d.dev, &d.test}) {
      for (const Example& e : *split) {
        ASSERT_TRUE(seen.insert(joined(e.src)).second) << task.name << ": " << joined(e.src);
        ASSERT_FALSE(e.src.empty() || e.tgt.empty());
        for (const auto* links : {&e.sure, &e.possible}) {
          for (const Link& l : *links) {
            ASSERT_TRUE(l.src >= 0 && l.src < std::ssize(e.src) && l.tgt >= 0 &&
                        l.tgt < std::ssize(e.tgt));
          }
        }
      }
    }
  }
}

TEST(Tasks, SameSeedSameBytesOtherSeedOtherBytes) {
  for (const TaskInfo& task : tasks()) {
    EXPECT_EQ(bytes(small(task.name)), bytes(small(task.name))) << task.name;
    EXPECT_NE(bytes(small(task.name)), bytes(small(task.name, 2))) << task.name;
  }
}

TEST(Tasks, NoSplitHoldsWhatAnotherSeedTrainsOn) {
  for (const TaskInfo& task : tasks()) {
    std::set<std::string> trained;
    for (const Example& e : small(task.name).train) trained.insert(joined(e.src));
    for (const Example& e : small(task.name, 2).test) {
      EXPECT_FALSE(trained.contains(joined(e.src))) << task.name << ": " << joined(e.src);
    }
  }
}

TEST(Tasks, UnknownNamesAndSizesAreRefusedWithTheRemedy) {
  try {
    make_task("revers", {});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_EQ(
        std::string(e.what()),
        "unknown task \"revers\"; the tasks are micro-en-fr, copy, reverse, sort, addition, dates, "
        "numbers-en, numbers-fr, en-numbers, fr-numbers");
  }
  EXPECT_THROW(make_task("copy", {.train = -1}), std::invalid_argument);
  EXPECT_THROW(make_task("dates", {.train = 70'000}), std::invalid_argument);  // only 73,049 days
}

TEST(Tasks, SwappingTurnsPairsAndLinksRound) {
  const Dataset there = small("micro-en-fr");
  const Dataset back = make_task("micro-en-fr", {.train = 500, .swap_sides = true});
  EXPECT_EQ(back.header, there.header + ", sides swapped");
  EXPECT_TRUE(back.contrast.empty());
  for (size_t i = 0; i < there.test.size(); ++i) {
    const Example &a = there.test[i], &b = back.test[i];
    ASSERT_EQ(a.src, b.tgt);
    ASSERT_EQ(a.tgt, b.src);
    ASSERT_EQ(a.sure.size(), b.sure.size());
    for (const Link& l : a.sure) {
      ASSERT_NE(std::ranges::find(b.sure, Link{l.tgt, l.src}), b.sure.end());
    }
    ASSERT_EQ(a.tags, b.tags);
    ASSERT_EQ(b.tags.size(), b.tag_tokens.size());
  }
}

TEST(Copy, RepeatsTenToThirtyNumbers) {
  for (const Example& e : small("copy").train) {
    EXPECT_EQ(e.src, e.tgt);
    EXPECT_TRUE(e.src.size() >= 10 && e.src.size() <= 30);
    EXPECT_EQ(e.sure.size(), e.src.size());
    for (const Link& l : e.sure) EXPECT_EQ(l.src, l.tgt);
  }
}

TEST(Reverse, IsJoeyNmtsTask) {
  const Dataset d = small("reverse");
  for (const auto* split : {&d.train, &d.test}) {
    size_t longest = 0;
    for (const Example& e : *split) {
      EXPECT_TRUE(std::ranges::equal(e.src.rbegin(), e.src.rend(), e.tgt.begin(), e.tgt.end()));
      longest = std::max(longest, e.src.size());
      for (const Link& l : e.sure) EXPECT_EQ(e.src[size_t(l.src)], e.tgt[size_t(l.tgt)]);
      for (const std::string& token : e.src) EXPECT_LT(std::stoi(token), 50);
    }
    EXPECT_EQ(longest, split == &d.train ? 25u : 30u);
  }
}

TEST(Sort, LinksALetterThatOccursOnce) {
  for (const Example& e : small("sort").train) {
    EXPECT_TRUE(std::ranges::is_sorted(e.tgt));
    EXPECT_TRUE(std::ranges::is_permutation(e.src, e.tgt));
    for (const Link& l : e.sure) {
      EXPECT_EQ(e.src[size_t(l.src)], e.tgt[size_t(l.tgt)]);
      EXPECT_EQ(std::ranges::count(e.src, e.src[size_t(l.src)]), 1);
    }
    for (const Link& l : e.possible) EXPECT_EQ(e.src[size_t(l.src)], e.tgt[size_t(l.tgt)]);
  }
}

TEST(Addition, TheQuestionIsBackwardsAndTheSumRight) {
  std::set<std::pair<int, int>> seen;
  for (const Example& e : small("addition").train) {
    std::string question = joined(e.src, "");
    std::ranges::reverse(question);
    const size_t plus = question.find('+');
    const int a = std::stoi(question.substr(0, plus)), b = std::stoi(question.substr(plus + 1));
    EXPECT_EQ(joined(e.tgt, ""), std::to_string(a + b));
    EXPECT_TRUE(seen.insert(std::minmax(a, b)).second) << question;
  }
}

TEST(Dates, AreWrittenAsPeopleDo) {
  EXPECT_GE(date_formats().size(), 40u);
  const std::set<std::string_view> different(date_formats().begin(), date_formats().end());
  EXPECT_EQ(different.size(), date_formats().size());
  const auto text = [](int y, unsigned m, unsigned d, std::string_view format) {
    const Example e = date_example(y, m, d, format);
    return join(e.src, Tokeniser::chars) + " = " + joined(e.tgt, "");
  };
  EXPECT_EQ(text(2016, 1, 5, "{w}, the {o} of {B} {Y}"),
            "tuesday, the 5th of january 2016 = 2016-01-05");
  EXPECT_EQ(text(1944, 8, 1, "{W} {O} {F} {Y}"), "mardi 1er août 1944 = 1944-08-01");
  EXPECT_EQ(text(1969, 7, 21, "{b}. {d}, {Y}"), "jul. 21, 1969 = 1969-07-21");
  EXPECT_EQ(text(1900, 2, 28, "{D}-{f}-{Y}"), "28-févr.-1900 = 1900-02-28");
  EXPECT_EQ(text(2099, 12, 31, "le {d}/{m}/{Y}"), "le 31/12/2099 = 2099-12-31");
  EXPECT_EQ(text(2000, 2, 29, "{Y}{M}{D}"), "20000229 = 2000-02-29");
  EXPECT_EQ(text(2012, 11, 12, "{B} the {o}, {Y}"), "november the 12th, 2012 = 2012-11-12");
  EXPECT_EQ(text(2012, 11, 22, "{a} {d} {b} {Y}"), "thu 22 nov 2012 = 2012-11-22");
  EXPECT_THROW(date_example(1999, 2, 29, "{d}"), std::invalid_argument);
  EXPECT_THROW(date_example(2100, 1, 1, "{d}"), std::invalid_argument);
}

TEST(Dates, FieldsAreLinked) {
  const Example e = date_example(1987, 5, 3, "{d} {F} {Y}");  // "3 mai 1987"
  EXPECT_EQ(e.sure, (std::vector<Link>{{6, 0}, {7, 1}, {8, 2}, {9, 3}}));
  const auto at = [&](int target) {
    std::vector<int> sources;
    for (const Link& l : e.possible) {
      if (l.tgt == target) sources.push_back(l.src);
    }
    return sources;
  };
  EXPECT_EQ(at(5), (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(at(9), (std::vector<int>{0}));
  EXPECT_EQ(at(4).size(), e.src.size());
}

TEST(NumberWords, French) {
  const std::pair<int, const char*> kCases[] = {
      {0, "zéro"},
      {1, "un"},
      {16, "seize"},
      {17, "dix-sept"},
      {20, "vingt"},
      {21, "vingt et un"},
      {22, "vingt-deux"},
      {31, "trente et un"},
      {61, "soixante et un"},
      {70, "soixante-dix"},
      {71, "soixante et onze"},
      {72, "soixante-douze"},
      {77, "soixante-dix-sept"},
      {80, "quatre-vingts"},
      {81, "quatre-vingt-un"},
      {90, "quatre-vingt-dix"},
      {91, "quatre-vingt-onze"},
      {99, "quatre-vingt-dix-neuf"},
      {100, "cent"},
      {101, "cent un"},
      {180, "cent quatre-vingts"},
      {200, "deux cents"},
      {201, "deux cent un"},
      {271, "deux cent soixante et onze"},
      {1000, "mille"},
      {1001, "mille un"},
      {1100, "mille cent"},
      {2000, "deux mille"},
      {2200, "deux mille deux cents"},
      {21000, "vingt et un mille"},
      {80000, "quatre-vingt mille"},
      {80080, "quatre-vingt mille quatre-vingts"},
      {100000, "cent mille"},
      {200000, "deux cent mille"},
      {280000, "deux cent quatre-vingt mille"},
      {999999, "neuf cent quatre-vingt-dix-neuf mille neuf cent quatre-vingt-dix-neuf"}};
  for (const auto& [n, words] : kCases) EXPECT_EQ(french_number(n), words);
  EXPECT_THROW(french_number(1'000'000), std::invalid_argument);
  EXPECT_THROW(french_number(-1), std::invalid_argument);
}

TEST(NumberWords, English) {
  const std::pair<int, const char*> kCases[] = {
      {0, "zero"},
      {10, "ten"},
      {13, "thirteen"},
      {40, "forty"},
      {42, "forty-two"},
      {100, "one hundred"},
      {115, "one hundred fifteen"},
      {1000, "one thousand"},
      {1001, "one thousand one"},
      {20030, "twenty thousand thirty"},
      {123456, "one hundred twenty-three thousand four hundred fifty-six"},
      {900009, "nine hundred thousand nine"}};
  for (const auto& [n, words] : kCases) EXPECT_EQ(english_number(n), words);
  EXPECT_THROW(english_number(1'000'000), std::invalid_argument);
}

TEST(NumberWords, AllAreDifferent) {
  std::set<std::string> english, french;
  for (int n = 0; n < 1'000'000; n += n < 2000 ? 1 : 97) {
    EXPECT_TRUE(english.insert(english_number(n)).second) << n;
    EXPECT_TRUE(french.insert(french_number(n)).second) << n;
  }
}

TEST(NumberWords, TasksGoBothWays) {
  const Dataset there = small("numbers-fr"), back = small("fr-numbers");
  for (const Example& e : there.test) {
    EXPECT_EQ(joined(e.tgt), french_number(std::stoi(joined(e.src, ""))));
  }
  for (const Example& e : back.test) {
    EXPECT_EQ(joined(e.src), french_number(std::stoi(joined(e.tgt, ""))));
  }
}

}  // namespace
}  // namespace heed::translate
