// Dates as people write them in English and French, and as YYYY-MM-DD. A generator, not a parser.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "core/rng.h"
#include "examples/translate/example.h"

namespace heed::translate {

/// The formats. {d} day, {D} day of two digits, {o} 5th, {O} 1er or 5, {m} {M} month in digits,
/// {B} {b} English month and its short form, {F} {f} the same in French, {w} {a} English weekday
/// and its short form, {W} French weekday, {Y} year. Digits alone are always day before month,
/// unless the year is first.
std::span<const std::string_view> date_formats();

/// The day (1900-2099) in this format, as character tokens to YYYY-MM-DD. The digits of the year
/// have sure links; month and day may be linked to any character of their field; the hyphens, which
/// come from nowhere, to any character.
Example date_example(int year, unsigned month, unsigned day, std::string_view format);

/// A day of 1900 to 2099 and a format, both uniform.
Example random_date(Rng& rng);

}  // namespace heed::translate
