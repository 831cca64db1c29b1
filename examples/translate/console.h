// What the program says to a person, and where: on standard output, or on standard error when
// standard output carries results for a program (--json).
#pragma once
#include <fmt/format.h>

#include <cstdio>
#include <set>
#include <string>
#include <string_view>

#include "examples/translate/attention_view.h"
#include "examples/translate/training.h"

namespace heed::translate {

class Console {
 public:
  explicit Console(bool json);

  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) {
    write(fmt::format(text, std::forward<Args>(args)...) + "\n");
  }
  void write(std::string_view text);
  /// One line that replaces the one before, on a terminal only; at most a few times a second.
  void progress(const TrainingProgress& p);
  /// The line of a finished epoch.
  void epoch(const EpochReport& r, int64_t epochs, double seconds_left);
  /// For views of this output.
  [[nodiscard]] TerminalOptions terminal() const { return terminal_of(out_); }

 private:
  std::FILE* out_;
  bool terminal_;
  bool dirty_ = false;  // a progress line is on the screen
  double last_ = 0;
};

/// Says on standard error which words a model reads as <unk>, each once: nothing in its output
/// shows that half of the sentence was not understood.
class UnknownWords {
 public:
  /// `where` the words came from: an option, or a file and line.
  void tell(std::string_view where, const Vocabulary& known, const Tokens& words);

 private:
  std::set<std::string> told_;
  bool said_more_ = false;
};

/// "1:05" or "2:00:30".
std::string clock_text(double seconds);

}  // namespace heed::translate
