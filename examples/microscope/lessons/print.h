// A lesson as text for a person and as JSON for a program.
#pragma once
#include <string>

#include "examples/microscope/lessons/lesson.h"

namespace heed::microscope {

enum class Lang { en, zh };
inline const std::string& in(Lang lang, const Words& words) {
  return lang == Lang::zh ? words.zh : words.en;
}

/// The text, the numbers, what to look at, and the truths; no line is wider than `columns` unless
/// one word or one row of a table is.
std::string lesson_text(const Lesson& lesson, const Findings& found, Lang lang, int columns);
/// "ok   name  what is said: measured = expected" or "FAIL ...", a line.
std::string truth_text(const std::string& lesson, const Truth& truth, Lang lang);
/// `text` broken into lines of at most `columns`, each paragraph by itself. Chinese breaks between
/// any two characters, but never before a closing mark.
std::string wrapped(const std::string& text, int columns);

Json truth_json(const Truth& truth, Lang lang);
Json lesson_json(const Lesson& lesson, const Settings& settings, const Findings& found, Lang lang);

}  // namespace heed::microscope
