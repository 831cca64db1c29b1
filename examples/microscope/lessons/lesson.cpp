// Truths, settings, and the table of lessons.
#include "examples/microscope/lessons/lesson.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "examples/microscope/lessons/all.h"

namespace heed::microscope {

Json cell(double v) {
  if (v - v == 0) return v;
  return v != v ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
}

Json cells(const Numbers& v) {
  Json list = Json::array();
  for (const double x : v) list.push_back(cell(x));
  return list;
}

Json cell(const Words& words) {
  return {{"en", words.en}, {"zh", words.zh}};
}

// ---- truths ----

Truth equals(Words says, const Numbers& measured, const Numbers& expected, double tolerance) {
  bool holds = measured.size() == expected.size();
  for (size_t i = 0; holds && i < measured.size(); ++i)
    holds = std::abs(measured[i] - expected[i]) <= tolerance;  // false for NaN
  return {std::move(says), cells(measured), "=", cells(expected), tolerance, holds};
}

Truth equals(Words says, double measured, double expected, double tolerance) {
  const bool holds = std::abs(measured - expected) <= tolerance;
  return {std::move(says), cell(measured), "=", cell(expected), tolerance, holds};
}

Truth exactly_zero(Words says, const Numbers& measured) {
  const bool holds = !measured.empty() &&
                     std::all_of(measured.begin(), measured.end(), [](double v) { return v == 0; });
  double worst = 0;  // the largest, or the first that is no number
  for (const double v : measured)
    if (worst == worst && !(std::abs(v) <= worst)) worst = std::abs(v);
  return {std::move(says), cell(worst), "=", 0.0, 0, holds};
}

Truth at_most(Words says, double measured, double limit) {
  return {std::move(says), cell(measured), "<=", cell(limit), 0, measured <= limit};
}

Truth at_least(Words says, double measured, double limit) {
  return {std::move(says), cell(measured), ">=", cell(limit), 0, measured >= limit};
}

Truth within(Words says, double measured, double low, double high) {
  return {std::move(says),
          cell(measured),
          "in",
          cells({low, high}),
          0,
          low <= measured && measured <= high};
}

Truth is(Words says, const std::string& measured, const std::string& expected) {
  return {std::move(says), measured, "=", expected, 0, measured == expected};
}

// ---- settings ----

namespace {

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

}  // namespace

Numbers Settings::numbers(const std::string& name, double low, double high) const {
  Numbers all;
  for (const std::string& part : parts_of(given_.at(name))) {
    double v = NAN;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), v);
    require(error == std::errc() && end == part.data() + part.size() && low <= v && v <= high,
            "--{}: expected numbers in [{}, {}] with commas between them, got '{}'", name, low,
            high, given_.at(name));
    all.push_back(v);
  }
  require(all.size() <= 64, "--{}: expected at most 64 numbers, got {}", name, all.size());
  return all;
}

double Settings::number(const std::string& name, double low, double high) const {
  const Numbers all = numbers(name, low, high);
  require(all.size() == 1, "--{}: expected one number, got '{}'", name, given_.at(name));
  return all[0];
}

std::vector<int64_t> Settings::integers(const std::string& name, int64_t low, int64_t high) const {
  std::vector<int64_t> all;
  for (const double v : numbers(name, static_cast<double>(low), static_cast<double>(high))) {
    require(v == std::floor(v), "--{}: expected whole numbers, got '{}'", name, given_.at(name));
    all.push_back(static_cast<int64_t>(v));
  }
  return all;
}

std::vector<std::string> Settings::words(const std::string& name) const {
  return parts_of(given_.at(name));
}

bool Settings::has(const std::string& name, const std::string& word) const {
  const std::vector<std::string> all = words(name);
  return std::find(all.begin(), all.end(), word) != all.end();
}

Settings settings_of(const Lesson& lesson, const std::map<std::string, std::string>& given) {
  std::map<std::string, std::string> all;
  for (const LessonOption& o : lesson.options) all[o.name] = o.preset;
  for (const auto& [name, value] : given) {
    const auto named = [&wanted = name](const LessonOption& o) { return o.name == wanted; };
    const auto it = std::find_if(lesson.options.begin(), lesson.options.end(), named);
    require(it != lesson.options.end(), "lesson {}: it has no option '{}'", lesson.name, name);
    if (!it->choices.empty())
      for (const std::string& word : parts_of(value)) {
        const auto& all_words = it->choices;
        require(std::find(all_words.begin(), all_words.end(), word) != all_words.end(),
                "--{}: expected {}, got '{}'", name, fmt::join(all_words, ", "), word);
      }
    all[name] = value;
  }
  return Settings(std::move(all));
}

// ---- the table ----

const std::vector<Lesson>& lessons() {
  static const std::vector<Lesson> all{
      sqrt_d_lesson(),      saturate_lesson(),   mask_lesson(),          score_fns_lesson(),
      hard_lesson(),        local_p_lesson(),    heads_lesson(),         paths_lesson(),
      forcing_lesson(),     padding_lesson(),    smoothing_lesson(),     clip_lesson(),
      blind_query_lesson(), bug_museum_lesson(), not_importance_lesson()};
  return all;
}

const Lesson& lesson_named(const std::string& name) {
  std::string known;
  for (const Lesson& lesson : lessons()) {
    if (lesson.name == name) return lesson;
    known += (known.empty() ? "" : ", ") + lesson.name;
  }
  require(false, "expected the name of a lesson ({}), got '{}'", known, name);
  return lessons()[0];
}

}  // namespace heed::microscope
