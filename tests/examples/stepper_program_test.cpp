// `microscope step` behind a shell: scripts, pipes, JSON, exit codes, and the full screen on a
// pseudo-terminal.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/file_bytes.h"
#include "examples/console/utf8.h"
#include "tests/examples/microscope_program.h"

namespace heed {
namespace {

using microscope::Ran;

class StepProgram : public microscope::ProgramFolder {
 protected:
  void SetUp() override { ASSERT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0); }
  [[nodiscard]] Ran step(const std::string& script, const std::string& more = "") const {
    return sh("$M step t.json " + more + " -c \"" + script + "\"");
  }
  // The program on a pseudo-terminal of this size. `keys` is a shell command that prints them once
  // the screen is there; what the terminal showed comes back. `until_shown TEXT` and `until_grown`
  // wait in it for what the program draws, which takes as long as it takes.
  [[nodiscard]] Ran on_screen(const std::string& size, const std::string& keys,
                              const std::string& setting = "") const {
    write_file(path("run.sh"), "stty " + size + "\nstty -g > before\ntty > tty\n" + setting +
                                   " sh -c 'echo $$ > pid; exec \"$M\" step t.json'\n"
                                   "echo $? > code\nstty -g > after\n");
    return sh(
        "export M; unset COLUMNS LINES NO_COLOR; export TERM=xterm; : > shown; "
        "until_true() { i=0; until \"$@\" || [ $i = 600 ]; do sleep 0.05; i=$((i+1)); done; }; "
        "until_shown() { until_true grep -qF \"$1\" shown; }; size() { wc -c < shown; }; "
        "grown() { [ $(size) -gt $before ]; }; until_grown() { until_true grown; }; "
        "(until_shown 1049h; " +
        keys + ") | script -qefc 'sh run.sh' shown > /dev/null; cat shown");
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(nlohmann::json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return all;
}

// Every command, by what it answers on the golden example.
TEST_F(StepProgram, EveryCommandAnswers) {
  ASSERT_EQ(sh("$M trace --case $C/scaled_dot.json -o u.json").code, 0);
  const std::pair<const char*, const char*> cases[] = {
      {"n", "fwd 1/8"},
      {"n 3; p", "fwd 2/8"},
      {"N", "fwd 1/8"},
      {"g end; P", "bwd 1/8"},
      {"g 4", "fwd 4/8"},
      {"g b2", "bwd 2/8"},
      {"g e", "fwd 1/8"},
      {"bwd; g e", "bwd 7/8"},
      {"g a; bwd; fwd", "fwd 2/8"},
      {"seed z[1]", "differentiated: z[1]"},
      {"b softmax; c", "stopped by softmax"},
      {"b softmax; g end; rc", "bwd 7/8"},
      {"g e; v e", "1.000000"},
      {"v e", "not yet computed"},
      {"g e; v e[1]", "0.5"},
      {"g end; gr q", "0.243618"},
      {"bwd; g e; in", "via c (matmul)"},
      {"g end; con H", "0.098703"},
      {"g end; con H", "= the stored gradient, to the bit"},
      {"bwd; g e; jac", "J"},
      {"bwd; g e; jac 1", "-0.181181"},
      {"g a; f", "a = exp(e - max e)"},
      {"g a; fn 2", "= 0.121952 recomputed"},
      {"bwd; g e; ck", "PASS"},
      {"ck q", "PASS"},
      {"why e[2]", "de[0,2]: "},
      {"path H[0]", "ops on the shortest way"},
      {"route 1", "the routes add up to the total"},
      {"find soft", "softmax"},
      {"fold", "nothing is folded"},
      {"unfold", "nothing is folded"},
      {"g end; heat", "ΔL"},
      {"g end; heat a.da", "α·dL/dα"},
      {"head mean", "heads: mean of 1"},
      {"beam", "no beam search"},
      {"g end; curve H", "0.331"},
      {"set e[1] 0.75", "0.500000 -> 0.750000"},
      {"set e[1] 0.75; undo", "as before"},
      {"cmp u.json", "first other value: "},
      {"exp csv a", "value"},
      {"exp json q", "\"grad\""},
      {"w q; n", "watch"},
      {"predict; bwd; g e", "hidden"},
      {"lang zh", "开始"},
      {"?", "next step"},
      {"n; q; n", "fwd 1/8"}};
  for (const auto& [script, expected] : cases) {
    const Ran r = step(script);
    EXPECT_EQ(r.code, 0) << script << ": " << r.err;
    EXPECT_TRUE(has(r.out, expected)) << script << ": expected " << expected << " in\n" << r.out;
  }
  EXPECT_FALSE(has(step("n; q; n").out, "\nfwd 2/8")) << "q ends";
}

TEST_F(StepProgram, ThereAndBackPrintsTheSame) {
  const Ran there = step("n; g 5; n 8; p 8");
  const Ran direct = step("g 5");
  ASSERT_EQ(there.code, 0);
  ASSERT_GT(there.out.size(), direct.out.size());
  EXPECT_EQ(there.out.substr(there.out.size() - direct.out.size()), direct.out);
  EXPECT_EQ(step("g end; heat").out, step("g end; heat").out);
}

TEST_F(StepProgram, CommandsComeThroughAPipe) {
  const Ran r = sh("printf 'n\\n\\nn; n\\nq\\nn\\n' | $M step t.json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_TRUE(has(r.out, "fwd 3/8"));
  EXPECT_FALSE(has(r.out, "\nfwd 4/8"));
  EXPECT_FALSE(has(r.out, "(0/16)")) << "a prompt in a pipe";
  EXPECT_FALSE(has(r.out, "\x1b")) << "colours in a pipe";
  EXPECT_EQ(sh("printf 'n\\nfly\\n' | $M step t.json").code, 2);
}

TEST_F(StepProgram, AWrongCommandIsNamedByItsNumber) {
  Ran r = step("n; n; fly; n");
  EXPECT_EQ(r.code, 2);
  EXPECT_TRUE(has(r.err, "command 3 (fly): expected a command")) << r.err;
  EXPECT_TRUE(has(r.out, "fwd 2/8"));
  r = step("g nowhere");
  EXPECT_EQ(r.code, 2);
  EXPECT_TRUE(has(r.err, "command 1 (g nowhere): g: expected a tensor")) << r.err;
  r = step("curv");
  EXPECT_TRUE(has(r.err, "near it: curve")) << r.err;
  EXPECT_EQ(step("n", "--digits 99").code, 2);
  EXPECT_EQ(step("n", "--lang fr").code, 2);
  EXPECT_EQ(sh("$M step").code, 2);
  EXPECT_EQ(sh("$M step none.json -c n").code, 3);
  EXPECT_EQ(step("cmp none.json").code, 3);
}

TEST_F(StepProgram, JsonHasTheExactNumbers) {
  const Ran r = step("g e; bwd; gr q; g end; gr q", "--json");
  ASSERT_EQ(r.code, 0) << r.err;
  const auto lines = json_lines(r.out);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0]["at"]["pass"], "fwd");
  EXPECT_EQ(lines[0]["at"]["name"], "matmul_nt");
  EXPECT_EQ(lines[3]["at"]["position"], 16);
  const auto stored = nlohmann::json::parse(sh("$M export t.json --node q --as json").out)["grad"];
  EXPECT_EQ(lines[4]["items"][0]["values"], stored);
  EXPECT_EQ(lines[4]["items"][0]["tensor"], "q");
}

TEST_F(StepProgram, TheSameNumberAtTheSamePrecision) {
  const auto q = nlohmann::json::parse(sh("$M export t.json --node q --as json").out)["grad"];
  const Ran r = step("g end; gr q", "--digits 17");
  EXPECT_TRUE(has(r.out, q[0].dump())) << r.out;
  EXPECT_TRUE(has(step("g end; gr q", "--digits 3").out, "0.244"));
}

TEST_F(StepProgram, WidthFollowsColumns) {
  for (const char* columns : {"40", "60", "120"}) {
    const Ran r = sh(std::string("COLUMNS=") + columns +
                     " $M step t.json --lang zh -c 'bwd; n 6; heat; con H; ?; jac'");
    ASSERT_EQ(r.code, 0) << r.err;
    for (size_t at = 0; at < r.out.size();) {
      const size_t end = r.out.find('\n', at);
      EXPECT_LE(display_width(r.out.substr(at, end - at)), std::atoi(columns))
          << r.out.substr(at, end - at);
      at = end + 1;
    }
  }
}

// ---- docs/stepper.md ----

// Rounding errors, which differ from machine to machine, as one word.
std::string without_rounding(const std::string& text) {
  static const std::regex error("-?[0-9]\\.[0-9]+e-[0-9]+|Σ = 0 ");
  return std::regex_replace(text, error, "~");
}

TEST_F(StepProgram, TheDocumentedTranscriptIsWhatItPrints) {
  const std::string page = read_file(HEED_SOURCE_DIR "/docs/stepper.md");
  const std::string fence = "```console\n";
  size_t commands = 0;
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    std::string rest = page.substr(at + fence.size());
    rest.resize(rest.find("```\n"));
    while (!rest.empty()) {
      ASSERT_EQ(rest.substr(0, 2), "$ ");
      const size_t end = rest.find('\n'), next = rest.find("\n$ ", end);
      const std::string command = rest.substr(2, end - 2);
      const std::string expected =
          rest.substr(end + 1, next == std::string::npos ? std::string::npos : next - end);
      const Ran r = sh("unset COLUMNS; CASES=$C; microscope() { $M \"$@\"; }; " + command);
      EXPECT_EQ(r.code, 0) << command << ": " << r.err;
      EXPECT_EQ(without_rounding(r.out), without_rounding(expected)) << command;
      ++commands;
      rest = next == std::string::npos ? "" : rest.substr(next + 1);
    }
  }
  EXPECT_GE(commands, 8u);
}

// ---- the full screen ----

// The lines of every frame that was drawn, without colours.
std::vector<std::string> drawn_lines(const std::string& shown) {
  std::vector<std::string> lines;
  const std::string erase = "\x1b[2K";
  for (size_t at = shown.find(erase); at != std::string::npos;) {
    const size_t next = shown.find(erase, at + 1);
    std::string line = shown.substr(at, next == std::string::npos ? next : next - at);
    line = line.substr(0, line.find_first_of("\r\n"));
    for (size_t e; (e = line.find('\x1b')) != std::string::npos;) {
      size_t stop = e + 1;
      while (stop < line.size() && !std::isalpha(static_cast<unsigned char>(line[stop]))) ++stop;
      line.erase(e, stop - e + 1);
    }
    lines.push_back(line);
    at = next;
  }
  return lines;
}

class StepScreen : public StepProgram {
 protected:
  void SetUp() override {
    StepProgram::SetUp();
    if (sh("script -qec true /dev/null").code != 0)
      GTEST_SKIP() << "needs the program script, and a pseudo-terminal for it";
  }
  void expect_restored(const Ran& r) const {
    EXPECT_TRUE(has(r.out, "\x1b[?1049h")) << "the alternate screen";
    EXPECT_NE(r.out.rfind("\x1b[?1049l"), std::string::npos) << "and back";
    EXPECT_EQ(read_file(path("before")), read_file(path("after"))) << "the terminal's settings";
  }
  [[nodiscard]] std::string code() const { return read_file(path("code")); }
};

TEST_F(StepScreen, KeysStepTypeAndEnd) {
  const Ran r = on_screen("cols 80 rows 24", "printf ' \\033[C]'; printf 'bwd\\r[q\\r'");
  expect_restored(r);
  EXPECT_EQ(code(), "0\n");
  EXPECT_TRUE(has(r.out, "fwd 3/8")) << "space, right and ]";
  EXPECT_TRUE(has(r.out, "bwd 6/8"));
  EXPECT_TRUE(has(r.out, "bwd 5/8")) << "[";
  EXPECT_TRUE(has(r.out, "\x1b[36m")) << "formulas in colour";
}

TEST_F(StepScreen, FortyColumnsAndAResize) {
  const Ran r = on_screen(
      "cols 40 rows 12",
      "printf 'bwd\\r'; printf ']]]]]]'; until_shown 'bwd 7/8'; sleep 0.1; before=$(size); "
      "stty cols 64 rows 20 < $(cat tty); until_grown; printf '?\\033[6~'; printf 'q\\r'");
  expect_restored(r);
  size_t narrow = 0, wide = 0;
  for (const std::string& line : drawn_lines(r.out)) {
    const int width = display_width(line);
    EXPECT_LE(width, 64) << line;
    ++(width > 40 ? wide : narrow);
  }
  EXPECT_GT(narrow, 20u);
  EXPECT_GT(wide, 2u) << "the new size is used without a key";
  const std::string before = r.out.substr(0, r.out.find("next: "));
  for (const std::string& line : drawn_lines(before)) EXPECT_LE(display_width(line), 40) << line;
}

TEST_F(StepScreen, NoColour) {
  const Ran r = on_screen("cols 80 rows 24", "printf 'bwd\\rq\\r'", "NO_COLOR=1");
  expect_restored(r);
  EXPECT_FALSE(has(r.out, "\x1b[36m"));
  EXPECT_FALSE(has(r.out, "\x1b[7m"));
}

TEST_F(StepScreen, TheTerminalIsRestoredWhateverEndsIt) {
  Ran r = on_screen("cols 80 rows 24", "printf 'n\\r'; sleep 0.2; printf '\\003'");
  expect_restored(r);
  EXPECT_EQ(code(), "0\n") << "Ctrl-C ends it";
  r = on_screen("cols 80 rows 24", "sleep 0.2; kill -TERM $(cat pid); sleep 0.2");
  expect_restored(r);
  EXPECT_EQ(code(), "143\n") << "ended by the signal, as it should look from outside";
  r = on_screen("cols 80 rows 24", "printf 'fly\\r'; printf 'set e[9] 1\\r'; printf 'q\\r'");
  expect_restored(r);
  EXPECT_TRUE(has(r.out, "expected a command")) << "a mistake is said and nothing ends";
  EXPECT_TRUE(has(r.out, "expected an index below 3"));
}

}  // namespace
}  // namespace heed
