// What an output can show: how many columns, and whether in colour. Nothing is drawn here.
#pragma once
#include <cstdio>

namespace heed {

/// What a terminal can show.
struct TerminalOptions {
  int width = 80;       ///< columns
  bool colour = false;  ///< 256 colours
};

/// From the environment: COLUMNS gives the width (without it `window`, the columns of a terminal,
/// or 80), colour is on if `is_terminal`, NO_COLOR is unset or empty (no-color.org), and TERM is
/// not "dumb".
TerminalOptions terminal_options(bool is_terminal, int window = 0);

/// The columns and colours of an output, a terminal or not.
TerminalOptions terminal_of(std::FILE* out);

}  // namespace heed
