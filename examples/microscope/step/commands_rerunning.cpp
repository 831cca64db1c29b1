// jac ck seed set undo: what needs the ops to run again.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/path.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/numeric.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

// jac [row] [input]
Report jacobian(Stepper& s, const Words& a) {
  require(s.at > 0, "expected to stand at a step; n goes to the first");
  const Timeline& line = s.line();
  const int op = line.event(s.at).op;
  const TraceOp& o = line.op(op);
  const TraceTensor& y = line.tensor(o.out[0]);
  std::vector<std::string> arguments = a;
  int only = -1;
  if (!arguments.empty() && arguments.back().find_first_not_of("0123456789") != std::string::npos) {
    only = node_of(s, arguments.back()).tensor;
    require(std::find(o.in.begin(), o.in.end(), only) != o.in.end(), "{} is no input of {}",
            line.label(only), line.call(op));
    arguments.pop_back();
  }
  require(arguments.size() <= 1, "expected [row] [input], got {} words", a.size());
  const int rows = static_cast<int>(y.value.size());
  const int row = arguments.empty() ? -1 : number_argument("row", arguments[0], 0, rows - 1);
  Report r;
  for (size_t slot = 0; slot < o.in.size(); ++slot) {
    const int x = o.in[slot];
    if (x < 0 || (only >= 0 && x != only) || line.tensor(x).grad_state == "no_grad") continue;
    append_jacobian(s, op, static_cast<int>(slot), row, r);
  }
  if (r.items.empty()) r.say(s.pick("no input takes a gradient", "没有输入需要梯度"), Tone::dim);
  return r;
}

// ck [tensor]: by default what the current op sends to, or computes.
Report numeric_check(Stepper& s, const Words& a) {
  const Timeline& line = s.line();
  std::vector<int> tensors;
  if (!a.empty()) {
    tensors.push_back(node_of(s, a[0]).tensor);
  } else {
    require(s.at > 0, "expected a tensor, or to stand at a step");
    const Event& e = line.event(s.at);
    tensors = line.op(e.op).out;
    if (e.backward) {
      tensors.clear();
      for (const int c : line.sent_by(e.op))
        if (std::find(tensors.begin(), tensors.end(), line.contribution(c).tensor) == tensors.end())
          tensors.push_back(line.contribution(c).tensor);
    }
  }
  Report r;
  for (const int t : tensors) {
    if (!line.tensor(t).has_grad()) {
      r.say(" " + line.label(t) + ": ∅ " + reason_text(s, t, line.gradient(t, line.length()).known),
            Tone::dim);
      continue;
    }
    const CheckRow row = measured_gradient(s, t);
    s.failed = s.failed || !row.pass;
    r.items.emplace_back(check_line(s, row));
  }
  return r;
}

// ---- other runs ----

Report set(Stepper& s, const Words& a) {
  const std::string text = a.size() == 1 ? a[0] : a[0] + "=" + a[1];
  Node node{};
  const size_t equals = text.find('=');
  require(equals != std::string::npos, "expected set TENSOR[index] NUMBER, got '{}'",
          printable(text));
  node = node_of(s, text.substr(0, equals));
  require(node.count == 1, "expected one number of {}, like {}[0], got {} numbers",
          s.line().label(node.tensor), s.line().label(node.tensor), node.count);
  double value = 0;
  const std::string number = text.substr(equals + 1);
  const char* const end = number.data() + number.size();
  const auto [next, error] = std::from_chars(number.data(), end, value);
  require(error == std::errc() && next == end && std::isfinite(value),
          "expected a finite number, got '{}'", printable(number));
  const double before = s.line().tensor(node.tensor).value.at(node.first);
  Session session(s.line().trace());
  session.set({node.tensor, node.first, value});
  const int seed = s.line().trace().seed;
  const Numbers old = s.line().tensor(seed).value;
  show_run(s, session.trace());
  Report r;
  r.say(fmt::format("{}: {} -> {}", printable(text.substr(0, equals)),
                    number_text(before, s.digits), number_text(value, s.digits)),
        Tone::now);
  if (old.size() == 1)
    r.say(fmt::format(" {}: {} -> {}", s.line().label(seed), number_text(old[0], s.digits),
                      number_text(s.line().tensor(seed).value[0], s.digits)),
          Tone::now);
  r.append(step_report(s));
  return r;
}

// A tensor's number, or loss.t3 and logit.t3.chat of a sentence pair.
Node seed_node(const Stepper& s, const std::string& text) {
  try {
    return node_of(s, text);
  } catch (const std::invalid_argument& e) {
    try {
      const Place place = place_named(s.line().trace(), text);
      if (place.numbers.size() == 1) return {place.tensor, {}, place.numbers[0], 1};
    } catch (const std::invalid_argument&) {
    }
    throw std::invalid_argument(e.what());
  }
}

// The same values, another number differentiated: z[1], L, loss.t2.
Report seed(Stepper& s, const Words& a) {
  Report r;
  if (a.empty()) {
    const int t = s.line().trace().seed;
    Row row = value_row(s, s.pick("seed", "种子"), t);
    row.values = s.line().trace().seed_value;
    row.missing.clear();
    r.add(std::move(row));
    return r;
  }
  const Node node = seed_node(s, a[0]);
  const TraceTensor& t = s.line().tensor(node.tensor);
  require(node.count == 1, "expected one number of {}, like {}[0], got {} numbers",
          s.line().label(node.tensor), s.line().label(node.tensor), node.count);
  require(t.producer >= 0, "expected a computed tensor, {} is given", s.line().label(node.tensor));
  Trace other = s.line().trace();
  other.seed = node.tensor;
  other.seed_value.assign(t.value.size(), 0.0);
  other.seed_value.at(node.first) = 1;
  for (TraceTensor& x : other.tensors)
    if (x.role == "output") x.role = "inter";
  other.tensors[static_cast<size_t>(node.tensor)].role = "output";
  show_run(s, Session(std::move(other)).trace());
  r.say(s.pick("differentiated: ", "求导对象：") + printable(a[0]), Tone::now);
  r.append(step_report(s));
  return r;
}

Report undo(Stepper& s, const Words&) {
  Report r;
  if (s.runs.size() == 1) {
    r.say(s.pick("nothing to undo", "没有可撤销的操作"), Tone::bad);
    return r;
  }
  undo_run(s);
  r.say(s.pick("as before", "已恢复"), Tone::now);
  r.append(step_report(s));
  return r;
}

}  // namespace

std::vector<StepCommand> rerunning_commands() {
  return {
      {{"jac"},
       "[row] [input]",
       "the Jacobian of this op, from its own backward",
       "本运算的雅可比矩阵（由其反向得到）",
       0,
       2,
       jacobian},
      {{"ck", "check"},
       "[TENSOR]",
       "holds gradients against central differences",
       "用中心差分检验梯度",
       0,
       1,
       numeric_check},
      {{"seed"}, "[TENSOR[index]]", "chooses what is differentiated", "选择求导对象", 0, 1, seed},
      {{"set"},
       "TENSOR[index] NUMBER",
       "changes a number and computes all that follows",
       "改一个数并重算其后的一切",
       1,
       2,
       set},
      {{"undo"}, "", "takes the last set or seed back", "撤销上一次 set 或 seed", 0, 0, undo},
  };
}

}  // namespace heed::microscope::stepper
