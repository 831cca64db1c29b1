// The microscope's page as a file: what is in it, what is not, and how `view` behaves in a shell.
// What the page does is tested in page/.
#include "examples/microscope/page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/file_bytes.h"
#include "tests/examples/microscope_program.h"

namespace heed::microscope {
namespace {

std::string page_of(const std::vector<std::string>& traces) {
  return html_page(traces);
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(MicroscopePage, IsSmallAndWhole) {
  const std::string page = page_of({});
  EXPECT_LE(page.size(), 200'000u) << "page code without data";
  for (const char* place : {"{{style}}", "{{traces}}", "{{script}}"})
    EXPECT_EQ(page.find(place), std::string::npos) << place;
  for (const PageFile& file : page_files().subspan(1))
    EXPECT_NE(page.find(file.text), std::string::npos) << file.name;
}

TEST(MicroscopePage, AsksNothingOfAnybody) {
  const std::string page = page_of({});
  EXPECT_NE(page.find("content=\"default-src 'none'; script-src 'unsafe-inline'; "
                      "style-src 'unsafe-inline'; img-src data: blob:\""),
            std::string::npos);
  const std::string_view all = page;
  for (size_t at = all.find("http"); at != all.npos; at = all.find("http", at + 1)) {
    const std::string_view here = all.substr(at, 60);  // names of formats are no addresses
    EXPECT_TRUE(here.starts_with("http-equiv") || here.starts_with("http://www.w3.org/2000/svg'") ||
                here.starts_with("http://www.w3.org/1998/Math/MathML'"))
        << here;
  }
  for (const char* call : {"fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon",
                           "import(", "<link", "@import", "url(http", "innerHTML", "eval("})
    EXPECT_EQ(page.find(call), std::string::npos) << call;
}

TEST(MicroscopePage, HoldsItsTracesAsDataThatCannotEndTheScript) {
  const std::string bare = page_of({});
  const std::string page = page_of({R"({"title":"</script><script>alert(1)</script><!--"})", "{}"});
  EXPECT_EQ(count(page, "<script type=\"application/json\">"), 2u);
  EXPECT_EQ(count(page, "</script>"), count(bare, "</script>") + 2);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find(R"(\u003c/script>\u003cscript>alert(1)\u003c/script>\u003c!--)"),
            std::string::npos);
}

TEST(MicroscopePage, PutsNothingIntoPlacesWithinATrace) {
  const std::string page = page_of({R"({"title":"{{style}} {{script}} {{traces}}"})"});
  EXPECT_NE(page.find("{{style}} {{script}} {{traces}}"), std::string::npos);
  EXPECT_EQ(count(page, ":root {"), count(page_of({}), ":root {"));
}

TEST(MicroscopePage, EveryFileIsReadable) {
  const std::string folder = HEED_SOURCE_DIR "/examples/microscope/page/";
  for (const PageFile& file : page_files()) {
    const std::string text = read_file(folder + std::string(file.name));
    EXPECT_LE(count(text, "\n"), 400u) << file.name;
    const bool script = file.name.ends_with(".js");
    EXPECT_TRUE(!script || text.starts_with("// ")) << file.name << " says what it is";
    EXPECT_EQ(text.find('\t'), std::string::npos) << file.name;
  }
}

class MicroscopeView : public ProgramFolder {};

TEST_F(MicroscopeView, WritesAPageOfOneOrTwoValidTraces) {
  ASSERT_EQ(
      sh("$M trace --case $C/dot.json -o t.json && $M trace --case $C/masked.json -o u.json").code,
      0);
  EXPECT_EQ(sh("$M view t.json u.json -o p.html --json").code, 0);
  const auto said = nlohmann::json::parse(read_file(path("out.txt")));
  const std::string page = read_file(path("p.html"));
  EXPECT_EQ(said["traces"], 2);
  EXPECT_EQ(said["bytes"], page.size());
  EXPECT_EQ(count(page, "<script type=\"application/json\">"), 2u);
  EXPECT_EQ(sh("$M view t.json u.json -o q.html").code, 0);
  EXPECT_EQ(read_file(path("q.html")), page) << "same traces, same bytes";
}

TEST_F(MicroscopeView, SaysWhenAPageIsLargeAndWhatMakesItSmaller) {
  ASSERT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
  const std::string trace = read_file(path("t.json"));
  write_file(path("large.json"), trace + std::string(9'000'000, ' '));
  const auto large = sh("$M view large.json -o p.html"), small = sh("$M view t.json -o q.html");
  EXPECT_EQ(large.code, 0) << "a note and no error";
  EXPECT_NE(large.err.find("9 MB"), std::string::npos) << large.err;
  EXPECT_NE(large.err.find("--sample 1000"), std::string::npos) << large.err;
  EXPECT_EQ(small.err, "");
}

TEST_F(MicroscopeView, ExitCodes) {
  ASSERT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
  ASSERT_EQ(sh("sed 's/\"grad\":.0.2436/&1/' t.json > wrong.json").code, 0);
  EXPECT_EQ(sh("$M view t.json").code, 2);
  EXPECT_EQ(sh("$M view -o p.html").code, 2);
  EXPECT_EQ(sh("$M view t.json t.json t.json -o p.html").code, 2);
  EXPECT_EQ(sh("$M view none.json -o p.html").code, 3);
  EXPECT_EQ(sh("$M view wrong.json -o p.html").code, 3) << "nobody looks at a wrong gradient";
  EXPECT_EQ(sh("$M view t.json -o none/p.html").code, 3);
}

}  // namespace
}  // namespace heed::microscope
