// UTF-8, lines, tokenisers.
#include "examples/translate/text.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::translate {
namespace {

using Strings = std::vector<std::string>;
using Views = std::vector<std::string_view>;

TEST(Utf8, FindsTheFirstBadByteWithLineColumnAndOffset) {
  EXPECT_FALSE(find_invalid_utf8(""));
  EXPECT_FALSE(find_invalid_utf8("aé€😀\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"));
  const auto bad = find_invalid_utf8("one\nété \xFF x");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->line, 2);
  EXPECT_EQ(bad->column, 5);  // code points, not bytes
  EXPECT_EQ(bad->byte, 10U);
  EXPECT_EQ(bad->reason, "byte 0xFF occurs in no UTF-8 text");
}

TEST(Utf8, AByteOrderMarkTakesNoColumn) {
  EXPECT_EQ(find_invalid_utf8("\xEF\xBB\xBF\xFF")->column, 1);
  EXPECT_EQ(find_invalid_utf8("a\xEF\xBB\xBF\xFF")->column, 3);  // elsewhere it is a character
}

TEST(Utf8, EveryKindOfBadSequenceIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {"\x80", "continues a sequence that never began"},
      {"\xC0\x80", "occurs in no UTF-8 text"},
      {"\xE0\x9F\xBF", "an overlong form"},
      {"\xF0\x8F\xBF\xBF", "an overlong form"},
      {"\xED\xA0\x80", "a surrogate"},
      {"\xF4\x90\x80\x80", "a value above U+10FFFF"},
      {"\xF5\x80\x80\x80", "occurs in no UTF-8 text"},
      {"\xC3", "the text ends inside"},
      {"\xF0\x9F\x98", "the text ends inside"},
      {"\xC3(", "cuts short"},
      {"\xE2\x82(", "cuts short"},
  };
  for (const auto& [bytes, reason] : cases) {
    const auto bad = find_invalid_utf8("ok " + bytes);
    ASSERT_TRUE(bad) << reason;
    EXPECT_NE(bad->reason.find(reason), std::string::npos) << bad->reason;
    EXPECT_EQ(bad->byte, 3U);
  }
}

TEST(Utf8, DecodingAndAppendingAreInverse) {
  for (char32_t c = 0; c <= 0x10FFFF; c += 37) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string bytes;
    append_utf8(bytes, c);
    const CodePoint read = decode_utf8(bytes, 0);
    ASSERT_TRUE(read.valid && read.value == c && read.bytes == bytes.size()) << uint32_t{c};
  }
}

TEST(Utf8, LowercasesTheLettersItKnowsAndCountsThem) {
  int64_t changed = 0;
  EXPECT_EQ(lowercase("ÀÉÎÖ×Ø ŁŒŸŽ ΆΈΌΏΣ ЁЖЯҐӁӀ İI ẞ中", &changed),
            "àéîö×ø łœÿž άέόώσ ёжяґӂӏ ii ẞ中");
  EXPECT_EQ(changed, 5 + 4 + 5 + 6 + 2);
  EXPECT_EQ(lowercase("ȘȚ ỀỸ"), "șț ềỹ");
  EXPECT_EQ(lowercase("ĸŀ \xFF", &changed), "ĸŀ \xFF");
  EXPECT_EQ(changed, 22);
}

TEST(Utf8, WidthFollowsTheTerminal) {
  EXPECT_EQ(display_width("chat"), 4);
  EXPECT_EQ(display_width("été"), 3);
  EXPECT_EQ(display_width("e\u0301"), 1);  // combining acute
  EXPECT_EQ(display_width("我们"), 4);
  EXPECT_EQ(display_width("한글"), 4);
  EXPECT_EQ(display_width("ﾊﾝ"), 2);  // half-width
  EXPECT_EQ(display_width("😀"), 2);
  EXPECT_EQ(display_width("हिन्दी"), 5);  // six code points; only the virama takes no room
  EXPECT_EQ(display_width("\u200B\t"), 0);
}

TEST(Utf8, FittingCutsWholeCharactersAndShowsIt) {
  EXPECT_EQ(fit_columns("chat", 4), "chat");
  EXPECT_EQ(fit_columns("chats", 4), "cha…");
  EXPECT_EQ(fit_columns("我们我们", 4), "我…");
  EXPECT_EQ(fit_columns("e\u0301te\u0301s", 3), "e\u0301t…");
  EXPECT_EQ(fit_columns("abc", 0), "");
}

TEST(Utf8, PrintableDefusesControlCharactersAndOverrides) {
  EXPECT_EQ(printable("a\x1b[2Jb\xC2\x9B\u202Ec"), "a�[2Jb��c");
  EXPECT_EQ(printable("שלום é"), "שלום é");
}

TEST(Lines, OnlyNewlineEndsALine) {
  EXPECT_EQ(split_lines("a\u2028b\u0085c\vd\fe\rf\ng\n"), (Views{"a\u2028b\u0085c\vd\fe\rf", "g"}));
  EXPECT_EQ(split_lines("a\r\n\r\nb"), (Views{"a", "", "b"}));
  EXPECT_EQ(split_lines("\xEF\xBB\xBF"
                        "a\n\n"),
            (Views{"a", ""}));
  EXPECT_EQ(split_lines(""), Views{});
  EXPECT_EQ(split_lines("a\r"), Views{"a\r"});  // no line end, so it is text
}

TEST(Tokeniser, WhitespaceCutsAtSpacesAndTabsOnly) {
  EXPECT_EQ(tokenise(" le  chat\tdort ", Tokeniser::whitespace), (Strings{"le", "chat", "dort"}));
  EXPECT_EQ(tokenise("10\u00A0000 a\u3000b", Tokeniser::whitespace),
            (Strings{"10\u00A0000", "a\u3000b"}));
  EXPECT_EQ(tokenise("", Tokeniser::whitespace), Strings{});
  EXPECT_EQ(join(tokenise("  le \t chat", Tokeniser::whitespace), Tokeniser::whitespace),
            "le chat");
}

TEST(Tokeniser, CharactersGiveBackEveryByte) {
  EXPECT_EQ(tokenise("é ▁", Tokeniser::chars), (Strings{"é", "▁", "\\▁"}));
  for (const std::string line :
       {"le  chat ", " 我们\u3000在 ", "▁ \\▁ \\ ▁▁", "שלום e\u0301\t\u2028x", "", "\xFF\xC3(",
        "नमस्ते 😀👩‍👩‍👧"})
    EXPECT_EQ(join(tokenise(line, Tokeniser::chars), Tokeniser::chars), line);
}

TEST(Tokeniser, NamesReadBackAndUnknownOnesAreRefused) {
  for (const Tokeniser t : {Tokeniser::whitespace, Tokeniser::chars})
    EXPECT_EQ(parse_tokeniser(name_of(t)), t);
  try {
    parse_tokeniser("bpe");
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "tokeniser: expected whitespace or char, got \"bpe\"");
  }
}

}  // namespace
}  // namespace heed::translate
