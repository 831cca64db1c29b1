// The stepper without its program: what is known after each event, the screens, worked formulas.
#include <cmath>

#include "examples/console/utf8.h"
#include "examples/microscope/step/alignments.h"
#include "examples/microscope/step/numeric.h"
#include "examples/microscope/step/worked.h"
#include "tests/examples/stepper_example.h"

namespace heed::microscope::stepper {
namespace {

TEST(Stepper, ForwardAndBackGivesTheSameScreens) {
  for (const auto& [name, parts] : kRuns)
    for (const Lang lang : {Lang::en, Lang::zh}) {
      Stepper s = stepping(name, parts);
      s.lang = lang;
      s.watches = {"q", "a"};
      std::vector<std::string> seen{screen(s)};
      while (next_step(s) != s.at) {
        s.at = next_step(s);
        seen.push_back(screen(s));
      }
      ASSERT_EQ(static_cast<int>(seen.size()), s.line().length() + 1);
      for (size_t i = seen.size(); i-- > 0;) {
        EXPECT_EQ(screen(s), seen[i]) << name << " at " << s.at;
        s.at = previous_step(s);
      }
      EXPECT_EQ(s.at, 0);
      for (size_t i = 1; i < seen.size(); ++i) EXPECT_NE(seen[i], seen[i - 1]) << name;
    }
}

// Golden example A: H gets its first contribution from the context, its second from the scores.
TEST(Stepper, AGradientIsTheSumOfWhatHasArrived) {
  const Stepper s = stepping("dot");
  const Timeline& line = s.line();
  const int h = line.trace().find("H"), e = line.trace().find("e");
  const int context = line.completed(line.trace().find("a"));
  EXPECT_EQ(line.gradient(h, context - 1).known, Known::not_yet);
  const GradientAt via_value = line.gradient(h, context);
  EXPECT_EQ(via_value.known, Known::partly);
  EXPECT_EQ(via_value.arrived, 1u);
  EXPECT_EQ(via_value.all, 2u);
  EXPECT_NEAR(via_value.sum.at(0), 0.098703181896, 1e-12);
  EXPECT_NEAR(via_value.sum.at(5), -0.060280178844, 1e-12);
  EXPECT_EQ(line.gradient(e, context).known, Known::not_yet);
  const GradientAt total = line.gradient(h, line.length());
  EXPECT_EQ(total.known, Known::done);
  EXPECT_EQ(total.sum, line.tensor(h).grad);
  EXPECT_NEAR(total.sum.at(0), 0.278000081982, 1e-12);
}

TEST(Stepper, WhyThereIsNoGradientIsSaidWhenItIsCertain) {
  const Stepper s = stepping("dot", {"softmax"});
  const Timeline& line = s.line();
  int cut = -1;
  for (size_t i = 0; i < line.trace().tensors.size(); ++i)
    if (line.trace().tensors[i].cut == "detach") cut = static_cast<int>(i);
  ASSERT_GE(cut, 0) << "the largest score is detached";
  EXPECT_EQ(line.gradient(cut, line.forward()).known, Known::not_yet);
  EXPECT_EQ(line.gradient(cut, line.length()).known, Known::cut);
  for (size_t i = 0; i < line.trace().tensors.size(); ++i)
    if (line.trace().tensors[i].grad_state == "no_grad") {
      EXPECT_EQ(line.gradient(static_cast<int>(i), 0).known, Known::no_grad);
    }
  // Whatever the position: numbers where there is a gradient, a reason where there is none.
  for (int at = 0; at <= line.length(); ++at)
    for (size_t i = 0; i < line.trace().tensors.size(); ++i) {
      const GradientAt g = line.gradient(static_cast<int>(i), at);
      const bool numbers = g.known == Known::done || g.known == Known::partly;
      EXPECT_EQ(numbers, !g.sum.empty()) << "tensor " << i << " at " << at;
    }
}

TEST(Stepper, AValueIsKnownFromItsStepOn) {
  const Stepper s = stepping("dot");
  const Timeline& line = s.line();
  const int a = line.trace().find("a");
  const int made = line.position_of(line.tensor(a).producer, false);
  EXPECT_FALSE(line.has_value(a, made - 1));
  EXPECT_TRUE(line.has_value(a, made));
  EXPECT_TRUE(line.has_value(line.trace().find("q"), 0));
}

TEST(Stepper, TheSampleScreenOfTheSoftmax) {
  Stepper s = stepping("dot");
  run_command(s, "bwd");
  const std::string text = answer(s, "g e");
  EXPECT_EQ(s.line().op(s.line().event(s.at).op).op, "softmax");
  for (const char* part :
       {"bwd 7/8  softmax  a = softmax(e)", "a = exp(e - max e) / sum exp(e - max e)",
        "de += a * (da - sum(a * da))", "1.000000   0.500000  -0.500000",
        "0.546549   0.331499   0.121952", "entropy 0.952808", "0.180593  -0.494296  -0.674889",
        "Σ a·da = -0.147459", "0.247833  -0.181181  -0.066653", "‖J‖₂ 0.417906",
        "0.179297  -0.114976  -0.064321", "(must be 0)", "central", "PASS",
        "next: bwd 8/8  matmul_nt  e = matmul_nt(q, H)"})
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
}

TEST(Stepper, NoLineIsWiderThanTheTerminal) {
  for (const auto& [name, parts] : kRuns)
    for (const Lang lang : {Lang::en, Lang::zh}) {
      Stepper s = stepping(name, parts);
      s.lang = lang;
      for (const int width : {20, 31, 40, 57, 80, 132}) {
        for (s.at = 0; s.at <= s.line().length(); ++s.at)
          for (const Line& line : lines_of(step_report(s), width, s.digits))
            ASSERT_LE(display_width(text_of(line, false)), width) << text_of(line, false);
        s.at = s.line().length();
        for (const char* command : {"?", "heat", "con H", "curve H", "jac", "fn 1", "v H"}) {
          if (name == std::string("additive") && command == std::string("jac")) continue;
          for (const Line& line : lines_of(run_command(s, command), width, s.digits))
            ASSERT_LE(display_width(text_of(line, false)), width) << command;
        }
      }
    }
}

TEST(Stepper, NumbersAreNotRoundedToZero) {
  EXPECT_EQ(number_text(0.0, 6), "0");
  EXPECT_EQ(number_text(-0.0, 6), "-0");
  EXPECT_EQ(number_text(1, 6), "1.000000");
  EXPECT_EQ(number_text(-0.25, 3), "-0.250");
  EXPECT_EQ(number_text(1.62794e-14, 6), "1.628e-14");
  EXPECT_EQ(number_text(1e9, 6), "1.000e+09");
  EXPECT_EQ(number_text(NAN, 6), "NaN");
  EXPECT_EQ(number_text(-INFINITY, 6), "-inf");
  EXPECT_EQ(number_text(0.1, 17), "0.1");
  EXPECT_EQ(number_text(1.0 / 3, 16), "0.3333333333333333");
}

TEST(Stepper, WideCharactersAreCountedAsTheTerminalShowsThem) {
  Report r;
  r.add({.label = "α",
         .name = "",
         .shape = {1, 2},
         .values = {0.25, 0.75},
         .rows = {"猫"},
         .cols = {"小猫", "cat"},
         .heat = true});
  const std::vector<Line> lines = lines_of(r, 80, 6);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(display_width(text_of(lines[0], false)), display_width(text_of(lines[1], false)))
      << "names stand on the right edge of their numbers";
}

// The formula with numbers in it gives what was recorded, for every element of every op.
TEST(Stepper, WorkedFormulasGiveTheRecordedNumbers) {
  size_t forward = 0, backward = 0;
  for (const auto& [name, parts] : kRuns) {
    Stepper s = stepping(name, parts);
    const Timeline& line = s.line();
    for (int op = 0; op < line.forward(); ++op) {
      const auto expect = [&, run = name](const Worked& w, const char* pass) {
        const double limit = 1e-14 + 1e-13 * std::abs(w.stored);
        EXPECT_TRUE(w.value == w.stored || std::abs(w.value - w.stored) <= limit)
            << run << " " << pass << " " << line.call(op) << ": " << w.left << " = " << w.text
            << " = " << w.value << ", stored " << w.stored;
      };
      for (size_t i = 0; i < line.tensor(line.op(op).out[0]).value.size(); ++i)
        if (const auto w = worked_forward(s, op, i)) expect(*w, "forward"), ++forward;
      for (const int c : line.sent_by(op))
        for (size_t i = 0; i < line.contribution(c).value.size(); ++i)
          if (const auto w = worked_backward(s, op, c, i)) expect(*w, "backward"), ++backward;
    }
  }
  EXPECT_GT(forward, 200u);
  EXPECT_GT(backward, 300u);
}

TEST(Stepper, WorkedFormulaOfOneWeight) {
  Stepper s = stepping("dot");
  run_command(s, "g a");
  const std::string text = answer(s, "fn 1", 200);
  EXPECT_TRUE(has(text,
                  "a[1] = e^(0.500000 - 1.000000) / (e^(1.000000 - 1.000000) + "
                  "e^(0.500000 - 1.000000) + e^(-0.500000 - 1.000000))"))
      << text;
  EXPECT_TRUE(has(text, "= 0.331499 recomputed")) << text;
}

}  // namespace
}  // namespace heed::microscope::stepper
