// The stepper without its program: what is known after each event, the screens, worked formulas,
// names, breakpoints, folding, predictions, traces made to hurt.
#include "examples/microscope/step/stepper.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/file_bytes.h"
#include "core/scope.h"
#include "examples/console/utf8.h"
#include "examples/microscope/case.h"
#include "examples/microscope/step/alignments.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/numeric.h"
#include "examples/microscope/step/report.h"
#include "examples/microscope/step/step_view.h"
#include "examples/microscope/step/worked.h"

namespace heed::microscope::stepper {
namespace {

Json example(const std::string& name) {
  return Json::parse(read_file(HEED_SOURCE_DIR "/examples/microscope/cases/" + name + ".json"));
}

Stepper stepping(const std::string& name, const std::set<std::string>& decompose = {}) {
  return stepper_of(record_case(example(name), decompose));
}

std::string screen(const Stepper& s, int width = 100) {
  std::string text;
  for (const Line& line : lines_of(step_report(s), width, s.digits))
    text += text_of(line, false) + "\n";
  return text;
}

std::string answer(Stepper& s, const std::string& command, int width = 100) {
  std::string text;
  for (const Line& line : lines_of(run_command(s, command), width, s.digits))
    text += text_of(line, false) + "\n";
  return text;
}

std::string refusal(Stepper& s, const std::string& command) {
  try {
    run_command(s, command);
    return "";
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A decoder of two steps that share a weight, in scopes.
Trace scoped() {
  const Tensor w = leaf(Tensor::of({{0.5, -0.25}, {0.75, 1}}, f64));
  Tensor h = leaf(Tensor::of({{1, -1}}, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(tape.keep_grad(w), "W");
  for (int64_t t = 0; t < 3; ++t) {
    const Scope decoder("decoder");
    const Scope step("step", t);
    h = named(tanh(named(matmul_nt(h, w), "u")), "h");
  }
  Trace t = trace_of(recording.backward(named(sum(square(h)), "L")));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", "f64"}};
  t.run = Json::object();
  return t;
}

const std::pair<const char*, std::set<std::string>> kRuns[] = {
    {"dot", {}},        {"dot", {"softmax"}},
    {"masked", {}},     {"masked", {"softmax"}},
    {"scaled_dot", {}}, {"local_p", {}},
    {"additive", {}},   {"additive", {"softmax", "additive_score"}}};

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

TEST(Stepper, NamesOfTensorsAndScopes) {
  Stepper s = stepper_of(scoped());
  const Timeline& line = s.line();
  const auto scope = [&](const std::string& text) {
    return line.path(line.tensor(node_of(s, text).tensor).scope);
  };
  EXPECT_EQ(scope("h"), "decoder/step[2]") << "the last of that name";
  EXPECT_EQ(scope("dec.t1.h"), "decoder/step[1]");
  EXPECT_EQ(scope("decoder/step[0]/h"), "decoder/step[0]");
  EXPECT_EQ(scope("t0.u"), "decoder/step[0]");
  run_command(s, "g dec.t0.h");
  EXPECT_EQ(scope("h"), "decoder/step[0]") << "of the current step";
  EXPECT_TRUE(has(screen(s, 60), "  decoder/step[0]\n")) << screen(s, 60);
  EXPECT_EQ(node_of(s, "W[1]").first, 2u);
  EXPECT_EQ(node_of(s, "W[1]").count, 2u);
  EXPECT_EQ(node_of(s, "W[1,0]").first, 2u);
  EXPECT_EQ(node_of(s, "h[1]").first, 1u) << "axes of size 1 may be left out";
  EXPECT_EQ(node_of(s, "#0").tensor, 0);
  for (const char* wrong : {"W[2]", "W[0,0,0]", "V", "#999", "#", "", "dec.t9.h", "W[-1]", "W[x]"})
    EXPECT_NE(refusal(s, std::string("v '") + wrong + "'"), "") << wrong;
  EXPECT_TRUE(has(refusal(s, "v w"), "'w'"));
  EXPECT_EQ(line.path(scope_of(line, "dec.t1")), "decoder/step[1]");
  EXPECT_EQ(scope_of(line, "nowhere"), -1);
}

TEST(Stepper, AFoldedScopeIsOneStep) {
  Stepper s = stepper_of(scoped());
  const int whole = s.line().length();
  EXPECT_TRUE(has(answer(s, "fold dec.t1"), "decoder/step[1]"));
  std::vector<int> there{0};
  while (next_step(s) != s.at) there.push_back(s.at = next_step(s));
  EXPECT_EQ(static_cast<int>(there.size()), whole + 1 - 2) << "two ops are one, in both passes";
  std::vector<int> back{s.at};
  while (s.at > 0) back.push_back(s.at = previous_step(s));
  EXPECT_EQ(std::vector<int>(there.rbegin(), there.rend()), back);
  run_command(s, "g dec.t1.u");
  const std::string text = screen(s);
  EXPECT_TRUE(has(text, "folded")) << text;
  EXPECT_TRUE(has(text, "2 ops")) << text;
  run_command(s, "unfold");
  EXPECT_TRUE(has(screen(s), "matmul_nt")) << screen(s);
  EXPECT_NE(refusal(s, "fold attic"), "");
}

TEST(Stepper, ScopesAreSteppedOver) {
  Stepper s = stepper_of(scoped());
  std::vector<std::string> seen;
  for (;;) {
    const int before = s.at;
    run_command(s, "N");
    if (s.at == before) break;
    seen.push_back(s.line().path(s.line().op(s.line().event(s.at).op).scope));
    if (s.at == s.line().length()) break;
  }
  EXPECT_EQ(seen.front(), "decoder/step[0]");
  EXPECT_EQ(seen.at(1), "decoder/step[1]");
  const int end = s.at;
  while (s.at > 0) run_command(s, "P");
  EXPECT_GT(end, 5);
}

TEST(Stepper, BreakpointsStopBothWays) {
  Stepper s = stepper_of(scoped());
  const auto path = [&] { return s.line().path(s.line().op(s.line().event(s.at).op).scope); };
  run_command(s, "b t=1");
  run_command(s, "c");
  EXPECT_EQ(path(), "decoder/step[1]");
  const int first = s.at;
  run_command(s, "b -");
  run_command(s, "b W");
  run_command(s, "c");
  EXPECT_TRUE(s.line().event(s.at).backward) << "W is given, so only contributions to it stop";
  run_command(s, "rc");
  EXPECT_EQ(s.at, 0);
  run_command(s, "b - 1");
  run_command(s, "b tanh");
  run_command(s, "c");
  run_command(s, "c");
  EXPECT_EQ(s.at, first + 1);
  run_command(s, "rc");
  EXPECT_EQ(path(), "decoder/step[0]");
  EXPECT_TRUE(has(refusal(s, "b tanhh"), "tanhh"));
}

TEST(Stepper, BreakpointsOnNumbers) {
  const Tensor x = leaf(Tensor::of({0, 30}, f64));
  Tape tape;
  Recording recording(tape);
  const Tensor a = named(softmax(x), "a");
  const Tensor dead = named(relu(neg(a)), "dead");
  Trace t = trace_of(recording.backward(sum(log(dead) + a)));
  t.meta = {{"tool", "test"}, {"version", "1"}, {"dtype", "f64"}};
  t.run = Json::object();
  for (const auto& [what, op] : {std::pair{"sat", "softmax"}, {"zero", "relu"}, {"nan", "log"}}) {
    Stepper s = stepper_of(t);
    run_command(s, std::string("b ") + what);
    run_command(s, "c");
    EXPECT_EQ(s.line().op(s.line().event(s.at).op).op, op) << what;
  }
}

TEST(Stepper, APredictionIsHiddenUntilItIsTyped) {
  Stepper s = stepping("dot");
  run_command(s, "predict on");
  run_command(s, "bwd");
  run_command(s, "g e");
  for (const char* command : {"gr e", "con e", "con", "heat de", "heat", "fn 0", "jac", "w e"}) {
    const Report r = run_command(s, command);
    const std::string text = json_of(r).dump() + answer(s, command) + screen(s);
    EXPECT_FALSE(has(text, "0.179")) << command << "\n" << text;
    EXPECT_FALSE(has(text, "-0.114")) << command << "\n" << text;
    s.watches.clear();
  }
  EXPECT_TRUE(has(refusal(s, "predict 0.18"), "expected 3 numbers"));
  EXPECT_TRUE(has(answer(s, "0.18 -0.115 -0.5"), "2 of 3 right")) << "numbers alone are an answer";
  EXPECT_TRUE(has(screen(s), "0.179297"));
  run_command(s, "p");
  EXPECT_TRUE(has(screen(s), "?"));
  run_command(s, "predict show");
  EXPECT_FALSE(has(screen(s), "hidden")) << screen(s);
  run_command(s, "predict off");
  EXPECT_NE(refusal(s, "predict 1"), "");
}

TEST(Stepper, SettingANumberComputesAllThatFollows) {
  Stepper s = stepping("dot");
  run_command(s, "g a");
  const std::string before = screen(s);
  run_command(s, "set e[1] 0.75");
  EXPECT_NE(screen(s), before);
  const Trace& t = s.line().trace();
  const Numbers& a = t.tensors[static_cast<size_t>(t.find("a"))].value;
  const double sum = std::exp(1.0) + std::exp(0.75) + std::exp(-0.5);
  EXPECT_NEAR(a[1], std::exp(0.75) / sum, 1e-15);
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  run_command(s, "set e[0]=0.75");
  EXPECT_EQ(s.runs.size(), 3u);
  run_command(s, "undo");
  run_command(s, "undo");
  EXPECT_EQ(screen(s), before);
  EXPECT_TRUE(has(answer(s, "undo"), "nothing to undo"));
  for (const char* wrong :
       {"set e 1", "set e[1] x", "set nobody[0] 1", "set e[9] 1", "set e[1] nan"})
    EXPECT_NE(refusal(s, wrong), "") << wrong;
}

// The gradient of z[1] alone: for z = U c it is a row of U back through the attention.
TEST(Stepper, AnotherNumberIsDifferentiated) {
  Stepper s = stepping("dot");
  const std::string before = screen(s);
  run_command(s, "seed z[1]");
  const Trace& t = s.line().trace();
  EXPECT_EQ(faults(t), std::vector<std::string>{});
  const auto grad = [&](const char* name) {
    return t.tensors[static_cast<size_t>(t.find(name))].grad;
  };
  EXPECT_EQ(grad("z"), (Numbers{0, 1, 0}));
  EXPECT_EQ(grad("c"), (Numbers{0, 1})) << "row 1 of U";
  EXPECT_FALSE(t.tensors[static_cast<size_t>(t.find("p"))].has_grad());
  run_command(s, "undo");
  EXPECT_EQ(screen(s), before);
  EXPECT_NE(refusal(s, "seed z"), "") << "three numbers";
  EXPECT_NE(refusal(s, "seed q[0]"), "") << "given";
}

TEST(Stepper, ChecksFindAWrongGradient) {
  Stepper s = stepping("dot");
  EXPECT_TRUE(has(answer(s, "ck e"), "PASS"));
  EXPECT_FALSE(s.failed);
  Trace t = s.line().trace();
  t.tensors[static_cast<size_t>(t.find("e"))].grad[0] += 1e-3;
  Stepper wrong = stepper_of(t);
  EXPECT_TRUE(has(answer(wrong, "ck e"), "FAIL"));
  EXPECT_TRUE(wrong.failed);
}

// Golden example A: what erasing each position does to the loss (the lesson not-importance).
TEST(Stepper, ErasingAPositionChangesTheLossAsComputedByHand) {
  Stepper s = stepping("dot");
  const auto all = alignments_of(s);
  ASSERT_EQ(all.size(), 1u);
  s.at = s.line().length();
  const HeatMap map = heat_map(s, all[0], Heat::erase, 0);
  EXPECT_NEAR(map.values[0], -0.183577300664, 1e-12);
  EXPECT_NEAR(map.values[1], 0.203737528498, 1e-12);
  EXPECT_NEAR(map.values[2], 0.087851314642, 1e-12);
  const HeatMap de = heat_map(s, all[0], Heat::score_gradient, 0);
  EXPECT_NEAR(de.values[0], 0.179296900086, 1e-12);
  s.at = s.line().forward();
  EXPECT_TRUE(heat_map(s, all[0], Heat::gradient, 0).absent[0]) << "not known before the backward";
}

TEST(Stepper, TheSpectralNormOfTheSoftmaxOfGoldenA) {
  const Stepper s = stepping("dot");
  const int a = s.line().trace().find("a");
  const Numbers j = s.session().jacobian(s.line().tensor(a).producer, 0);
  EXPECT_NEAR(spectral_norm(j, 3, 3), 0.417905764892, 1e-12);
  EXPECT_NEAR(spectral_norm({3, 0, 0, -4}, 2, 2), 4, 1e-12);
}

TEST(Stepper, UnknownCommandsNameTheirNeighbours) {
  Stepper s = stepping("dot");
  EXPECT_TRUE(has(refusal(s, "hea"), "heat"));
  EXPECT_TRUE(has(refusal(s, "curv"), "curve"));
  EXPECT_TRUE(has(refusal(s, "xyzzyx"), "? lists them"));
  EXPECT_TRUE(has(refusal(s, "lang fr"), "expected en or zh"));
  EXPECT_TRUE(has(refusal(s, "n 0"), "expected an integer from 1"));
  EXPECT_TRUE(has(refusal(s, "q now"), "expected no argument"));
  EXPECT_TRUE(has(refusal(s, "g"), "expected g STEP|TENSOR"));
  EXPECT_TRUE(has(refusal(s, "find '('"), "regular expression"));
  EXPECT_TRUE(has(refusal(s, "find 'a"), "closing '"));
  EXPECT_TRUE(has(refusal(s, "con"), "expected to stand at a step"));
  EXPECT_EQ(script_of("n; find 'a;b'\n g e ;; "),
            (std::vector<std::string>{"n", " find 'a;b'", " g e "}));
}

TEST(Stepper, EveryCommandHasHelpInBothLanguages) {
  Stepper s = stepping("dot");
  for (const StepCommand& c : step_commands()) {
    EXPECT_FALSE(c.en.empty() || c.zh.empty()) << c.names[0];
    EXPECT_NE(c.en, c.zh) << c.names[0];
    EXPECT_TRUE(has(answer(s, "? " + c.names[0]), c.names[0]));
  }
  EXPECT_TRUE(has(answer(s, "?"), "breakpoint"));
  EXPECT_TRUE(has(answer(s, "lang zh"), "开始"));
  EXPECT_TRUE(has(answer(s, "?"), "断点"));
}

// Names that would move the cursor, set a title or turn the line around.
TEST(Stepper, HostileNamesAreShownHarmlessly) {
  Trace t = scoped();
  const std::string evil =
      "\x1b]0;pwned\x07\x1b[2J\r\nH\xC2\x9B"
      "1m\xE2\x80\xAE<script>";
  for (TraceTensor& x : t.tensors) x.name += evil;
  for (TraceScope& x : t.scopes) x.name += evil;
  for (TraceFormula& x : t.formulas) x.forward += evil;
  t.meta["title"] = evil;
  Stepper s = stepper_of(t);
  std::string all;
  for (s.at = 0; s.at <= s.line().length(); ++s.at) all += screen(s);
  s.at = 2;
  for (const char* command :
       {"con", "find pwned", "fold", "w #0", "b #0", "f", "fn", "curve #0", "jac"})
    all += answer(s, command);
  all += refusal(s, "v " + evil) == "" ? "" : printable(refusal(s, "v '" + evil + "'"));
  for (size_t i = 0; i < all.size(); ++i) {
    const auto c = static_cast<unsigned char>(all[i]);
    ASSERT_TRUE(c == '\n' || (c >= 0x20 && c != 0x7F)) << "control character " << int{c};
  }
  EXPECT_FALSE(has(all, "\xC2\x9B"));
  EXPECT_FALSE(has(all, "\xE2\x80\xAE"));
}

// Ops that are not what their names say: answered or refused, never read beyond the end.
TEST(Stepper, OpsThatLieAreSteppedThrough) {
  for (const char* lie : {"exp", "softmax", "add", "matmul", "matmul_tn", "linear", "scale",
                          "concat", "embedding", "no_such_op", "lstm_sequence"}) {
    Trace t = scoped();
    for (TraceOp& op : t.ops) op.op = lie;
    t.formulas = {{lie, "y = ?", {"x"}, {"dx += ?"}}};
    t.ops[0].attrs = {{"factor", "none"}, {"mask", {1}}, {"axis", 77}};
    Stepper s = stepper_of(t);
    for (s.at = 1; s.at <= s.line().length(); ++s.at) {
      EXPECT_NE(screen(s), "");
      for (const char* command : {"f", "fn", "fn 1", "con", "jac", "jac 0", "ck", "heat", "curve W",
                                  "set W[0,0] 2", "seed L"}) {
        Stepper copy = s;
        refusal(copy, command);
      }
    }
  }
}

}  // namespace
}  // namespace heed::microscope::stepper
