#include "examples/microscope/step/line_mode.h"

#include <iostream>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

Json position_of(const Stepper& s) {
  const Timeline& line = s.line();
  if (s.at == 0) return {{"pass", "start"}, {"position", 0}};
  const Event& e = line.event(s.at);
  return {{"pass", e.backward ? "bwd" : "fwd"},
          {"step", e.backward ? s.at - line.forward() : s.at},
          {"of", e.backward ? line.backward() : line.forward()},
          {"position", s.at},
          {"op", e.op},
          {"name", line.op(e.op).op},
          {"scope", line.path(line.op(e.op).scope)}};
}

void print(const Stepper& s, const std::string& command, const Report& report, const LineMode& mode,
           std::ostream& out) {
  if (mode.json) {
    const Json j = {{"command", command}, {"at", position_of(s)}, {"items", json_of(report)}};
    out << j.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  for (const Line& line : lines_of(report, mode.width, s.digits))
    out << text_of(line, mode.colour) << "\n";
}

class Runner {
 public:
  Runner(Stepper& s, const LineMode& mode, std::ostream& out) : s_(s), mode_(mode), out_(out) {}

  void run(const std::string& text) {
    for (const std::string& command : script_of(text)) {
      if (s_.quit) return;
      ++number_;
      const size_t first = command.find_first_not_of(" \t\r");
      const std::string trimmed =
          command.substr(first, command.find_last_not_of(" \t\r") + 1 - first);
      try {
        const Report report = run_command(s_, trimmed);
        // Blank lines between the answers, but not between what they hold.
        if (!mode_.json && shown_ && !report.items.empty()) out_ << "\n";
        shown_ = shown_ || !report.items.empty();
        if (!s_.quit) print(s_, trimmed, report, mode_, out_);
      } catch (const std::invalid_argument& e) {
        if (!mode_.prompt)
          require(false, "command {} ({}): {}", number_, fit_columns(printable(trimmed), 40),
                  e.what());
        out_ << printable(e.what()) << "\n";
      } catch (const FileError& e) {
        if (!mode_.prompt) throw;
        out_ << printable(e.what()) << "\n";
      }
    }
  }

  void first() {
    print(s_, "", step_report(s_), mode_, out_);
    shown_ = true;
  }

 private:
  Stepper& s_;
  const LineMode& mode_;
  std::ostream& out_;
  int number_ = 0;
  bool shown_ = false;
};

}  // namespace

int run_script(Stepper& s, const std::string& script, const LineMode& mode, std::ostream& out) {
  Runner runner(s, mode, out);
  runner.run(script);
  return s.failed ? 1 : 0;
}

int run_lines(Stepper& s, std::istream& in, const LineMode& mode, std::ostream& out) {
  Runner runner(s, mode, out);
  if (mode.prompt) runner.first();
  std::string text;
  while (!s.quit) {
    if (mode.prompt) out << "(" << s.at << "/" << s.line().length() << ") " << std::flush;
    if (!std::getline(in, text)) break;
    constexpr size_t kLongest = 100'000;
    require(text.size() <= kLongest, "expected lines of at most {} bytes, got {}", kLongest,
            text.size());
    runner.run(text);
    out.flush();
  }
  if (mode.prompt && !s.quit) out << "\n";
  return s.failed ? 1 : 0;
}

}  // namespace heed::microscope::stepper
