// Whole numbers below a million in English and French words, written out with spaces and hyphens.
#pragma once
#include <string>

namespace heed::translate {

/// "one hundred twenty-three thousand four" (American, without "and"). 0 <= n <= 999999, else
/// std::invalid_argument.
std::string english_number(int n);

/// "quatre-vingt mille soixante et onze": traditional spelling, hyphens below a hundred only; cents
/// and quatre-vingts lose their s before another number word. 0 <= n <= 999999.
std::string french_number(int n);

}  // namespace heed::translate
