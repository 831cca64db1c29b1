#include "examples/microscope/step/screen.h"

#include <signal.h>

#include <algorithm>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/raw_terminal.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

class Screen {
 public:
  Screen(Stepper& s, bool colour) : s_(s), colour_(colour) {}

  void run() {
    while (!s_.quit) {
      draw();
      const Key key = terminal_.read();
      if (key.kind == Key::interrupted) return;
      handle(key);
    }
  }

 private:
  // The step, and beneath it the answer to the last command where that is something else.
  std::vector<Line> lines(int width) {
    std::vector<Line> all = lines_of(step_report(s_), width, s_.digits);
    answer_at_ = all.size();
    std::vector<Line> answer = lines_of(answer_, width, s_.digits);
    const auto same = [](const Line& a, const Line& b) {
      return text_of(a, true) == text_of(b, true);
    };
    if (answer.size() >= all.size() &&
        std::equal(all.begin(), all.end(), answer.end() - static_cast<std::ptrdiff_t>(all.size()),
                   same))
      answer.resize(answer.size() - all.size());
    if (answer.empty()) return all;
    const std::string title = answered_.empty() ? "" : "─ " + answered_ + " ";
    all.push_back(
        {{fit_columns(title, width) + repeated("─", width - display_width(title)), Tone::dim}});
    all.insert(all.end(), answer.begin(), answer.end());
    return all;
  }

  void draw() {
    const auto [columns, rows] = RawTerminal::size();
    const int width = std::max(columns, 20);
    const int height = std::max(rows - 2, 1);
    const std::vector<Line> all = lines(width);
    const int total = static_cast<int>(all.size());
    if (follow_) scroll_ = std::min(static_cast<int>(answer_at_), total - height);
    follow_ = false;
    scroll_ = std::clamp(scroll_, 0, std::max(total - height, 0));
    page_ = std::max(height - 1, 1);
    std::string out = "\x1b[?25l\x1b[H";
    for (int i = 0; i < height; ++i) {
      const int at = scroll_ + i;
      out += "\x1b[2K";
      if (at < total) out += text_of(cut_line(all[static_cast<size_t>(at)], width), colour_);
      out += "\r\n";
    }
    out += "\x1b[2K" + status(width, total, height) + "\r\n\x1b[2K";
    // The end of a long line is what one looks at.
    std::string typed = input_;
    while (display_width(typed) > columns - 4) typed.erase(0, decode_utf8(typed, 0).bytes);
    out += "> " + typed + "\x1b[J\x1b[?25h";
    if (!terminal_.write(out)) s_.quit = true;
  }

  std::string status(int width, int total, int height) const {
    const Timeline& line = s_.line();
    const int length = std::max(line.length(), 1), bar = std::clamp(width / 4, 4, 30);
    const int done = bar * s_.at / length;
    const std::string more = total > height ? s_.pick(" PgUp/PgDn", " PgUp/PgDn 翻页") : "";
    const std::string text = fmt::format(
        "[{}{}] {}/{}{} {}", repeated("=", done), repeated("-", bar - done), s_.at, line.length(),
        more, s_.pick(" ←/→ step  ? help  q quit", " ←/→ 单步  ? 帮助  q 退出"));
    const std::string shown = fit_columns(text, width);
    return colour_ ? "\x1b[7m" + shown +
                         std::string(static_cast<size_t>(std::max(0, width - display_width(shown))),
                                     ' ') +
                         "\x1b[0m"
                   : shown;
  }

  void command(const std::string& text) {
    answer_ = {};
    answered_ = printable(text);
    follow_ = true;
    try {
      for (const std::string& one : script_of(text)) {
        answer_ = run_command(s_, one);
        if (s_.quit) return;
      }
    } catch (const std::invalid_argument& e) {
      answer_ = {};
      answer_.say(printable(e.what()), Tone::bad);
    } catch (const FileError& e) {
      answer_ = {};
      answer_.say(printable(e.what()), Tone::bad);
    }
  }

  void handle(const Key& key) {
    switch (key.kind) {
      case Key::text:
        if (input_.empty() && (key.bytes == " " || key.bytes == "]")) return command("n");
        if (input_.empty() && key.bytes == "[") return command("p");
        if (input_.empty() && key.bytes == "?") return command("?");
        if (input_.size() < 1000) input_ += key.bytes;
        return;
      case Key::enter: {
        const std::string text = std::exchange(input_, "");
        return command(text.empty() ? "n" : text);
      }
      case Key::backspace:
        while (!input_.empty()) {
          const auto last = static_cast<unsigned char>(input_.back());
          input_.pop_back();
          if ((last & 0xC0) != 0x80) break;  // the first byte of a character
        }
        return;
      case Key::erase_line:
        input_.clear();
        return;
      case Key::escape:
        input_.clear();
        answer_ = {};
        answered_.clear();
        scroll_ = 0;
        return;
      case Key::right:
        return command("n");
      case Key::left:
        return command("p");
      case Key::home:
        return command("g 0");
      case Key::end:
        return command("g end");
      case Key::up:
        scroll_ -= 1;
        return;
      case Key::down:
        scroll_ += 1;
        return;
      case Key::page_up:
        scroll_ -= page_;
        return;
      case Key::page_down:
        scroll_ += page_;
        return;
      case Key::redraw:
      case Key::resized:
      case Key::interrupted:
      case Key::unknown:
        return;
    }
  }

  Stepper& s_;
  bool colour_;
  RawTerminal terminal_;
  std::string input_, answered_;
  Report answer_;
  size_t answer_at_ = 0;
  int scroll_ = 0, page_ = 1;
  bool follow_ = true;
};

}  // namespace

int run_screen(Stepper& s, bool colour) {
  Screen(s, colour).run();  // the terminal is as before from here on
  if (const int number = RawTerminal::signal(); number != 0) {
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
  return s.failed ? 1 : 0;
}

}  // namespace heed::microscope::stepper
