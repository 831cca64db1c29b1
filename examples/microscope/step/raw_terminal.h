// A terminal that hands over every key and shows what it is told: raw mode on the alternate screen
// while alive, all as it was before afterwards, also when an exception or a signal ends it.
#pragma once
#include <termios.h>

#include <string>
#include <string_view>

namespace heed::microscope::stepper {

/// What came from the keyboard, or happened to the terminal.
struct Key {
  enum Kind {
    text,  // `bytes`: one character in UTF-8
    enter,
    backspace,
    erase_line,  // Ctrl-U
    left,
    right,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    escape,
    redraw,  // Ctrl-L
    resized,
    interrupted,  // Ctrl-C, Ctrl-D, a signal that asks to end, the terminal is gone
    unknown
  } kind;
  std::string bytes{};
};

class RawTerminal {
 public:
  /// Throws std::runtime_error where standard input and output are no terminal.
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  /// Waits for the next key, a new size or a signal.
  Key read();
  /// False when the terminal is gone.
  bool write(std::string_view bytes) const;
  struct Size {
    int columns, rows;
  };
  /// Of the window now; 80 x 24 where it does not say. COLUMNS can make it narrower.
  static Size size();
  /// The signal that ended it, or 0.
  static int signal();

 private:
  int byte(bool wait);  // -1: none, -2: interrupted
  Key escape_sequence();
  termios before_{};
  std::string pending_;
};

}  // namespace heed::microscope::stepper
