// See dates.h.
#include "examples/translate/corpus/dates.h"

#include <fmt/format.h>

#include <chrono>

#include "core/error.h"
#include "examples/translate/text.h"

namespace heed::translate {
namespace {

constexpr std::string_view kFormats[] = {
    // English
    "{B} {d}, {Y}", "{d} {B} {Y}", "{b} {d}, {Y}", "{d} {b} {Y}", "{B} {o}, {Y}", "{o} {B} {Y}",
    "the {o} of {B} {Y}", "the {o} of {B}, {Y}", "{w}, {B} {d}, {Y}", "{w} {d} {B} {Y}",
    "{w}, the {o} of {B} {Y}", "{Y} {B} {d}", "{Y}, {B} {o}", "{d}-{b}-{Y}", "{D}-{b}-{Y}",
    "{b}. {d}, {Y}", "{a} {d} {b} {Y}", "{a}, {b} {d}, {Y}", "{B} the {o}, {Y}", "{d} of {B}, {Y}",
    // French
    "{d} {F} {Y}", "{O} {F} {Y}", "le {O} {F} {Y}", "{W} {O} {F} {Y}", "le {W} {O} {F} {Y}",
    "{d} {f} {Y}", "{D} {F} {Y}", "{W} {d} {f} {Y}", "en {Y}, le {O} {F}", "{O} {F}, {Y}",
    "{D}-{f}-{Y}", "{W} {d}/{m}/{Y}", "le {d}/{m}/{Y}",
    // digits
    "{d}/{m}/{Y}", "{D}/{M}/{Y}", "{d}.{m}.{Y}", "{D}.{M}.{Y}", "{d}-{m}-{Y}", "{D}-{M}-{Y}",
    "{d} {m} {Y}", "{a} {d}/{m}/{Y}", "{Y}-{M}-{D}", "{Y}/{M}/{D}", "{Y}.{M}.{D}", "{Y}{M}{D}",
    "{Y}-{m}-{d}", "{Y} {m} {d}"};

constexpr std::string_view kEnglishMonths[] = {"january",   "february", "march",    "april",
                                               "may",       "june",     "july",     "august",
                                               "september", "october",  "november", "december"};
constexpr std::string_view kFrenchMonths[] = {"janvier",   "février", "mars",     "avril",
                                              "mai",       "juin",    "juillet",  "août",
                                              "septembre", "octobre", "novembre", "décembre"};
constexpr std::string_view kFrenchShort[] = {"janv.", "févr.", "mars",  "avr.", "mai",  "juin",
                                             "juil.", "août",  "sept.", "oct.", "nov.", "déc."};
constexpr std::string_view kEnglishDays[] = {"sunday",   "monday", "tuesday", "wednesday",
                                             "thursday", "friday", "saturday"};
constexpr std::string_view kFrenchDays[] = {"dimanche", "lundi",    "mardi", "mercredi",
                                            "jeudi",    "vendredi", "samedi"};

std::string ordinal(unsigned day) {
  const bool teen = day / 10 == 1;
  const char* end = teen            ? "th"
                    : day % 10 == 1 ? "st"
                    : day % 10 == 2 ? "nd"
                    : day % 10 == 3 ? "rd"
                                    : "th";
  return fmt::format("{}{}", day, end);
}

/// The text of one field, and whether it tells the year, the month, the day or (' ') none of them.
std::pair<std::string, char> field(char code, std::chrono::year_month_day date) {
  const auto month = static_cast<unsigned>(date.month()), day = static_cast<unsigned>(date.day());
  const unsigned weekday = std::chrono::weekday(std::chrono::sys_days(date)).c_encoding();
  switch (code) {
    case 'Y':
      return {std::to_string(static_cast<int>(date.year())), 'Y'};
    case 'd':
      return {std::to_string(day), 'D'};
    case 'D':
      return {fmt::format("{:02}", day), 'D'};
    case 'o':
      return {ordinal(day), 'D'};
    case 'O':
      return {day == 1 ? "1er" : std::to_string(day), 'D'};
    case 'm':
      return {std::to_string(month), 'M'};
    case 'M':
      return {fmt::format("{:02}", month), 'M'};
    case 'B':
      return {std::string(kEnglishMonths[month - 1]), 'M'};
    case 'b':
      return {std::string(kEnglishMonths[month - 1].substr(0, 3)), 'M'};
    case 'F':
      return {std::string(kFrenchMonths[month - 1]), 'M'};
    case 'f':
      return {std::string(kFrenchShort[month - 1]), 'M'};
    case 'w':
      return {std::string(kEnglishDays[weekday]), ' '};
    case 'a':
      return {std::string(kEnglishDays[weekday].substr(0, 3)), ' '};
    case 'W':
      return {std::string(kFrenchDays[weekday]), ' '};
    default:
      break;
  }
  require(false, "dates: expected a field of date_formats(), got '{}'", code);
  return {};
}

}  // namespace

std::span<const std::string_view> date_formats() {
  return kFormats;
}

Example date_example(int year, unsigned month, unsigned day, std::string_view format) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  require(date.ok() && year >= 1900 && year <= 2099,
          "dates: expected a day of 1900 to 2099, got {}-{}-{}", year, month, day);
  Example e;
  std::string owner;  // per source token: Y, M, D or a blank
  for (size_t at = 0; at < format.size(); ++at) {
    std::pair<std::string, char> piece = {std::string(1, format[at]), ' '};
    if (format[at] == '{') {
      piece = field(format[at + 1], date);
      at += 2;
    }
    for (std::string& token : tokenise(piece.first, Tokeniser::chars)) {
      e.src.push_back(std::move(token));
      owner += piece.second;
    }
  }
  e.tgt = tokenise(fmt::format("{:04}-{:02}-{:02}", year, month, day), Tokeniser::chars);
  static constexpr std::string_view kTarget = "YYYY-MM-DD";
  const int first_of_year = static_cast<int>(owner.find('Y'));
  for (int t = 0; t < static_cast<int>(kTarget.size()); ++t) {
    if (t < 4) e.sure.push_back({first_of_year + t, t});
    for (int s = 0; t >= 4 && s < static_cast<int>(owner.size()); ++s) {
      const char wanted = kTarget[size_t(t)];
      if (wanted == '-' || owner[size_t(s)] == wanted) e.possible.push_back({s, t});
    }
  }
  return e;
}

Example random_date(Rng& rng) {
  using std::chrono::sys_days, std::chrono::year, std::chrono::days;
  const sys_days first = year(1900) / 1 / 1, last = year(2100) / 1 / 1;
  const auto count = static_cast<uint64_t>((last - first).count());
  const std::chrono::year_month_day date = first + days(static_cast<int>(rng.below(count)));
  return date_example(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), kFormats[rng.below(std::size(kFormats))]);
}

}  // namespace heed::translate
