// Traces of which large tensors are samples: changed, exported; and options that do not go
// together.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/examples/microscope_program.h"

namespace heed::microscope {
namespace {

class MicroscopeSamples : public ProgramFolder {
 protected:
  [[nodiscard]] nlohmann::json tensor(const char* trace, const char* name) const {
    return nlohmann::json::parse(
        sh(std::string("$M export ") + trace + " --node " + name + " --as json").out);
  }
  void trace(const char* src, const char* more, const char* to) const {
    const Ran r = sh(std::string("$M trace --src '") + src + "' --tgt 'le chat' -d 24 --seed 3 " +
                     more + " -o " + to);
    ASSERT_EQ(r.code, 0) << r.err;
  }
};

// The library runs again, and of its numbers a sample is taken again: a word that is changed gives
// the file that the other sentence gives.
TEST_F(MicroscopeSamples, AWordCanBeChanged) {
  trace("the cat", "--sample 300 --title T", "t.json");
  trace("the dog", "--sample 300 --title T", "expected.json");
  Ran r = sh("$M rerun t.json --set 'src[1]=dog' -o u.json");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(read_file(path("u.json")), read_file(path("expected.json")));
  EXPECT_EQ(sh("$M validate u.json").code, 0);
  EXPECT_EQ(tensor("u.json", "attention.key.weight")["value"].size(), 256u);
}

TEST_F(MicroscopeSamples, ANumberCanBeChanged) {
  trace("the cat", "", "whole.json");
  trace("the cat", "--sample 300", "t.json");
  const std::string set = " --set 'attention.key.weight[3,5]=2' -o ";
  Ran r = sh("$M rerun t.json" + set + "u.json && $M rerun whole.json" + set + "v.json");
  ASSERT_EQ(r.code, 0) << r.err;
  for (const char* name : {"L", "attention.v", "h"})
    EXPECT_EQ(tensor("u.json", name)["grad"], tensor("v.json", name)["grad"]) << name;
  EXPECT_NE(tensor("u.json", "L")["value"], tensor("t.json", "L")["value"]);
  // What was changed stays so when more is.
  r =
      sh("$M rerun u.json --set 'src[0]=a' -o w.json && "
         "$M rerun whole.json --set 'src[0]=a' --set 'attention.key.weight[3,5]=2' -o x.json");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(tensor("w.json", "L")["value"], tensor("x.json", "L")["value"]);
  EXPECT_NE(tensor("w.json", "L")["value"], tensor("u.json", "L")["value"]);
  r = sh("$M check t.json");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("record it without --sample"), std::string::npos) << r.err;
}

TEST_F(MicroscopeSamples, ExportsSayWhatTheyAre) {
  trace("the cat", "--sample 300", "t.json");
  const std::string node = "$M export t.json --node attention.key.weight --as ";
  const nlohmann::json j = tensor("t.json", "attention.key.weight");
  EXPECT_EQ(j["shape"], (std::vector<int>{24, 24}));
  EXPECT_EQ(j["sample"], "256 of 576 numbers");
  EXPECT_EQ(j["places"][1], 2);
  EXPECT_EQ(j["stats"]["nonfinite"], 0);
  EXPECT_TRUE(j["grad_stats"].contains("l2"));
  const std::string csv = sh(node + "csv").out;
  EXPECT_EQ(csv.find("i0,i1,value,grad,sample\n0,0,"), 0u) << csv;
  EXPECT_NE(csv.find(",256 of 576 numbers\n23,21,"), std::string::npos) << csv;
  const std::string md = sh(node + "md").out;
  EXPECT_EQ(md.find("## attention.key.weight (a sample: 256 of 576 numbers)\n"), 0u) << md;
  EXPECT_NE(md.find("\n| [0,2] | "), std::string::npos) << md;
  const std::string tex = sh(node + "tex").out;
  EXPECT_NE(tex.find("\\texttt{attention.key.weight}\\text{ (a sample: 256 of 576 numbers)} = "),
            std::string::npos)
      << tex;
  const std::string svg = sh(node + "svg").out;
  EXPECT_NE(svg.find(">attention.key.weight (a sample: 256 of 576 numbers)</text>"),
            std::string::npos);
  EXPECT_NE(svg.find(">[0,2]</text>"), std::string::npos);
  const Ran png = sh(node + "png -o w.png");
  EXPECT_EQ(png.code, 2);
  EXPECT_NE(png.err.find("256 of 576 numbers, and a PNG has no words to say so"), std::string::npos)
      << png.err;
  const std::string dot = sh(node + "dot").out;
  EXPECT_NE(dot.find("attention.key.weight [24, 24] (a sample: 256 of 576 numbers)\""),
            std::string::npos)
      << dot;
  EXPECT_FALSE(tensor("t.json", "attention.v").contains("sample")) << "all of it is there";
}

// A case brings all that it is made of; an option that would be ignored is refused.
TEST_F(MicroscopeSamples, ACaseTakesNoOptionsOfSentences) {
  for (const char* option : {"--tgt b",
                             "--beam 4",
                             "--hypothesis 1",
                             "--ls 0.1",
                             "--dtype f32",
                             "--mech dot",
                             "--score dot",
                             "--hard none",
                             "--enc gru",
                             "--decoder luong",
                             "--bridge zero",
                             "--unidirectional",
                             "--input-feeding",
                             "--pre-norm",
                             "--reach 2",
                             "--layers 1",
                             "-d 4",
                             "--heads 2",
                             "--ff 16",
                             "--temperature 1",
                             "--mode free_running",
                             "--pad 1",
                             "--seed 1"}) {
    const Ran r = sh(std::string("$M trace --case $C/dot.json -o t.json ") + option);
    EXPECT_EQ(r.code, 2) << option;
    const std::string name = std::string(option) == "-d 4" ? "--size" : option;
    EXPECT_NE(r.err.find(name.substr(0, name.find(' ')) + " is for sentences"), std::string::npos)
        << option << ": " << r.err;
    EXPECT_NE(sh("test -e t.json").code, 0) << option << ": nothing is written";
  }
  EXPECT_EQ(
      sh("$M trace --case $C/dot.json --title T --sample 300 --decompose softmax -o t.json").code,
      0);
}

}  // namespace
}  // namespace heed::microscope
