#include "examples/translate/console.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "examples/console/utf8.h"

namespace heed::translate {

Console::Console(bool json) : out_(json ? stderr : stdout), terminal_(isatty(fileno(out_)) == 1) {}

void Console::write(std::string_view text) {
  if (dirty_) std::fputs("\r\x1b[K", out_);
  dirty_ = false;
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void Console::progress(const TrainingProgress& p) {
  if (!terminal_) return;
  const double now =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (now - last_ < 0.2) return;
  last_ = now;
  std::string line =
      fmt::format("epoch {}/{} {:3.0f} %  loss {:.4f}  {:.0f} tokens/s  {} left", p.epoch, p.epochs,
                  100.0 * static_cast<double>(p.tokens) / static_cast<double>(p.epoch_tokens),
                  p.loss, p.tokens_per_second, clock_text(p.seconds_left));
  const auto width = static_cast<size_t>(terminal().width);
  if (line.size() >= width) line.resize(width > 1 ? width - 1 : 0);
  fmt::print(out_, "\r\x1b[K{}", line);
  std::fflush(out_);
  dirty_ = true;
}

void Console::epoch(const EpochReport& r, int64_t epochs, double seconds_left) {
  say("epoch {:>{}}/{}  loss {:.4f}  valid {:.4f} (perplexity {:.3f}, exact {:5.1f} %){}  "
      "{:.0f} tokens/s  {} left",
      r.epoch, fmt::formatted_size("{}", epochs), epochs, r.train_loss, r.valid_loss,
      std::exp(r.valid_loss), 100 * r.valid_exact, r.best ? " *" : "  ", r.tokens_per_second,
      clock_text(seconds_left));
}

void UnknownWords::tell(std::string_view where, const Vocabulary& known, const Tokens& words) {
  constexpr size_t kMost = 20;
  std::string news;
  bool more = false;
  for (const std::string& word : words) {
    if (known.id(word) != kUnk || told_.contains(word)) continue;
    if ((more = told_.size() == kMost)) break;
    told_.insert(word);
    news += (news.empty() ? "" : ", ") + printable(word);
  }
  if (!news.empty())
    fmt::print(stderr, "{}: not in the vocabulary, read as <unk>: {}\n", where, news);
  if (more && !std::exchange(said_more_, true))
    fmt::print(stderr, "{}: further unknown words are not named\n", where);
}

std::string clock_text(double seconds) {
  const auto s = static_cast<int64_t>(std::isfinite(seconds) && seconds > 0 ? seconds + 0.5 : 0);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace heed::translate
