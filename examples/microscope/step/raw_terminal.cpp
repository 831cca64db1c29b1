#include "examples/microscope/step/raw_terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <stdexcept>

#include "examples/console/utf8.h"

namespace heed::microscope::stepper {
namespace {

constexpr int kNone = -1, kInterrupted = -2;
constexpr int kCaught[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP};

volatile sig_atomic_t resized_flag = 0, ended_by = 0;

void on_signal(int number) {
  if (number == SIGWINCH)
    resized_flag = 1;
  else
    ended_by = number;
}

sigset_t caught_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kCaught) sigaddset(&set, number);
  return set;
}

struct sigaction actions_before[std::size(kCaught)];
sigset_t mask_before;

}  // namespace

RawTerminal::RawTerminal() {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1 ||
      tcgetattr(STDIN_FILENO, &before_) != 0)
    throw std::runtime_error("expected a terminal on standard input and output");
  // Signals arrive only while we wait (ppoll), so that none is missed and none cuts a line in two.
  const sigset_t set = caught_set();
  sigprocmask(SIG_BLOCK, &set, &mask_before);
  resized_flag = 0;
  ended_by = 0;
  for (size_t i = 0; i < std::size(kCaught); ++i) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(kCaught[i], &action, &actions_before[i]);
  }
  termios raw = before_;
  raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
  raw.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  raw.c_cflag |= CS8;
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN | ISIG);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  write("\x1b[?1049h\x1b[2J\x1b[H");  // the alternate screen, empty
}

RawTerminal::~RawTerminal() {
  write("\x1b[0m\x1b[?25h\x1b[?1049l");
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  for (size_t i = 0; i < std::size(kCaught); ++i)
    sigaction(kCaught[i], &actions_before[i], nullptr);
  sigprocmask(SIG_SETMASK, &mask_before, nullptr);
}

bool RawTerminal::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

RawTerminal::Size RawTerminal::size() {
  winsize window{};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
  Size size{window.ws_col > 0 ? window.ws_col : 80, window.ws_row > 0 ? window.ws_row : 24};
  if (const char* text = std::getenv("COLUMNS")) {
    const std::string_view wish(text);
    int columns = 0;
    std::from_chars(wish.data(), wish.data() + wish.size(), columns);
    if (columns > 0 && columns < size.columns) size.columns = columns;
  }
  return size;
}

int RawTerminal::signal() {
  return ended_by;
}

int RawTerminal::byte(bool wait) {
  if (!pending_.empty()) {
    const int b = static_cast<unsigned char>(pending_.front());
    pending_.erase(0, 1);
    return b;
  }
  sigset_t none = mask_before;
  for (const int number : kCaught) sigdelset(&none, number);
  pollfd in{STDIN_FILENO, POLLIN, 0};
  const timespec soon{0, 50'000'000};  // the rest of a key's bytes follows at once
  const int ready = ppoll(&in, 1, wait ? nullptr : &soon, &none);
  if (ready < 0) return errno == EINTR ? kInterrupted : 4;
  if (ready == 0) return kNone;
  char buffer[256];
  const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
  if (n <= 0) return 4;  // as Ctrl-D: the terminal is gone
  pending_.assign(buffer, static_cast<size_t>(n));
  return byte(wait);
}

Key RawTerminal::escape_sequence() {
  const int first = byte(false);
  if (first < 0) return {Key::escape};
  if (first != '[' && first != 'O') return {Key::unknown};
  std::string parameters;
  for (;;) {
    const int b = byte(false);
    if (b < 0 || parameters.size() > 16) return {Key::unknown};
    if (b >= 0x40 && b <= 0x7E) {  // the final byte
      switch (b) {
        case 'A':
          return {Key::up};
        case 'B':
          return {Key::down};
        case 'C':
          return {Key::right};
        case 'D':
          return {Key::left};
        case 'H':
          return {Key::home};
        case 'F':
          return {Key::end};
        case '~':
          return {parameters == "5"   ? Key::page_up
                  : parameters == "6" ? Key::page_down
                  : parameters == "1" ? Key::home
                  : parameters == "4" ? Key::end
                                      : Key::unknown};
        default:
          return {Key::unknown};
      }
    }
    parameters += static_cast<char>(b);
  }
}

Key RawTerminal::read() {
  const int b = byte(true);
  if (b == kInterrupted) {
    if (ended_by != 0) return {Key::interrupted};
    if (resized_flag != 0) {
      resized_flag = 0;
      return {Key::resized};
    }
    return {Key::unknown};
  }
  if (b == 0x1B) return escape_sequence();
  if (b == '\r' || b == '\n') return {Key::enter};
  if (b == 0x7F || b == 0x08) return {Key::backspace};
  if (b == 0x15) return {Key::erase_line};
  if (b == 0x0C) return {Key::redraw};
  if (b == 0x03 || b == 0x04) return {Key::interrupted};
  if (b < 0x20) return {Key::unknown};
  std::string bytes(1, static_cast<char>(b));
  const int more = b >= 0xF0 ? 3 : b >= 0xE0 ? 2 : b >= 0xC0 ? 1 : 0;
  for (int i = 0; i < more; ++i) {
    const int next = byte(false);
    if (next < 0) return {Key::unknown};
    bytes += static_cast<char>(next);
  }
  if (!decode_utf8(bytes, 0).valid) return {Key::unknown};
  return {Key::text, bytes};
}

}  // namespace heed::microscope::stepper
