// The program `microscope` behind a shell: what it prints, its exit codes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/examples/microscope_program.h"

namespace heed {
namespace {

class MicroscopeProgram : public microscope::ProgramFolder {};
using microscope::Ran;

TEST_F(MicroscopeProgram, TracesValidatesExportsAndChecks) {
  Ran r = sh("$M trace --case $C/dot.json -o t.json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "t.json: 8 ops, 11 tensors, 11 contributions\n");
  r = sh("$M validate t.json --json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(nlohmann::json::parse(r.out)["valid"], true);
  r = sh("$M export t.json --node q --as json");
  EXPECT_EQ(r.code, 0) << r.err;
  const auto q = nlohmann::json::parse(r.out);
  EXPECT_EQ(q["shape"], (std::vector<int>{1, 2}));
  EXPECT_NEAR(q["grad"][0].get<double>(), 0.243617846466, 1e-12);
  EXPECT_NEAR(q["grad"][1].get<double>(), -0.179296900086, 1e-12);
  for (const char* how : {"", "--directional"}) {
    r = sh(std::string("$M check t.json --json ") + how);
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(nlohmann::json::parse(r.out)["checks"].size(), 11u);
  }
  r = sh("$M trace --case $C/dot.json --decompose softmax -o /dev/stdout");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(nlohmann::json::parse(r.out)["ops"].size(), 12u);
}

TEST_F(MicroscopeProgram, OneWrongBitIsACheckThatFailed) {
  EXPECT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
  std::string text = read_file(path("t.json"));
  const size_t at = text.find("\"grad\":[0.2436178464663168");
  ASSERT_NE(at, std::string::npos);
  const size_t digit = text.find(',', at) - 1;
  text[digit] = text[digit] == '9' ? '1' : '9';
  write_file(path("bad.json"), text);
  Ran r = sh("$M validate bad.json");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.out.find("bad.json: tensor 0 (q): its gradient at 0 is"), std::string::npos) << r.out;
  r = sh("$M check bad.json");
  EXPECT_EQ(r.code, 3) << "nobody works with a trace that is not valid";
  EXPECT_NE(r.err.find("its contributions sum to"), std::string::npos) << r.err;
}

TEST_F(MicroscopeProgram, TracesASentencePair) {
  Ran r = sh("$M trace --src 'the cat' --tgt 'le chat' --mech general --enc rnn -d 4 -o p.json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(sh("$M validate p.json").code, 0);
  EXPECT_EQ(sh("$M check p.json --directional --json").code, 0);
  r = sh("$M path p.json --from loss.t1 --to src.0 --json");
  EXPECT_EQ(r.code, 0) << r.err;
  const auto path = nlohmann::json::parse(r.out);
  EXPECT_EQ(path["total"].size(), 4u);
  EXPECT_LT(path["error"].get<double>(), 1e-12);
  EXPECT_NE(sh("$M path p.json --from loss.t1 --to src.0 --by time").out.find("t=1"),
            std::string::npos);
  r = sh("$M rerun p.json --set 'src[1]=dog' --set 'attention.weight[0,0]=0.5' -o u.json");
  EXPECT_EQ(r.code, 0) << r.err;
  r = sh("$M compare p.json u.json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("first value that differs: encoder/x\n"), std::string::npos) << r.out;
  EXPECT_NE(sh("$M compare p.json p.json").out.find("first gradient that differs: none"),
            std::string::npos);
  EXPECT_EQ(sh("$M trace --src 'a' --tgt 'b' --mech multi_head -d 4 --dtype f32 -o m.json").code,
            0);
  EXPECT_EQ(sh("$M check m.json --directional").code, 0);
}

TEST_F(MicroscopeProgram, SaysWhy) {
  EXPECT_EQ(sh("$M trace --case $C/masked.json -o t.json").code, 0);
  Ran r = sh("$M why t.json 'H[2,0]'");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out.substr(0, r.out.find('\n')), "H[2,0]: incoming_zero");
  EXPECT_NE(r.out.find("dL/de[0,2] = 0 (masked)"), std::string::npos) << r.out;
  EXPECT_NE(sh("$M why t.json 'H[2,0]' --lang zh").out.find("已经是 0"), std::string::npos);
  r = sh("$M why t.json 'e[2]' --json");
  EXPECT_EQ(nlohmann::json::parse(r.out)["rule"], "masked");
  EXPECT_EQ(sh("$M why t.json 'e[7]'").code, 2);
}

TEST_F(MicroscopeProgram, ExportsInEveryFormat) {
  EXPECT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
  const std::string csv = sh("$M export t.json --node e --as csv").out;
  EXPECT_EQ(csv.find("i0,i1,value,grad\n0,0,1,0.1792969000"), 0u) << csv;
  EXPECT_NE(csv.find("\n0,1,0.5,-0.1149759537"), std::string::npos) << csv;
  const std::string md = sh("$M export t.json --node H --as md").out;
  EXPECT_NE(md.find("| 1 | 0 |\n| 0 | 1 |\n| -1 | 1 |\n"), std::string::npos) << md;
  const std::string tex = sh("$M export t.json --node a --as tex").out;
  EXPECT_NE(tex.find("\\begin{bmatrix}\n  0.5465493872661"), std::string::npos) << tex;
  EXPECT_NE(tex.find("\\frac{\\partial L}{\\partial \\texttt{a}}"), std::string::npos) << tex;
  EXPECT_NE(tex.find("\\[ y = \\frac{\\exp\\left( x - \\max x \\right)}{\\sum "), std::string::npos)
      << tex;
  EXPECT_NE(tex.find("\\[ \\mathrm{d}x \\mathrel{+}= y \\odot "), std::string::npos) << tex;
  const std::string svg = sh("$M export t.json --node a --as svg").out;
  EXPECT_EQ(svg.find("<svg "), 0u);
  size_t cells = 0;
  for (size_t i = svg.find("<title>"); i != std::string::npos; i = svg.find("<title>", i + 1))
    ++cells;
  EXPECT_EQ(cells, 6u) << "three weights, three gradients";
  EXPECT_EQ(sh("$M export t.json --node H --as png -o H.png").code, 0);
  // Chunks as the standard has them; their sums, and what the blocks store, by hand below.
  const std::string png = read_file(path("H.png"));
  EXPECT_EQ(png.substr(0, 16), std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16));
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\0\x78\0\0\0\x58", 8)) << "2 (48 + 8) + 8, 72 + 16";
  EXPECT_EQ(png.substr(png.size() - 12), std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
  const std::string dot = sh("$M export t.json --as dot").out;
  EXPECT_EQ(dot.find("digraph trace {"), 0u);
  for (const char* op : {"matmul_nt", "softmax", "select", "log", "neg"})
    EXPECT_NE(dot.find(op), std::string::npos) << op;
  EXPECT_EQ(sh("$M export t.json --node e --as dot -o e.dot").code, 0);
  EXPECT_EQ(read_file(path("e.dot")).find("neg"), std::string::npos) << "only what is around e";
  EXPECT_EQ(sh("$M export t.json --as csv").code, 2);
  for (const char* as : {"csv", "md", "tex", "svg", "dot"}) {
    const std::string command = std::string("$M export t.json --node a --as ") + as;
    const auto j = nlohmann::json::parse(sh(command + " --json").out);
    EXPECT_EQ(j["as"], as);
    EXPECT_EQ(j["text"], sh(command).out) << as;
  }
  EXPECT_EQ(sh("$M export t.json --node a --as png --json").code, 2);
}

// What would take hours is measured along directions, and says so; --full insists.
TEST_F(MicroscopeProgram, ALargeTraceIsCheckedAlongDirections) {
  ASSERT_EQ(sh("$M trace --src 'a b' --tgt c -d 64 -o large.json").code, 0);
  Ran r = sh("$M check large.json");
  EXPECT_EQ(r.code, 0) << r.out;
  EXPECT_EQ(r.out.find("a large trace: one random direction per tensor"), 0u) << r.out;
  EXPECT_EQ(nlohmann::json::parse(sh("$M check large.json --json").out)["checks"][0]["method"],
            "directional");
  ASSERT_EQ(sh("$M trace --src a --tgt c -d 2 -o small.json").code, 0);
  r = sh("$M check small.json");
  EXPECT_EQ(r.code, 0) << r.out;
  EXPECT_EQ(r.out.find("direction"), std::string::npos) << r.out;
  EXPECT_EQ(
      nlohmann::json::parse(sh("$M check small.json --json --full").out)["checks"][0]["method"],
      "central");
}

// Words that are markup in a picture or a graph stay words.
TEST_F(MicroscopeProgram, ExportsHostileWordsHarmlessly) {
  EXPECT_EQ(sh("$M trace --src '<script>alert(1)</script> \"x' --tgt 'a&b' -d 2 -o t.json").code,
            0);
  const std::string svg = sh("$M export t.json --node a --as svg").out;
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_NE(svg.find("&lt;script&gt;"), std::string::npos);
}

TEST_F(MicroscopeProgram, ExitCodesOfPairs) {
  EXPECT_EQ(sh("$M trace -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --src a -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --case $C/dot.json --src a --tgt b -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --model none --src a -o t.json").code, 3);
  EXPECT_EQ(sh("$M trace --model none --src a --enc gru -o t.json").code, 2);
  EXPECT_EQ(sh("$M check t.json --full --directional").code, 2);
  EXPECT_EQ(sh("$M trace --model none --src a --tgt b --beam 2 -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --model none --src a --hypothesis 2 -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --src a --tgt b --beam 2 -o t.json").code, 2);
  EXPECT_EQ(sh("$M trace --model none --src a --beam 0 -o t.json").code, 2);
  const Ran magic = sh("$M trace --src a --tgt b --mech magic -o t.json");
  EXPECT_EQ(magic.code, 2);
  EXPECT_NE(magic.err.find("trace: options.mech: expected one of additive"), std::string::npos)
      << magic.err;
  EXPECT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
  EXPECT_EQ(sh("$M rerun t.json --set 'q[9]=1' -o u.json").code, 2);
  EXPECT_EQ(sh("$M rerun t.json --set 'src[0]=dog' -o u.json").code, 2);
  EXPECT_EQ(sh("$M path t.json --from L --to nobody").code, 2);
  EXPECT_EQ(sh("$M compare t.json none.json").code, 3);
  EXPECT_EQ(sh("$M check t.json --save s.json").code, 0);
  EXPECT_EQ(sh("$M validate s.json").code, 0);
  EXPECT_EQ(nlohmann::json::parse(read_file(path("s.json")))["checks"].size(), 11u);
}

TEST_F(MicroscopeProgram, ExitCodes) {
  write_file(path("deep.json"), std::string(100000, '['));
  write_file(path("empty.json"), "{}");
  EXPECT_EQ(sh("$M trace --case $C/dot.json --out t.json").code, 0);
  EXPECT_EQ(sh("$M --help").code, 0);
  EXPECT_EQ(sh("$M").code, 2);
  EXPECT_EQ(sh("$M fly").code, 2);
  EXPECT_EQ(sh("$M trace --case $C/dot.json").code, 2);
  EXPECT_EQ(sh("$M trace --case $C/dot.json --decompose tanh -o t.json").code, 2);
  EXPECT_EQ(sh("$M export t.json --node nobody").code, 2);
  EXPECT_EQ(sh("$M export t.json --node q --as poem").code, 2);
  EXPECT_EQ(sh("$M validate none.json").code, 3);
  EXPECT_EQ(sh("$M validate .").code, 3);
  EXPECT_EQ(sh("$M validate deep.json").code, 3);
  EXPECT_EQ(sh("$M validate empty.json").code, 3);
  EXPECT_EQ(sh("$M trace --case empty.json -o t.json").code, 3);
  EXPECT_EQ(sh("$M trace --case $C/dot.json -o none/t.json").code, 3);
  EXPECT_EQ(sh("$M check t.json --tol 1e-12").code, 1) << "no difference is that exact";
}

}  // namespace
}  // namespace heed
