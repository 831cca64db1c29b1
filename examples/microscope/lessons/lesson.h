// What a lesson is: a question, a text in two languages, a function that computes numbers with the
// library there and then, and the truths that these numbers are held to. One file per lesson; the
// table of all of them is `lessons()`. Nothing here prints or reads a command line.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// The same in English and in Chinese. Where one text is given it is a formula or a name, the same
/// in both.
struct Words {
  std::string en, zh;
  Words() = default;
  Words(std::string same) : en(same), zh(std::move(same)) {}  // NOLINT(google-explicit-constructor)
  Words(const char* same) : Words(std::string(same)) {}       // NOLINT(google-explicit-constructor)
  Words(std::string english, std::string chinese)
      : en(std::move(english)), zh(std::move(chinese)) {}
};

/// A number or a text as a cell of a table; numbers that are not finite as a trace writes them.
Json cell(double v);
Json cells(const Numbers& v);
Json cell(const Words& words);

struct Row {
  Words label;
  std::vector<Json> cells;  // numbers, lists of numbers or texts
};
struct Table {
  Words title;
  std::vector<Words> columns;  // above the cells
  std::vector<Row> rows;
};

/// One assertion: what is said, what was measured, what it is compared with.
struct Truth {
  Words says;
  Json measured;         // a number, a list of numbers, or a text
  std::string relation;  // "=", "<=", ">=", "in"
  Json limit;
  double tolerance;  // of "=": |measured - limit| <= tolerance for every number
  bool holds;
};
Truth equals(Words says, const Numbers& measured, const Numbers& expected, double tolerance);
Truth equals(Words says, double measured, double expected, double tolerance);
/// Every number is 0, and not only small.
Truth exactly_zero(Words says, const Numbers& measured);
Truth at_most(Words says, double measured, double limit);
Truth at_least(Words says, double measured, double limit);
Truth within(Words says, double measured, double low, double high);
/// Two texts that are the same.
Truth is(Words says, const std::string& measured, const std::string& expected);

/// What a run of a lesson found.
struct Findings {
  std::vector<Table> tables;
  std::vector<Truth> truths;
  std::optional<Trace> trace;  // what the lesson is about, to be opened in the viewers
};

/// An option of one lesson. A list of numbers unless `choices` says which words it may hold; with
/// `flag` it is given or not.
struct LessonOption {
  std::string name;
  Words what;
  std::string preset;
  std::vector<std::string> choices = {};
  bool flag = false;
};

/// The options of a run as given on the command line.
class Settings {
 public:
  explicit Settings(std::map<std::string, std::string> given) : given_(std::move(given)) {}
  /// The numbers of "4,16,64". Throws std::invalid_argument unless each is in [low, high].
  [[nodiscard]] Numbers numbers(const std::string& name, double low, double high) const;
  [[nodiscard]] double number(const std::string& name, double low, double high) const;
  [[nodiscard]] std::vector<int64_t> integers(const std::string& name, int64_t low,
                                              int64_t high) const;
  [[nodiscard]] std::vector<std::string> words(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name, const std::string& word) const;
  [[nodiscard]] bool flag(const std::string& name) const { return given_.at(name) == "on"; }
  [[nodiscard]] const std::map<std::string, std::string>& all() const { return given_; }

 private:
  std::map<std::string, std::string> given_;
};

struct Lesson {
  std::string name;
  Words question;
  Words text;  // paragraphs
  Words look;  // what to look at in the numbers
  std::vector<LessonOption> options;
  Findings (*run)(const Settings& settings);
};

/// Every lesson, in the order in which they are learned.
const std::vector<Lesson>& lessons();
/// The lesson of this name. Throws std::invalid_argument with the names there are.
const Lesson& lesson_named(const std::string& name);
/// The presets of a lesson, with these put in their place. Throws std::invalid_argument for an
/// option that it does not have and for words that are none of its choices.
Settings settings_of(const Lesson& lesson, const std::map<std::string, std::string>& given = {});

}  // namespace heed::microscope
