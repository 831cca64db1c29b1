// The program `microscope` behind a shell: what it prints, its exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/file_bytes.h"
#include "tests/core/file_checks.h"

namespace heed {
namespace {

struct Ran {
  int code;
  std::string out, err;
};

class MicroscopeProgram : public ScratchFolder {
 protected:
  [[nodiscard]] Ran sh(const std::string& command) const {
    const std::string line = "cd '" + folder() + "' && M='" HEED_MICROSCOPE "' && C='" +
                             HEED_SOURCE_DIR "/examples/microscope/cases' && ( " + command +
                             " ) > out.txt 2> err.txt < /dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(path("out.txt")),
            read_file(path("err.txt"))};
  }
};

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

TEST_F(MicroscopeProgram, ExitCodes) {
  write_file(path("deep.json"), std::string(100000, '['));
  write_file(path("empty.json"), "{}");
  EXPECT_EQ(sh("$M trace --case $C/dot.json -o t.json").code, 0);
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
