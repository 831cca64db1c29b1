// The lessons as a frame: what `microscope lesson` prints, its exit codes, both languages, the
// traces it writes. What the lessons say is tested by `microscope lesson test all`, a test of its
// own.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <sstream>

#include "core/file_bytes.h"
#include "examples/console/utf8.h"
#include "examples/microscope/check.h"
#include "examples/microscope/lessons/museum.h"
#include "examples/microscope/lessons/run.h"
#include "examples/microscope/path.h"
#include "tests/examples/microscope_program.h"
#include "tests/examples/stepper_example.h"

namespace heed::microscope {
namespace {

class LessonProgram : public ProgramFolder {};

bool has_chinese(const std::string& text) {
  for (size_t i = 0; i + 2 < text.size(); ++i)
    if (static_cast<unsigned char>(text[i]) >= 0xe4 && static_cast<unsigned char>(text[i]) <= 0xe9)
      return true;
  return false;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0 || c == '\n'; });
}

// ---- truths can fail ----

TEST(LessonTruths, HoldOrNot) {
  EXPECT_TRUE(equals("x", 1.0, 1.0 + 1e-13, 1e-12).holds);
  EXPECT_FALSE(equals("x", 1.0, 1.0 + 1e-11, 1e-12).holds);
  EXPECT_FALSE(equals("x", NAN, 1.0, 1e-12).holds);
  EXPECT_TRUE(equals("x", Numbers{1, 2}, Numbers{1, 2}, 0).holds);
  EXPECT_FALSE(equals("x", Numbers{1, 2}, Numbers{1, 3}, 0.5).holds);
  EXPECT_FALSE(equals("x", Numbers{1, 2}, Numbers{1}, 9).holds);
  EXPECT_FALSE(equals("x", Numbers{1, NAN}, Numbers{1, 2}, 9).holds);
  EXPECT_TRUE(exactly_zero("x", {0.0, -0.0}).holds);
  EXPECT_FALSE(exactly_zero("x", {0, 5e-324}).holds);
  EXPECT_FALSE(exactly_zero("x", {0, NAN}).holds);
  EXPECT_FALSE(exactly_zero("x", {}).holds) << "nothing was measured";
  EXPECT_TRUE(at_most("x", 1, 1).holds);
  EXPECT_FALSE(at_most("x", 1.1, 1).holds);
  EXPECT_FALSE(at_most("x", NAN, 1).holds);
  EXPECT_FALSE(at_least("x", 0.9, 1).holds);
  EXPECT_FALSE(at_least("x", NAN, 1).holds);
  EXPECT_TRUE(within("x", 2, 1, 3).holds);
  EXPECT_FALSE(within("x", 4, 1, 3).holds);
  EXPECT_FALSE(within("x", NAN, 1, 3).holds);
  EXPECT_FALSE(is("x", "cut", "not reached").holds);
}

TEST(LessonTruths, OneThatFailsIsExitCodeOneAndSaysSo) {
  const Lesson wrong{
      "wrong", "?", "", "", {}, [](const Settings&) {
        Findings f;
        f.truths = {equals("one is one", 1.0, 1.0, 0), equals("two is three", 2.0, 3.0, 0.5)};
        return f;
      }};
  std::ostringstream text, json;
  EXPECT_EQ(test_lessons({&wrong}, Lang::en, false, text), 1);
  EXPECT_EQ(text.str(),
            "ok   wrong one is one: 1 = 1\nFAIL wrong two is three: 2 = 3 (+-0.5)\n"
            "1 of 2 truths hold, 1 lesson\n");
  EXPECT_EQ(test_lessons({&wrong}, Lang::en, true, json), 1);
  EXPECT_EQ(Json::parse(json.str())["failed"], 1);
  EXPECT_EQ(Json::parse(json.str())["lessons"][0]["truths"][1]["measured"], 2.0);
}

// ---- the table ----

TEST(Lessons, ThereAreFifteen) {
  std::vector<std::string> names;
  for (const Lesson& l : lessons()) names.push_back(l.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"sqrt-d", "saturate", "mask", "score-fns", "hard", "local-p",
                                      "heads", "paths", "forcing", "padding", "smoothing", "clip",
                                      "blind-query", "bug-museum", "not-importance"}));
}

// A run of each, kept for several tests.
const Findings& found(const Lesson& lesson) {
  static std::map<std::string, Findings> all;
  if (!all.contains(lesson.name)) all[lesson.name] = run_lesson(lesson, settings_of(lesson));
  return all[lesson.name];
}

TEST(Lessons, AreWrittenInBothLanguages) {
  for (const Lesson& l : lessons()) {
    std::vector<const Words*> prose{&l.question, &l.text, &l.look};
    for (const LessonOption& o : l.options) prose.push_back(&o.what);
    for (const Table& t : found(l).tables) prose.push_back(&t.title);
    for (const Words* w : prose) {
      EXPECT_FALSE(w->en.empty()) << l.name;
      EXPECT_TRUE(has_chinese(w->zh) || w->zh == w->en) << l.name << ": " << w->en;
      EXPECT_TRUE(is_ascii(w->en)) << l.name << ": " << w->en;
    }
    for (const Words* w : {&l.question, &l.text, &l.look})
      EXPECT_TRUE(has_chinese(w->zh)) << l.name << ": " << w->en;
    for (const Truth& t : found(l).truths) {
      EXPECT_TRUE(is_ascii(t.says.en)) << l.name << ": " << t.says.en;
      EXPECT_FALSE(t.says.zh.empty()) << l.name << ": " << t.says.en;
    }
  }
}

TEST(Lessons, EveryTraceIsValidAndReadsBack) {
  for (const Lesson& l : lessons()) {
    ASSERT_TRUE(found(l).trace) << l.name;
    const Trace again = trace_from(to_json(*found(l).trace), l.name);
    EXPECT_EQ(faults(again), std::vector<std::string>{}) << l.name;
    EXPECT_LE(again.ops.size(), 200u) << l.name;
    EXPECT_LE(to_json(*found(l).trace).size(), 150'000u) << l.name;
  }
  for (const char* name :
       {"no-exp", "view", "batch-first", "softmax-vectors", "no-word", "detached"}) {
    const Lesson& museum = lesson_named("bug-museum");
    const Findings f = run_lesson(museum, settings_of(museum, {{"exhibit", name}}));
    ASSERT_TRUE(f.trace) << name;
    EXPECT_EQ(faults(*f.trace), std::vector<std::string>{}) << name;
  }
}

// C3 to C5: differences, Jacobians and rows of softmax, over what every lesson is about. Those of
// estimators are biased, kinks are not differentiable; nothing fails.
TEST(Lessons, EveryTracePassesItsNumericChecks) {
  size_t checked = 0;
  const auto expect_right = [&](const Trace& t, const std::string& what) {
    for (const CheckRow& r : check(t)) {
      EXPECT_TRUE(r.pass) << what << ": " << t.tensors.at(static_cast<size_t>(r.tensor)).name
                          << " at " << r.worst << ", " << r.analytic << ", measured " << r.numeric;
      checked += r.status == "pass";
    }
    for (const InvariantRow& r : check_invariants(t))
      EXPECT_TRUE(r.pass) << what << ": " << r.what << " of op " << r.op << ", " << r.error << " > "
                          << r.limit;
  };
  for (const Lesson& l : lessons()) expect_right(*found(l).trace, l.name);
  EXPECT_GT(checked, 15 * 5u);
}

// C1: the library computes every value again, to the bit. C10: a second run writes the same bytes.
TEST(Lessons, EveryTraceIsComputedAgainToTheBit) {
  for (const Lesson& l : lessons()) {
    const Trace& t = *found(l).trace;
    EXPECT_EQ(Session(t).first_difference(), std::nullopt) << l.name;
    EXPECT_EQ(to_json(*run_lesson(l, settings_of(l)).trace), to_json(t)) << l.name;
  }
}

// C6: the routes from what is differentiated to any tensor add up to its gradient.
TEST(Lessons, RoutesAddUpInEveryTrace) {
  size_t several = 0;
  for (const Lesson& l : lessons()) {
    const Trace& t = *found(l).trace;
    const auto all_of = [&](int tensor) {
      Place p{tensor, std::vector<size_t>(t.tensors.at(at(tensor)).value.size())};
      std::iota(p.numbers.begin(), p.numbers.end(), size_t{0});
      return p;
    };
    for (int i = 0; i < static_cast<int>(t.tensors.size()); ++i) {
      if (!t.tensors[at(i)].has_grad() || i == t.seed) continue;
      const PathReport r = path(t, all_of(t.seed), all_of(i), RouteBy::route);
      double scale = 1;
      for (const double g : r.total) scale = std::max(scale, std::abs(g));
      EXPECT_LE(r.error, 1e-12 * scale) << l.name << " #" << i;
      several += r.routes.size() > 1;
    }
  }
  EXPECT_GT(several, 20u) << "gradients that arrive by more than one route";
}

// C9: forward to the end and back, step by step: the same screens.
TEST(Lessons, EveryTraceIsSteppedBackExactly) {
  for (const Lesson& l : lessons()) {
    stepper::Stepper s = stepper::stepper_of(*found(l).trace);
    std::vector<std::string> screens{stepper::screen(s)};
    for (; s.at < s.line().length(); screens.push_back(stepper::screen(s))) stepper::answer(s, "n");
    EXPECT_GT(screens.size(), 2u) << l.name;
    for (size_t i = screens.size() - 1; i-- > 0;) {
      stepper::answer(s, "p");
      EXPECT_EQ(stepper::screen(s), screens[i]) << l.name << " step " << i;
    }
  }
}

// C13: one bit of a gradient, one contribution less, and the trace is refused.
TEST(Lessons, EveryTraceWithOneWrongNumberIsRefused) {
  for (const Lesson& l : lessons()) {
    Trace bit = *found(l).trace, lost = bit;
    for (TraceTensor& x : bit.tensors)
      if (x.has_grad() && !x.grad.empty()) {
        x.grad[0] = std::nextafter(x.grad[0], 1e300);
        break;
      }
    EXPECT_FALSE(faults(bit).empty()) << l.name;
    lost.contribs.pop_back();
    EXPECT_FALSE(faults(lost).empty()) << l.name;
  }
}

// ---- text ----

TEST(LessonText, WrapsBothLanguages) {
  EXPECT_EQ(wrapped("one two three four", 9), "one two\nthree\nfour\n");
  EXPECT_EQ(wrapped("a\nb", 9), "a\nb\n");
  EXPECT_EQ(wrapped("梯度在那里。没有", 8), "梯度在那\n里。没有\n");
  EXPECT_EQ(wrapped("梯度在那。没有", 8), "梯度在\n那。没有\n")
      << "no line begins with a full stop";
  EXPECT_EQ(wrapped("softmax 之后", 10), "softmax 之\n后\n");
  for (const Lesson& l : lessons())
    for (const Lang lang : {Lang::en, Lang::zh})
      for (const int columns : {30, 80}) {
        std::istringstream lines(wrapped(in(lang, l.text), columns));
        for (std::string line; std::getline(lines, line);)
          EXPECT_LE(display_width(line), columns) << l.name << ": " << line;
      }
}

// ---- the program ----

TEST_F(LessonProgram, ListsAndRunsInBothLanguages) {
  Ran r = sh("$M lesson list");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("sqrt-d          Why are dot products divided by sqrt(d)?\n"),
            std::string::npos)
      << r.out;
  EXPECT_TRUE(has_chinese(sh("$M lesson list --lang zh").out));
  EXPECT_EQ(Json::parse(sh("$M lesson list --json").out)["lessons"].size(), 15u);
  r = sh("COLUMNS=60 $M lesson run not-importance");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("-0.183577"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("ok   not-importance"), std::string::npos) << r.out;
  r = sh("$M lesson run not-importance --lang zh");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_TRUE(has_chinese(r.out));
  EXPECT_EQ(r.out.find("Look:"), std::string::npos) << "no English left";
}

TEST_F(LessonProgram, EveryTruthHolds) {
  const Ran r = sh("$M lesson test all");
  EXPECT_EQ(r.code, 0) << r.out << r.err;
  EXPECT_EQ(r.out.find("FAIL"), std::string::npos);
  EXPECT_NE(r.out.find(" truths hold, 15 lessons\n"), std::string::npos) << r.out;
}

TEST_F(LessonProgram, JsonOfEveryLesson) {
  for (const Lesson& l : lessons()) {
    const Ran r = sh("$M lesson run " + l.name + " --json --lang zh");
    EXPECT_EQ(r.code, 0) << r.err;
    const Json j = Json::parse(r.out);
    EXPECT_EQ(j["lesson"], l.name);
    EXPECT_EQ(j["question"], l.question.zh);
    EXPECT_GE(j["tables"].size(), 1u) << l.name;
    EXPECT_GE(j["truths"].size(), 1u) << l.name;
    for (const Json& t : j["truths"]) EXPECT_EQ(t["holds"], true) << l.name << ": " << t;
  }
}

TEST_F(LessonProgram, OptionsChangeTheNumbersAndTheSeedRepeatsThem) {
  const Ran a = sh("$M lesson run sqrt-d --d 4,8 --draws 20 --seed 1 --json");
  EXPECT_EQ(a.code, 0) << a.err;
  EXPECT_EQ(Json::parse(a.out)["tables"][0]["rows"].size(), 4u);
  EXPECT_EQ(sh("$M lesson run sqrt-d --d 4,8 --draws 20 --seed 1 --json").out, a.out);
  EXPECT_NE(sh("$M lesson run sqrt-d --d 4,8 --draws 20 --seed 2 --json").out, a.out);
  const Json b = Json::parse(sh("$M lesson run sqrt-d --d 4 --scale off --draws 20 --json").out);
  EXPECT_EQ(b["tables"][0]["rows"].size(), 1u);
  EXPECT_EQ(b["settings"]["scale"], "off");
}

TEST_F(LessonProgram, WritesTheTrace) {
  Ran r = sh("$M lesson run local-p -o t.json && $M validate t.json && $M check t.json");
  EXPECT_EQ(r.code, 0) << r.out << r.err;
  r = sh("$M lesson run forcing --mode free -o f.json --json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(Json::parse(r.out)["trace"], "f.json");
  r = sh("$M export f.json --node z_1 --json");
  EXPECT_EQ(r.code, 0) << r.err;
  const Json z = Json::parse(r.out);
  EXPECT_EQ(z["grad_state"], "cut") << z;
  r = sh("$M lesson run padding --no-mask -o p.json && $M lesson run padding -o q.json");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(read_file(path("p.json")), read_file(path("q.json")));
  EXPECT_EQ(sh("$M lesson run mask -o none/t.json").code, 3);
}

TEST_F(LessonProgram, ExitCodesAndWhatThereIs) {
  Ran r = sh("$M lesson run nobody");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("expected the name of a lesson (sqrt-d, saturate, "), std::string::npos)
      << r.err;
  EXPECT_NE(r.err.find("got 'nobody'"), std::string::npos) << r.err;
  r = sh("$M lesson test nobody");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("not-importance"), std::string::npos) << r.err;
  EXPECT_EQ(sh("$M lesson run").code, 2);
  EXPECT_EQ(sh("$M lesson").code, 2);
  const Ran unknown = sh("$M lesson fly");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("expected a command (list, "), std::string::npos) << unknown.err;
  EXPECT_EQ(sh("$M lesson run mask hard").code, 2);
  EXPECT_EQ(sh("$M lesson run mask --beta 1").code, 2);
  EXPECT_EQ(sh("$M lesson run mask --lang fr").code, 2);
  r = sh("$M lesson run mask --mask before");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("--mask: expected pre, post, add1e9, got 'before'"), std::string::npos)
      << r.err;
  for (const char* wrong :
       {"sqrt-d --d four", "sqrt-d --d 0", "sqrt-d --d 4,", "sqrt-d --d 4.5", "sqrt-d --d nan",
        "clip --clip 1", "clip --clip norm:-1", "paths --S 1"}) {
    r = sh(std::string("$M lesson run ") + wrong);
    EXPECT_EQ(r.code, 2) << wrong << r.err;
    EXPECT_NE(r.err.find("expected"), std::string::npos) << wrong << ": " << r.err;
  }
  EXPECT_EQ(sh("$M lesson test not-importance").code, 0);
  EXPECT_EQ(sh("$M lesson run mask --help").code, 0);
}

}  // namespace
}  // namespace heed::microscope
