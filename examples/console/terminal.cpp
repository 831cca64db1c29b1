#include "examples/console/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace heed {

TerminalOptions terminal_options(bool is_terminal, int window) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value ? value : "");
  };
  TerminalOptions options;
  const std::string_view columns = variable("COLUMNS");
  int width = 0;
  std::from_chars(columns.data(), columns.data() + columns.size(), width);
  if (width <= 0) width = window;
  if (width > 0) options.width = width;
  options.colour = is_terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  return options;
}

TerminalOptions terminal_of(std::FILE* out) {
  winsize window{};
  ioctl(fileno(out), TIOCGWINSZ, &window);  // 0 columns where it is no terminal
  return terminal_options(isatty(fileno(out)) == 1, window.ws_col);
}

}  // namespace heed
