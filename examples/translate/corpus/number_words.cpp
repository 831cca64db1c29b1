// See number_words.h.
#include "examples/translate/corpus/number_words.h"

#include "core/error.h"

namespace heed::translate {
namespace {

void check(int n) {
  require(n >= 0 && n <= 999'999, "number words: expected 0 to 999999, got {}", n);
}

std::string spaced(const std::string& a, const std::string& b) {
  return a.empty() ? b : b.empty() ? a : a + " " + b;
}

/// 1 to 999; "" for 0.
std::string english_below_thousand(int n) {
  static constexpr const char* kSmall[] = {
      "",         "one",     "two",     "three",     "four",     "five",    "six",
      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
  static constexpr const char* kTens[] = {"",      "",      "twenty",  "thirty", "forty",
                                          "fifty", "sixty", "seventy", "eighty", "ninety"};
  const std::string hundreds = n < 100 ? "" : std::string(kSmall[n / 100]) + " hundred";
  const int rest = n % 100;
  if (rest < 20) return spaced(hundreds, kSmall[rest]);
  const std::string unit = rest % 10 == 0 ? "" : std::string("-") + kSmall[rest % 10];
  return spaced(hundreds, kTens[rest / 10] + unit);
}

/// 1 to 99; "" for 0. `last`: nothing follows, so that quatre-vingts keeps its s.
std::string french_below_hundred(int n, bool last) {
  static constexpr const char* kSmall[] = {"",       "un",    "deux",     "trois",    "quatre",
                                           "cinq",   "six",   "sept",     "huit",     "neuf",
                                           "dix",    "onze",  "douze",    "treize",   "quatorze",
                                           "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf"};
  static constexpr const char* kTens[] = {
      "",          "",         "vingt",    "trente",       "quarante",
      "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt"};
  if (n < 20) return kSmall[n];
  const int base =
      n / 10 == 7 || n / 10 == 9 ? n / 10 - 1 : n / 10;  // 70 is 60 + 10, 90 is 80 + 10
  const int rest = n - 10 * base;
  const std::string tens = kTens[base];
  if (rest == 0) return base == 8 && last ? "quatre-vingts" : tens;
  if ((rest == 1 || rest == 11) && base != 8) return tens + " et " + kSmall[rest];
  return tens + "-" + kSmall[rest];
}

std::string french_below_thousand(int n, bool last) {
  const int hundreds = n / 100, rest = n % 100;
  std::string text;
  if (hundreds == 1) text = "cent";
  if (hundreds > 1) {
    text = french_below_hundred(hundreds, false) + (rest == 0 && last ? " cents" : " cent");
  }
  return spaced(text, french_below_hundred(rest, last));
}

}  // namespace

std::string english_number(int n) {
  check(n);
  if (n == 0) return "zero";
  const std::string thousands = n < 1000 ? "" : english_below_thousand(n / 1000) + " thousand";
  return spaced(thousands, english_below_thousand(n % 1000));
}

std::string french_number(int n) {
  check(n);
  if (n == 0) return "zéro";
  std::string thousands;
  if (n >= 1000) {
    thousands = n < 2000 ? "mille" : french_below_thousand(n / 1000, false) + " mille";
  }
  return spaced(thousands, french_below_thousand(n % 1000, true));
}

}  // namespace heed::translate
