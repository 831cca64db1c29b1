// The attention views: terminal, JSON, HTML.
#include "examples/translate/attention_view.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "examples/console/utf8.h"
#include "examples/translate/text.h"

namespace heed::translate {
namespace {

using Strings = std::vector<std::string>;

AttentionMap small() {
  return {.source = {"我们", "cat", "</s>"},
          .target = {"chat", "</s>"},
          .weights = {0.04, 0.93, 0.03, 0.0, 0.0, 1.0}};
}

AttentionMap square(size_t n, const std::string& word) {
  AttentionMap map{.source = Strings(n, word), .target = Strings(n, word), .weights = {}};
  for (size_t i = 0; i < n * n; ++i) map.weights.push_back(i % (n + 1) == 0 ? 1.0 : 0.0);
  return map;
}

std::string without_colour(std::string text) {
  for (size_t at; (at = text.find('\x1b')) != std::string::npos;)
    text.erase(at, text.find('m', at) - at + 1);
  return text;
}

size_t count(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(AttentionText, ShowsPercentUnderWideAndNarrowTokens) {
  EXPECT_EQ(attention_text(small(), {}),
            "     我们  cat </s>\n"
            "chat    4 █ 93    3\n"
            "</s>    ·    · █100\n");
}

TEST(AttentionText, ColourAddsNothingButColour) {
  const std::string text = attention_text(small(), {.colour = true});
  EXPECT_NE(text.find("\x1b[48;5;24m"), std::string::npos);
  EXPECT_EQ(without_colour(text),
            "     我们  cat </s>\n"
            "chat   4   93    3\n"
            "</s>   ·    ·  100 \n");
}

TEST(AttentionText, EveryLayoutKeepsToTheWidth) {
  for (const bool colour : {false, true})
    for (const int width : {30, 40, 52, 60, 80, 200}) {
      const std::string text =
          without_colour(attention_text(square(20, "été"), {.width = width, .colour = colour}));
      const std::vector<std::string_view> lines = split_lines(text);
      // 20 cells of two columns and the names of the rows take 44; below that there is a list.
      EXPECT_EQ(lines.size(), width >= 104 ? 21U : width >= 44 ? 3U + 20U + 1U : 21U) << text;
      for (const std::string_view line :
           lines.size() > 21 ? lines : std::vector(lines.begin() + 1, lines.end()))
        EXPECT_LE(display_width(line), width) << text;
    }
}

TEST(AttentionText, NarrowCellsWriteTheSourceDownwards) {
  AttentionMap map = square(3, "x");
  map.source = {"我们", "e\u0301t", "abc"};
  EXPECT_EQ(attention_text(map, {.width = 8}),
            "      a\n"
            "  我e\u0301 b\n"
            "  们t c\n"
            "x ██· ·\n"
            "x · ██·\n"
            "x · · ██\n"
            "· <5%  ░ 5-24  ▒ 25-49  ▓ 50-74  █ 75-100\n");
}

TEST(AttentionText, AVeryNarrowTerminalGetsAList) {
  EXPECT_EQ(attention_text(small(), {.width = 9}),
            "(too narrow for a map: strongest source tokens, in per cent)\n"
            "chat < cat 93\n"
            "</s> < </s> 100\n");
}

TEST(AttentionText, TokensCannotWriteToTheTerminal) {
  AttentionMap map = small();
  map.source[1] = "\x1b[2J";
  EXPECT_EQ(attention_text(map, {}).find('\x1b'), std::string::npos);
}

TEST(AttentionText, AnEmptySideIsSaid) {
  EXPECT_EQ(attention_text({}, {}), "(nothing to show: one side has no tokens)\n");
}

class Environment : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"COLUMNS", "NO_COLOR"}) ::unsetenv(name);
    ::setenv("TERM", "xterm", 1);
  }
};

TEST_F(Environment, GivesWidthAndColour) {
  EXPECT_EQ(terminal_options(true).width, 80);
  EXPECT_TRUE(terminal_options(true).colour);
  EXPECT_FALSE(terminal_options(false).colour);
  ::setenv("COLUMNS", "132", 1);
  EXPECT_EQ(terminal_options(true).width, 132);
  for (const char* bad : {"", "-3", "wide"}) {
    ::setenv("COLUMNS", bad, 1);
    EXPECT_EQ(terminal_options(true).width, 80) << bad;
  }
  ::setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(terminal_options(true).colour);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(terminal_options(true).colour);
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(terminal_options(true).colour);
}

TEST(AttentionJson, ReadsBackExactly) {
  AttentionMap map = small();
  map.weights[0] = 1.0 / 3.0;
  map.weights[1] = 2.0 / 3.0 - 0.03;
  const std::string text = attention_json(map, "mod\"el");
  EXPECT_EQ(count(text, "\n"), 0U);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("schema"), "heed.attention.1");
  EXPECT_EQ(json.at("model"), "mod\"el");
  EXPECT_EQ(json.at("source"), map.source);
  EXPECT_EQ(json.at("target"), map.target);
  std::vector<double> weights;
  for (const auto& row : json.at("weights")) {
    ASSERT_EQ(row.size(), 3U);
    double sum = 0;
    for (const double w : row) {
      weights.push_back(w);
      sum += w;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  EXPECT_EQ(weights, map.weights);  // bit for bit
}

TEST(AttentionPage, LoadsNothingAndHasOneScript) {
  const std::string page = attention_page(std::vector{small(), square(2, "x")}, "demo");
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const std::string_view loader : {"http:", "https:", "src=", "href=", "url(", "@import"})
    EXPECT_EQ(count(page, loader), 0U) << loader;
  EXPECT_EQ(count(page, "<script"), 1U);
  EXPECT_EQ(count(page, "<svg role=\"grid\""), 2U);
}

TEST(AttentionPage, SaysEveryWeightAndHasOneTabStopPerMap) {
  const std::string page = attention_page(std::vector{small(), square(2, "x")}, "demo");
  EXPECT_NE(page.find("<title>target ‘chat’ attends to ‘cat’ 0.93</title>"), std::string::npos);
  EXPECT_EQ(count(page, "role=\"gridcell\""), 6U + 4U);
  EXPECT_EQ(count(page, "role=\"gridcell\" tabindex=\"0\""), 2U);
  EXPECT_EQ(count(page, "<td>"), 10U);
  EXPECT_NE(page.find("<td>0.930</td>"), std::string::npos);
}

TEST(AttentionPage, TokensAreTextAndNeverMarkup) {
  AttentionMap map = small();
  map.source[0] = "<script>alert(1)</script>";
  map.source[1] = "\"onload='x'&";
  map.target[0] = std::string("a\0\x1b", 3);
  const std::string page = attention_page(std::vector{map}, "<b>model</b>");
  EXPECT_EQ(count(page, "<script"), 1U);
  EXPECT_EQ(count(page, "<b>"), 0U);
  EXPECT_EQ(count(page, "\"onload"), 0U);
  EXPECT_NE(page.find("&quot;onload=&#39;x&#39;&amp;"), std::string::npos);
  EXPECT_EQ(page.find('\0'), std::string::npos);
}

TEST(AttentionPage, AnEmptySideIsSaid) {
  EXPECT_EQ(count(attention_page(std::vector<AttentionMap>(1), "m"), "Nothing to show"), 1U);
}

TEST(AttentionMaps, MustFitAndSumToOne) {
  const auto error = [](AttentionMap map) -> std::string {
    try {
      check(map);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(error(small()), "no error");
  AttentionMap map = small();
  map.weights.pop_back();
  EXPECT_EQ(error(map), "attention: expected 2 x 3 weights (target x source tokens), got 5");
  map = small();
  map.weights[0] = 1.5;
  EXPECT_EQ(error(map).find("attention: expected the weights of target token 0 to sum to at most "
                            "1, got"),
            0u);
  map.weights[0] = 0;  // local windows do not renormalise
  EXPECT_EQ(error(map), "no error");
  map.weights[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error(map), "attention: expected finite weights >= 0, got nan for target token 0");
  map = small();
  map.weights[5] = 0;  // nothing to attend to
  EXPECT_EQ(error(map), "no error");
}

}  // namespace
}  // namespace heed::translate
