// The stepper without its program: names, folding, breakpoints, predictions,
// settings, commands, and traces made to hurt.
#include <cmath>

#include "examples/console/utf8.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/step/alignments.h"
#include "examples/microscope/step/numeric.h"
#include "examples/microscope/step/worked.h"
#include "tests/examples/stepper_example.h"

namespace heed::microscope::stepper {
namespace {

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

TEST(Stepper, ABeamIsATreeWithTheSentenceThatIsDifferentiated) {
  Trace t = scoped();
  Stepper without = stepper_of(t);
  EXPECT_TRUE(has(answer(without, "beam"), "no beam search"));
  t.views["beam"] = Json::parse(R"([
    {"id": 0, "parent": null, "tok": "le", "logp": -0.25, "tensor": 0},
    {"id": 1, "parent": null, "tok": "la", "logp": -1.5},
    {"id": 2, "parent": 0, "tok": "chat", "logp": -0.5, "tensor": 0},
    {"id": 3, "parent": 1, "tok": "</s>", "logp": "-Infinity", "rank": 2, "score": -9},
    {"id": 4, "parent": 2, "tok": "</s>", "logp": -0.75, "rank": 1}])");
  Stepper s = stepper_of(t);
  EXPECT_TRUE(has(answer(s, "beam"),
                  "* le  -0.250000\n*  chat  -0.500000\n    </s>  -0.750000  #1\n"
                  "  la  -1.500000\n   </s>  -inf  #2 (-9.000000)\n"))
      << answer(s, "beam");
}

// All commands of a trace with samples: what needs all numbers says so, and nothing is made up.
TEST(Stepper, SamplesAreShownAsSuch) {
  Rng rng(1);
  const Tensor w = leaf(Tensor::normal({40, 30}, 0, 1, rng, f64));
  Tape tape;
  Recording recording(tape);
  tape.name(w, "w");
  Trace t = trace_of(recording.backward(named(sum(named(tanh(w), "u")), "L")));
  t.meta = meta_of(f64);
  take_samples(t, 300);
  Stepper s = stepper_of(t);
  std::string all;
  for (int i = 0; i < 8; ++i) all += answer(s, "n");
  EXPECT_TRUE(has(all, "a sample of [40,30]; ‖all‖₂ ")) << all;
  for (const StepCommand& c : step_commands())
    for (const char* argument : {"", " w", " u[3]", " 1"}) try {
        if (c.names[0] != "q") all += answer(s, c.names[0] + argument);
      } catch (const std::exception& e) {
        all += e.what();
      }
  EXPECT_TRUE(has(all, "can be looked at but not computed again")) << all;
  EXPECT_TRUE(has(refusal(s, "set w[0] 1"), "record it without --sample"));
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
