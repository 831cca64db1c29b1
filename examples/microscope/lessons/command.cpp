// microscope lesson list | run NAME | test NAME|all.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/console/terminal.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/lessons/print.h"
#include "examples/microscope/lessons/run.h"

namespace heed::microscope {
namespace {

struct LessonCommand {
  std::string lang = "en", output, name;
  bool json = false;
  std::map<std::string, std::string> given;  // by the lesson's own options
  std::map<std::string, bool> flags;

  [[nodiscard]] Lang language() const { return lang == "zh" ? Lang::zh : Lang::en; }
};

void add_common(CommandLine& sub, LessonCommand& c) {
  sub.add_option("--lang", c.lang, "The language of the text: en or zh").one_of({"en", "zh"});
  sub.add_flag("--json", c.json, "One line of JSON for a program");
}

int list(const LessonCommand& c) {
  if (c.json) {
    Json all = Json::array();
    for (const Lesson& l : lessons())
      all.push_back({{"lesson", l.name}, {"question", in(c.language(), l.question)}});
    std::cout << Json({{"lessons", all}}) << "\n";
    return 0;
  }
  for (const Lesson& l : lessons())
    std::cout << fmt::format("{:<15} {}\n", l.name, in(c.language(), l.question));
  return 0;
}

// The lesson's words go with its trace, for the page.
std::string trace_text(const Lesson& lesson, Trace trace) {
  trace.run["lesson"] = {{"name", lesson.name},
                         {"question_en", lesson.question.en},
                         {"question_zh", lesson.question.zh},
                         {"text_en", lesson.text.en},
                         {"text_zh", lesson.text.zh},
                         {"look_en", lesson.look.en},
                         {"look_zh", lesson.look.zh}};
  return to_json(trace);
}

int run(const LessonCommand& c, const Lesson& lesson) {
  std::map<std::string, std::string> given = c.given;
  for (const auto& [name, on] : c.flags)
    if (on) given[name] = "on";
  const Settings settings = settings_of(lesson, given);
  const Findings found = run_lesson(lesson, settings);
  if (!c.output.empty()) {
    require(found.trace.has_value(), "-o: the lesson {} is about no single trace", lesson.name);
    write_file(c.output, trace_text(lesson, *found.trace));
  }
  if (c.json) {
    Json all = lesson_json(lesson, settings, found, c.language());
    if (!c.output.empty()) all["trace"] = c.output;
    std::cout << all << "\n";
    return 0;
  }
  if (c.output == "/dev/stdout") return 0;
  std::cout << lesson_text(lesson, found, c.language(), terminal_of(stdout).width);
  return 0;
}

int test(const LessonCommand& c) {
  std::vector<const Lesson*> chosen;
  if (c.name == "all")
    for (const Lesson& l : lessons()) chosen.push_back(&l);
  else
    chosen.push_back(&lesson_named(c.name));
  return test_lessons(chosen, c.language(), c.json, std::cout);
}

// One sub-command per lesson, so that each has its own options and its own --help.
CommandLine add_lesson(CommandLine& program, const Lesson& lesson, LessonCommand& c) {
  CommandLine sub = program.add_command(lesson.name, lesson.question.en);
  for (const LessonOption& o : lesson.options) {
    if (o.flag) {
      sub.add_flag("--" + o.name, c.flags[o.name], o.what.en);
      continue;
    }
    std::string what = o.what.en;
    if (!o.choices.empty()) what += fmt::format(": {}", fmt::join(o.choices, ", "));
    sub.add_option(
        "--" + o.name, [&c, name = o.name](const std::string& v) { c.given[name] = v; },
        what + " (" + o.preset + ")");
  }
  sub.add_option("-o,--out,--output", c.output, "Write the trace that the lesson is about");
  add_common(sub, c);
  return sub;
}

}  // namespace

Run add_lesson(CommandLine& program) {
  const auto c = std::make_shared<LessonCommand>();
  CommandLine lesson = program.add_command("lesson", "Lessons whose truths are tests");
  CommandLine listing = lesson.add_command("list", "Names and questions");
  add_common(listing, *c);
  CommandLine testing =
      lesson.add_command("test", "Asserts what a lesson says; exit code 1 if not");
  testing.add_option("name", c->name, "The lesson, or all").required();
  add_common(testing, *c);
  CommandLine running = lesson.add_command("run", "Text, numbers, and what to look at");
  std::vector<std::pair<const Lesson*, CommandLine>> each;
  for (const Lesson& l : lessons()) each.emplace_back(&l, add_lesson(running, l, *c));
  running.allow_others();  // of its own; commands that are added later would inherit it
  return [=] {
    if (listing.named()) return list(*c);
    if (testing.named()) return test(*c);
    require(running.named(), "lesson: expected list, run or test");
    const std::vector<std::string> others = running.others();
    const Lesson* chosen = nullptr;
    for (const auto& [l, command] : each) {
      if (!command.named()) continue;
      if (chosen)
        require(false, "lesson run: expected one lesson, got {} and {}", chosen->name, l->name);
      chosen = l;
    }
    if (!chosen) lesson_named(others.empty() ? "" : others[0]);
    require(others.empty(), "lesson run: expected one lesson, got {} and '{}'", chosen->name,
            others.empty() ? "" : others[0]);
    return run(*c, *chosen);
  };
}

}  // namespace heed::microscope
