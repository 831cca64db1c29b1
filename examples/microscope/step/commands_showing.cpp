// v gr in con f fn find w predict lang
#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/step_view.h"
#include "examples/microscope/step/worked.h"

namespace heed::microscope::stepper {
namespace {

int current_op(const Stepper& s) {
  require(s.at > 0, "expected to stand at a step; n goes to the first");
  return s.line().event(s.at).op;
}

// The tensor named, or the one the current step is about: its output.
Node node_argument(const Stepper& s, const Words& a) {
  if (!a.empty()) return node_of(s, a[0]);
  const int y = s.line().op(current_op(s)).out[0];
  return {y, {}, 0, s.line().tensor(y).value.size()};
}

// The part of a row that was asked for; one number in full.
Row part_of(Row row, const Node& node) {
  row.all = true;
  if (node.index.empty() || row.values.empty()) return row;
  std::string index;
  for (const int64_t i : node.index) index += (index.empty() ? "" : ",") + std::to_string(i);
  row.name += "[" + index + "]";
  const auto first = row.values.begin() + static_cast<std::ptrdiff_t>(node.first);
  row.values = Numbers(first, first + static_cast<std::ptrdiff_t>(node.count));
  const size_t last = row.shape.empty() ? 1 : static_cast<size_t>(row.shape.back());
  row.shape.clear();
  if (last > 0 && node.count > last)
    row.shape = {static_cast<int64_t>(node.count / last), static_cast<int64_t>(last)};
  if (node.count == 1 && !row.hidden) row.note = fmt::format("{}", row.values[0]);
  return row;
}

Report value(Stepper& s, const Words& a) {
  const Node node = node_argument(s, a);
  Report r;
  r.add(part_of(value_row(s, s.pick("value", "值"), node.tensor), node));
  return r;
}

Report gradient(Stepper& s, const Words& a) {
  const Node node = node_argument(s, a);
  Report r;
  r.add(part_of(gradient_row(s, s.pick("grad", "梯度"), node.tensor), node));
  return r;
}

// What arrives at the current op: the gradients of its outputs.
Report incoming(Stepper& s, const Words&) {
  const int op = current_op(s);
  Report r;
  for (const int y : s.line().op(op).out) r.append(ledger_report(s, y));
  return r;
}

// The ledgers of what the current op sends to, or of a tensor.
Report contributions(Stepper& s, const Words& a) {
  if (!a.empty()) return ledger_report(s, node_of(s, a[0]).tensor);
  const TraceOp& op = s.line().op(current_op(s));
  Report r;
  std::vector<int> seen;
  for (const int x : op.in) {
    if (x < 0 || std::find(seen.begin(), seen.end(), x) != seen.end()) continue;
    seen.push_back(x);
    r.append(ledger_report(s, x));
  }
  return r;
}

Report formula(Stepper& s, const Words&) {
  const int op = current_op(s);
  const TraceFormula& f = s.line().formula(op);
  Report r;
  r.say(" " + forward_formula(s, op), Tone::formula);
  for (const std::string& text : backward_formulas(s, op)) r.say(" " + text, Tone::formula);
  std::string letters;
  for (size_t i = 0; i < f.inputs.size() && i < s.line().op(op).in.size(); ++i) {
    const int x = s.line().op(op).in[i];
    if (x >= 0) letters += (i ? ", " : "") + f.inputs[i] + " = " + s.line().label(x);
  }
  r.say(s.pick(" the op's own letters: ", " 运算自身的记号：") +
            printable(f.forward + "   " + letters),
        Tone::dim);
  return r;
}

Report formula_with_numbers(Stepper& s, const Words& a) {
  const int op = current_op(s);
  const auto most = static_cast<int>(s.line().tensor(s.line().op(op).out[0]).value.size());
  const int at = a.empty() ? 0 : number_argument("element", a[0], 0, most - 1);
  return worked_report(s, op, static_cast<size_t>(at));
}

Report find(Stepper& s, const Words& a) {
  const Timeline& line = s.line();
  Report r;
  if (a[0].size() > 200) require(false, "expected a pattern of at most 200 bytes");
  std::regex pattern;
  try {
    pattern.assign(a[0], std::regex::ECMAScript | std::regex::icase);
  } catch (const std::regex_error& e) {
    require(false, "expected a regular expression, got '{}' ({})", printable(a[0]), e.what());
  }
  const auto is = [&](const std::string& text) {
    return std::regex_search(text.substr(0, 200), pattern);  // its matcher recurses per letter
  };
  size_t found = 0;
  constexpr size_t kMost = 40;
  const auto add = [&](const std::string& text) {
    if (++found <= kMost) r.say(text);
  };
  for (size_t i = 1; i < line.trace().scopes.size(); ++i)
    if (is(line.path(static_cast<int>(i))))
      add(s.pick(" scope   ", " 作用域  ") + line.path(static_cast<int>(i)));
  for (size_t i = 0; i < line.trace().tensors.size(); ++i) {
    const int t = static_cast<int>(i);
    const std::string& name = line.tensor(t).name;
    if (name.empty() || !is(line.path(line.tensor(t).scope) + "/" + name)) continue;
    add(fmt::format("{} #{} {}  {}", s.pick(" tensor ", " 张量   "), i, line.label(t),
                    line.path(line.tensor(t).scope)));
  }
  for (int i = 0; i < line.forward(); ++i)
    if (is(line.op(i).op))
      add(fmt::format("{} f{}  {}  {}", s.pick(" step   ", " 步骤   "), i + 1, line.call(i),
                      line.path(line.op(i).scope)));
  if (found > kMost) r.say(fmt::format(" … {}", found - kMost), Tone::dim);
  if (found == 0) r.say(s.pick("nothing found", "没有找到"), Tone::dim);
  return r;
}

Report watch(Stepper& s, const Words& a) {
  if (!a.empty()) {
    const auto it = std::find(s.watches.begin(), s.watches.end(), a[0]);
    if (it != s.watches.end()) {
      s.watches.erase(it);  // a second time: no longer
    } else {
      node_of(s, a[0]);
      s.watches.push_back(a[0]);
    }
  }
  Report r;
  if (s.watches.empty()) r.say(s.pick("nothing is watched", "没有监视"), Tone::dim);
  for (const std::string& w : s.watches) r.say(s.pick(" watching ", " 监视 ") + printable(w));
  return r;
}

// ---- predict ----

double number_of(const std::string& text) {
  double value = 0;
  const size_t skip = text.starts_with("+") ? 1 : 0;
  const char* const end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data() + skip, end, value);
  require(error == std::errc() && next == end, "expected a number, got '{}'", printable(text));
  return value;
}

// Right within 1 % of the number, or of a hundredth of the largest.
Report judge(Stepper& s, const Words& typed) {
  require(hides(s, s.at), "nothing is hidden here; predict on, then n to a backward step");
  const Timeline& line = s.line();
  const std::vector<int> sent = line.sent_by(line.event(s.at).op);
  Numbers right;
  for (const int c : sent) {
    const Numbers& v = line.contribution(c).value;
    right.insert(right.end(), v.begin(), v.end());
  }
  require(typed.size() == right.size(), "expected {} numbers (what this step sends), got {}",
          right.size(), typed.size());
  double largest = 0;
  for (const double v : right) largest = std::max(largest, std::abs(v));
  Report r;
  size_t good = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    const double guess = number_of(typed[i]);
    const double limit = std::max(0.01 * std::abs(right[i]), 1e-4 * largest) + 1e-12;
    const bool fits = std::abs(guess - right[i]) <= limit;
    good += fits ? 1 : 0;
    r.say(fmt::format(" {} {}  {} {}", fits ? "✓" : "✗", number_text(guess, s.digits),
                      fits ? s.pick("right:", "对：") : s.pick("wrong, it is", "错，应为"),
                      number_text(right[i], s.digits)),
          fits ? Tone::good : Tone::bad);
  }
  s.revealed.insert(s.at);
  r.say(s.pick(fmt::format("{} of {} right (within 1 %)", good, right.size()),
               fmt::format("{} / {} 正确（误差 1 % 以内）", good, right.size())),
        good == right.size() ? Tone::good : Tone::bad);
  r.append(step_report(s));
  return r;
}

Report predict(Stepper& s, const Words& a) {
  Report r;
  if (a.empty() || a[0] == "on") {
    s.predicting = true;
    s.revealed.clear();
    r.say(s.pick("what each backward step sends is hidden until it is typed or shown (predict off "
                 "ends this)",
                 "每个反向步传出的数都已隐藏，输入或查看之后才显示（predict off 结束）"),
          Tone::dim);
    if (s.at > 0) r.append(step_report(s));
    return r;
  }
  if (a[0] == "off") {
    s.predicting = false;
    r.say(s.pick("nothing is hidden", "不再隐藏"), Tone::dim);
    return r;
  }
  if (a[0] == "show") {
    require(hides(s, s.at), "nothing is hidden here");
    s.revealed.insert(s.at);
    return step_report(s);
  }
  return judge(s, a);
}

Report language(Stepper& s, const Words& a) {
  require(a[0] == "en" || a[0] == "zh", "expected en or zh, got '{}'", printable(a[0]));
  s.lang = a[0] == "zh" ? Lang::zh : Lang::en;
  return step_report(s);
}

}  // namespace

std::vector<StepCommand> showing_commands() {
  constexpr size_t kMany = 1'000'000;
  return {
      {{"v", "value"}, "[TENSOR]", "its value, every number", "值（全部）", 0, 1, value},
      {{"gr", "grad"}, "[TENSOR]", "its gradient as it stands now", "当前的梯度", 0, 1, gradient},
      {{"in"}, "", "the gradients that arrive at this op", "到达本运算的梯度", 0, 0, incoming},
      {{"con"},
       "[TENSOR]",
       "the ledger: every contribution to a gradient and their sum",
       "账本：梯度的每一项贡献及其和",
       0,
       1,
       contributions},
      {{"f", "formula"}, "", "formula, forward and backward", "公式，前向与反向", 0, 0, formula},
      {{"fn"},
       "[element]",
       "the formula with the numbers of one element",
       "代入某个元素数值的公式",
       0,
       1,
       formula_with_numbers},
      {{"find"}, "REGEX", "tensors, scopes and ops", "查找张量、作用域和运算", 1, 1, find},
      {{"w", "watch"},
       "[TENSOR]",
       "shows it at every step; again: no more",
       "每步都显示；再输入一次取消",
       0,
       1,
       watch},
      {{"predict"},
       "[on|off|show|NUMBERS]",
       "hides what is sent until you have typed it",
       "隐藏传出的梯度，由你先猜",
       0,
       kMany,
       predict},
      {{"lang"}, "en|zh", "language", "语言", 1, 1, language},
  };
}

}  // namespace heed::microscope::stepper
