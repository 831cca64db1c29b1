// The real program behind a shell, for tests: a scratch folder with a small parallel text, and what
// a command line gave.
#pragma once
#include <sys/wait.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/file_bytes.h"
#include "examples/translate/text.h"
#include "tests/core/file_checks.h"

namespace heed::translate {

struct Ran {
  int code;  // of the shell: 128 + the signal where one ended the program
  std::string out, err;
};

/// The lines of an output, each of which must have ended.
inline std::vector<std::string> lines_of(const std::string& text) {
  EXPECT_TRUE(text.empty() || text.ends_with('\n')) << "an unfinished line: " << text;
  std::vector<std::string> lines;
  for (const std::string_view line : split_lines(text)) lines.emplace_back(line);
  return lines;
}

/// The last line, which must be a JSON object.
inline nlohmann::json last_json(const std::string& text) {
  const auto lines = lines_of(text);
  const auto j = nlohmann::json::parse(lines.empty() ? "" : lines.back(), nullptr, false);
  EXPECT_TRUE(j.is_object()) << text;
  return j;
}

/// Name and bytes of every file of a folder.
inline std::map<std::string, std::string> contents(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    all[entry.path().filename()] = entry.is_regular_file() ? read_file(entry.path()) : "(folder)";
  return all;
}

class TranslateProgram : public ScratchFolder {
 protected:
  /// Runs a shell command in the scratch folder, $T being the program. stdin.txt is its input.
  [[nodiscard]] Ran sh(const std::string& command) const {
    const std::string line = "cd '" + folder() + "' && export T='" HEED_TRANSLATE "' && ( " +
                             command + " ) < stdin.txt > stdout.txt 2> stderr.txt";
    std::ofstream(path("stdin.txt"), std::ios::app).flush();
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(path("stdout.txt")),
            read_file(path("stderr.txt"))};
  }

  void write(const std::string& name, const std::string& text) const {
    write_file(path(name), text);
  }

  /// Trains a tiny model on pairs.tsv; `options` may override everything.
  [[nodiscard]] Ran train(const std::string& options) const {
    return sh("$T train " + kSmall + " --data pairs.tsv " + options);
  }

  /// A model that works, in the folder "model". One training serves all tests of a process.
  void SetUp() override {
    std::string pairs;
    const char* english[] = {"the cat", "a dog", "my aunt", "the old man"};
    const char* french[] = {"le chat", "un chien", "ma tante", "le vieil homme"};
    const char* verbs[][2] = {{"sleeps", "dort"}, {"eats", "mange"}, {"is here", "est là"}};
    for (size_t i = 0; i < 4; ++i)
      for (const auto& [verb, verbe] : verbs)
        for (const auto& [when, quand] : {std::pair{"", ""}, {" today", " aujourd'hui"}})
          pairs += std::string(english[i]) + " " + verb + when + "\t" + french[i] + " " + verbe +
                   quand + "\tCC-BY\n";
    write("pairs.tsv", pairs);
    static const auto model = [&] {
      const Ran r = train("--threads 1 -o model");
      EXPECT_EQ(r.code, 0) << r.err;
      return contents(path("model"));
    }();
    std::filesystem::create_directory(path("model"));
    for (const auto& [name, bytes] : model) write("model/" + name, bytes);
  }

  const std::string kSmall =
      "--embedding 8 --encoder-hidden 8 --decoder-hidden 8 --epochs 2 --batch-tokens 60";
};

}  // namespace heed::translate
