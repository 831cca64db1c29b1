#include "examples/microscope/lessons/run.h"

#include <fmt/format.h>

#include <ostream>

namespace heed::microscope {

Findings run_lesson(const Lesson& lesson, const Settings& settings) {
  Findings found = lesson.run(settings);
  if (!found.trace) return found;
  found.trace->meta["title"] = lesson.question.en;
  const std::vector<std::string> wrong = faults(*found.trace);
  found.truths.push_back(equals(
      {"the trace: numbers that disagree with each other" + (wrong.empty() ? "" : ": " + wrong[0]),
       "轨迹：互相不符的数" + (wrong.empty() ? "" : "：" + wrong[0])},
      static_cast<double>(wrong.size()), 0, 0));
  return found;
}

int test_lessons(const std::vector<const Lesson*>& chosen, Lang lang, bool json,
                 std::ostream& out) {
  size_t truths = 0, failed = 0;
  Json all = Json::array();
  for (const Lesson* lesson : chosen) {
    const Findings found = run_lesson(*lesson, settings_of(*lesson));
    Json held = Json::array();
    for (const Truth& t : found.truths) {
      ++truths;
      failed += t.holds ? 0 : 1;
      held.push_back(truth_json(t, lang));
      if (!json) out << truth_text(lesson->name, t, lang);
    }
    all.push_back({{"lesson", lesson->name}, {"truths", held}});
  }
  if (json)
    out << Json({{"pass", failed == 0}, {"failed", failed}, {"lessons", all}}) << "\n";
  else
    out << fmt::format("{} of {} truths hold, {} lesson{}\n", truths - failed, truths,
                       chosen.size(), chosen.size() == 1 ? "" : "s");
  return failed == 0 ? 0 : 1;
}

}  // namespace heed::microscope
