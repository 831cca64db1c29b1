// n p N P g fwd bwd b c rc fold unfold
#include <algorithm>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

constexpr int kMostSteps = 1'000'000;

Report move(Stepper& s, const Words& arguments, int (*to)(const Stepper&)) {
  int count = arguments.empty() ? 1 : number_argument("count", arguments[0], 1, kMostSteps);
  const int before = s.at;
  for (; count > 0; --count) {
    const int at = to(s);
    if (at == s.at) break;
    s.at = at;
  }
  if (s.at == before) {
    Report r;
    r.say(
        s.at == 0 ? s.pick("this is the start", "已在开头") : s.pick("this is the end", "已在末尾"),
        Tone::bad);
    return r;
  }
  return step_report(s);
}

Report next(Stepper& s, const Words& a) {
  return move(s, a, next_step);
}
Report previous(Stepper& s, const Words& a) {
  return move(s, a, previous_step);
}
Report next_outside(Stepper& s, const Words& a) {
  return move(s, a, next_scope);
}
Report previous_outside(Stepper& s, const Words& a) {
  return move(s, a, previous_scope);
}

bool in_backward(const Stepper& s) {
  return s.at > 0 && s.line().event(s.at).backward;
}

// "5" in the pass one is in, "f5", "b5", "0" the start, "end".
bool position_of_text(const Stepper& s, const std::string& text, int& at) {
  const Timeline& line = s.line();
  if (text == "0" || text == "start") return at = 0, true;
  if (text == "end") return at = line.length(), true;
  const bool backward = text[0] == 'b' || (text[0] != 'f' && in_backward(s));
  const size_t digits = text[0] == 'b' || text[0] == 'f' ? 1 : 0;
  if (text.size() == digits || text.find_first_not_of("0123456789", digits) != std::string::npos)
    return false;
  const int most = backward ? line.backward() : line.forward();
  at = number_argument(backward ? "backward step" : "forward step", text.substr(digits), 1, most) +
       (backward ? line.forward() : 0);
  return true;
}

// To the step that computes a tensor, or, in the backward pass, completes its gradient.
Report go(Stepper& s, const Words& a) {
  const Timeline& line = s.line();
  int at = 0;
  if (!position_of_text(s, a[0], at)) {
    const Node node = node_of(s, a[0]);
    if (in_backward(s)) {
      at = line.completed(node.tensor);
      require(at > 0, "{} gets no gradient ({}); fwd goes to the forward pass",
              line.label(node.tensor),
              reason_text(s, node.tensor, line.gradient(node.tensor, line.length()).known));
    } else {
      const int producer = line.tensor(node.tensor).producer;
      at = producer < 0 ? 0 : line.position_of(producer, false);
    }
  }
  s.at = at;
  return step_report(s);
}

Report to_pass(Stepper& s, bool backward) {
  const Timeline& line = s.line();
  if (s.at == 0) {
    if (backward) s.at = std::min(line.forward() + 1, line.length());
    return step_report(s);
  }
  const int op = line.event(s.at).op;
  const int at = line.position_of(op, backward);
  require(at > 0, "no gradient reached {}, so it has no backward step", line.call(op));
  s.at = at;
  return step_report(s);
}
Report to_forward(Stepper& s, const Words&) {
  return to_pass(s, false);
}
Report to_backward(Stepper& s, const Words&) {
  return to_pass(s, true);
}

// ---- breakpoints ----

Report list_breaks(const Stepper& s) {
  Report r;
  if (s.breaks.empty()) r.say(s.pick("no breakpoints", "没有断点"), Tone::dim);
  for (size_t i = 0; i < s.breaks.size(); ++i)
    r.say(fmt::format(" {}  {}", i + 1, printable(s.breaks[i])));
  return r;
}

Report breakpoint(Stepper& s, const Words& a) {
  if (a.empty()) return list_breaks(s);
  if (a[0] == "-") {
    if (a.size() < 2) {
      s.breaks.clear();
    } else {
      const int i = number_argument("breakpoint", a[1], 1, static_cast<int>(s.breaks.size()));
      s.breaks.erase(s.breaks.begin() + i - 1);
    }
    return list_breaks(s);
  }
  require(a.size() == 1, "expected one breakpoint, got {} words; b - 2 deletes the second",
          a.size());
  check_breakpoint(s, a[0]);
  if (std::find(s.breaks.begin(), s.breaks.end(), a[0]) == s.breaks.end()) s.breaks.push_back(a[0]);
  return list_breaks(s);
}

Report run_to_break(Stepper& s, int direction) {
  const Timeline& line = s.line();
  int at = s.at;
  std::string why;
  do {
    at += direction;
    if (at < 1 || at > line.length()) break;
    for (const std::string& b : s.breaks)
      if (stops_at(s, b, at)) why = b;
  } while (why.empty());
  s.at = std::clamp(at, 0, line.length());
  Report r;
  r.say(why.empty() ? s.pick("no breakpoint on the way", "途中没有遇到断点")
                    : s.pick("stopped by ", "停于断点 ") + printable(why),
        why.empty() ? Tone::dim : Tone::now);
  r.append(step_report(s));
  return r;
}
Report run_on(Stepper& s, const Words&) {
  return run_to_break(s, 1);
}
Report run_back(Stepper& s, const Words&) {
  return run_to_break(s, -1);
}

// ---- folding ----

Report list_folded(const Stepper& s) {
  Report r;
  if (s.folded.empty()) r.say(s.pick("nothing is folded", "没有折叠"), Tone::dim);
  for (const int scope : s.folded)
    r.say(" " + s.line().path(scope) + s.pick("  folded", "  已折叠"));
  return r;
}

int scope_argument(const Stepper& s, const std::string& text) {
  const int scope = scope_of(s.line(), text);
  if (scope >= 0) return scope;
  std::vector<std::string> paths;
  for (size_t i = 1; i < s.line().trace().scopes.size(); ++i)
    paths.push_back(s.line().path(static_cast<int>(i)));
  require(!paths.empty(), "expected a scope, got '{}'; this trace has none", printable(text));
  std::vector<std::string> close = near(text, paths);
  if (close.empty())
    close.assign(paths.begin(), paths.begin() + std::min<long>(4, static_cast<long>(paths.size())));
  std::string list;
  for (const std::string& p : close) list += (list.empty() ? "" : ", ") + p;
  require(false, "expected a scope (like {}), got '{}'", list, printable(text));
  return -1;
}

// Without an argument: the scope that one is in.
Report fold(Stepper& s, const Words& a) {
  if (!a.empty()) {
    s.folded.insert(scope_argument(s, a[0]));
    return list_folded(s);
  }
  const int scope = s.at > 0 ? s.line().op(s.line().event(s.at).op).scope : 0;
  if (scope == 0) return list_folded(s);
  s.folded.insert(scope);
  return step_report(s);
}

Report unfold(Stepper& s, const Words& a) {
  if (a.empty()) {
    s.folded.clear();
    return list_folded(s);
  }
  const int scope = scope_argument(s, a[0]);
  require(s.folded.erase(scope) > 0, "{} is not folded", s.line().path(scope));
  return list_folded(s);
}

}  // namespace

std::vector<StepCommand> moving_commands() {
  return {
      {{"n", "next"}, "[count]", "next step", "下一步", 0, 1, next},
      {{"p", "prev"}, "[count]", "previous step", "上一步", 0, 1, previous},
      {{"N"}, "[count]", "next scope", "下一个作用域", 0, 1, next_outside},
      {{"P"}, "[count]", "previous scope", "上一个作用域", 0, 1, previous_outside},
      {{"g", "go"},
       "STEP|TENSOR",
       "goes to step 5, f5, b5, 0, end; to the step that makes a tensor (in the backward pass: "
       "completes its gradient)",
       "转到第 5 步、f5、b5、0、end；或转到算出某张量的步（反向时：其梯度算完的步）",
       1,
       1,
       go},
      {{"fwd"}, "", "this op in the forward pass", "本运算的前向步", 0, 0, to_forward},
      {{"bwd"}, "", "this op in the backward pass", "本运算的反向步", 0, 0, to_backward},
      {{"b", "break"},
       "[WHAT | - [n]]",
       "stops at a tensor, an op, a scope, nan, zero, sat, t=3; - deletes",
       "断点：张量、运算、作用域、nan、zero、sat、t=3；- 删除",
       0,
       2,
       breakpoint},
      {{"c", "continue"}, "", "on to the next breakpoint", "继续到下一断点", 0, 0, run_on},
      {{"rc"}, "", "back to the breakpoint before", "倒退到上一断点", 0, 0, run_back},
      {{"fold"}, "[SCOPE]", "shows a scope as one step", "把作用域折叠为一步", 0, 1, fold},
      {{"unfold"}, "[SCOPE]", "shows its steps again", "展开", 0, 1, unfold},
  };
}

}  // namespace heed::microscope::stepper
