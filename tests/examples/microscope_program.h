// The program `microscope` behind a shell, in a scratch folder.
#pragma once
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "core/file_bytes.h"
#include "tests/core/file_checks.h"

namespace heed::microscope {

struct Ran {
  int code;
  std::string out, err;
};

class ProgramFolder : public ScratchFolder {
 protected:
  /// Runs a line of sh with $M the program and $C the folder of example cases.
  [[nodiscard]] Ran sh(const std::string& command) const {
    const std::string line = "cd '" + folder() + "' && M='" HEED_MICROSCOPE "' && C='" +
                             HEED_SOURCE_DIR "/examples/microscope/cases' && ( " + command +
                             " ) > out.txt 2> err.txt < /dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(path("out.txt")),
            read_file(path("err.txt"))};
  }
};

}  // namespace heed::microscope
