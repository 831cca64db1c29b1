// One step as a report.
#include "examples/microscope/step/step_view.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/notes.h"
#include "examples/microscope/step/numeric.h"

namespace heed::microscope::stepper {
namespace {

// The words of the source beside what stands for them: its vectors x and h.
std::vector<std::string> words_of_rows(const Timeline& line, const TraceTensor& t) {
  if ((t.name != "x" && t.name != "h") || t.shape.size() < 2) return {};
  const auto words = line.trace().run.value("src", std::vector<std::string>{});
  const auto rows = static_cast<size_t>(t.shape[t.shape.size() - 2]);
  return rows == words.size() && rows * static_cast<size_t>(t.shape.back()) == t.value.size()
             ? words
             : std::vector<std::string>{};
}

void next_line(const Stepper& s, Report& r) {
  Stepper after = s;
  after.at = next_step(s);
  if (after.at == s.at) {
    r.say(s.pick(" end: every gradient is complete", " 结束：所有梯度都已算完"), Tone::dim);
    return;
  }
  r.say(s.pick(" next: ", " 下一步：") + step_name(after, after.at), Tone::dim);
}

void watched(const Stepper& s, Report& r) {
  for (const std::string& text : s.watches) {
    Node node{};
    try {
      node = node_of(s, text);
    } catch (const std::invalid_argument&) {
      r.say(s.pick(" watch ", " 监视 ") + printable(text) +
                s.pick(": not in this run", "：本次运行中没有"),
            Tone::dim);
      continue;
    }
    r.add(value_row(s, s.pick("watch", "监视"), node.tensor));
    r.add(gradient_row(s, s.pick("grad", "梯度"), node.tensor));
  }
}

void attributes(const Stepper& s, int op, Report& r) {
  const Json& attrs = s.line().op(op).attrs;
  if (attrs.empty()) return;
  std::string text;
  for (const auto& [name, value] : attrs.items()) {
    std::string shown = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    text += (text.empty() ? "" : ", ") + name + " " + fit_columns(shown, 60);
  }
  r.say(s.pick(" with   ", " 参数   ") + printable(text), Tone::dim);
}

void operands(const Stepper& s, int op, Report& r) {
  const Timeline& line = s.line();
  const TraceOp& o = line.op(op);
  std::vector<int> shown = each_once(o.in);
  for (const int x : shown) r.add(value_row(s, s.pick("in", "输入"), x));
  for (const int y : each_once(o.out)) {
    Row row = value_row(s, s.pick("out", "输出"), y);
    row.note = output_note(s, op, y);
    r.add(std::move(row));
    shown.push_back(y);
  }
  for (const TraceSaved& saved : o.saved) {
    const bool seen = std::any_of(shown.begin(), shown.end(), [&](int i) {
      return i == saved.tensor || line.tensor(i).value == line.tensor(saved.tensor).value;
    });
    if (seen) continue;
    Row row = value_row(s, s.pick("saved", "保存"), saved.tensor);
    row.name = printable(saved.name);
    r.add(std::move(row));
  }
}

void forward_step(const Stepper& s, int op, Report& r) {
  r.say(" " + forward_formula(s, op), Tone::formula);
  attributes(s, op, r);
  operands(s, op, r);
}

// What is sent, and what it is added to.
void sends(const Stepper& s, int op, Report& r) {
  const Timeline& line = s.line();
  const std::vector<int> sent = line.sent_by(op);
  for (const int c : sent) {
    const TraceContribution& k = line.contribution(c);
    Row row{.label = s.pick("sends", "传出"),
            .name = line.label(k.tensor),
            .shape = line.tensor(k.tensor).shape,
            .values = k.value,
            .tone = Tone::now,
            .rows = words_of_rows(line, line.tensor(k.tensor)),
            .hidden = hides(s, s.at)};
    if (!row.hidden) row.note = sent_note(s, op, c);
    r.add(std::move(row));
  }
  if (hides(s, s.at))
    r.say(s.pick(" hidden: type the numbers (predict 0.1 -0.2 ...), or: predict show",
                 " 已隐藏：请输入数字（predict 0.1 -0.2 ...），或 predict show 查看"),
          Tone::now);
  std::vector<int> targets;
  for (const int c : sent) targets.push_back(line.contribution(c).tensor);
  for (const int x : each_once(targets)) {
    const GradientAt g = line.gradient(x, s.at);
    if (g.all < 2 && x != line.trace().seed) continue;
    std::string text = " " + s.pick("ledger ", "账本   ") + line.label(x) + ": ";
    text += s.pick(fmt::format("{} of {} contributions so far", g.arrived, g.all),
                   fmt::format("已到 {} / {} 项", g.arrived, g.all));
    for (size_t i = 0; i < std::min<size_t>(g.all, 6); ++i) {
      const TraceContribution& k = line.contribution(line.ledger(x)[i]);
      const bool here = i < g.arrived;
      text += (i == 0 ? "; " : here ? " + " : ", ") + line.label(line.op(k.op).out[0]);
      if (hides(s, s.at) && k.op == op) continue;
      text += here ? fmt::format(" ‖{}‖", number_text(euclidean_norm(k.value), 4))
                   : s.pick(" to come", " 未到");
    }
    if (g.all > 6) text += " …";
    r.say(text, Tone::dim);
  }
  for (const int x : each_once(line.op(op).in)) {
    if (std::find(targets.begin(), targets.end(), x) != targets.end()) continue;
    const Known known = line.gradient(x, line.length()).known;
    r.say(" ∅      " + line.label(x) + ": " +
              (known == Known::done ? s.pick("this op sends nothing to it", "该运算不向它传梯度")
                                    : reason_text(s, x, known)),
          Tone::dim);
  }
}

// What running the op again adds, where that is small: its norm and first row, and the measured
// gradient of what it sends to.
constexpr size_t kSmall = 64;
constexpr int kMostOps = 200;

bool small_enough(const Timeline& line, int op) {
  const TraceOp& o = line.op(op);
  const auto fits = [&](int t) { return t < 0 || line.tensor(t).value.size() <= kSmall; };
  return line.forward() <= kMostOps && std::all_of(o.in.begin(), o.in.end(), fits) &&
         std::all_of(o.out.begin(), o.out.end(), fits);
}

// A trace whose ops cannot run again is stepped through all the same.
template <class F>
void if_possible(F f) {
  try {
    f();
  } catch (const std::logic_error&) {
  } catch (const Json::exception&) {
  }
}

void jacobian_row(const Stepper& s, int op, Report& r) {
  constexpr size_t kMostColumns = 16;
  const TraceOp& o = s.line().op(op);
  if (o.in.size() != 1 || o.out.size() != 1 || o.sends.empty()) return;
  if (s.line().tensor(o.in[0]).value.size() > kMostColumns) return;
  if_possible([&] {
    Report one;
    append_jacobian(s, op, 0, 0, one);
    const size_t rows = s.line().tensor(o.out[0]).value.size();
    const size_t columns = s.line().tensor(o.in[0]).value.size();
    if (Row* row = std::get_if<Row>(&one.items.at(0)))
      row->note = "‖J‖₂ " +
                  number_text(spectral_norm(s.session().jacobian(op, 0), rows, columns), s.digits);
    r.append(one);
  });
}

void measured(const Stepper& s, int op, Report& r) {
  const Timeline& line = s.line();
  std::vector<int> targets;
  for (const int c : line.sent_by(op)) targets.push_back(line.contribution(c).tensor);
  for (const int x : each_once(targets))
    if_possible([&] { r.items.emplace_back(check_line(s, measured_gradient(s, x))); });
}

void backward_step(const Stepper& s, int op, Report& r) {
  const bool small = small_enough(s.line(), op);
  r.say(" " + forward_formula(s, op), Tone::formula);
  for (const std::string& formula : backward_formulas(s, op)) r.say(" " + formula, Tone::formula);
  attributes(s, op, r);
  operands(s, op, r);
  for (const int y : each_once(s.line().op(op).out)) {
    Row row = gradient_row(s, s.pick("grad", "梯度"), y);
    if (row.missing.empty()) row.note = incoming_note(s, op, y);
    r.add(std::move(row));
  }
  if (small) jacobian_row(s, op, r);
  sends(s, op, r);
  if (small && !hides(s, s.at)) measured(s, op, r);
}

}  // namespace

std::vector<int> each_once(const std::vector<int>& all) {
  std::vector<int> seen;
  for (const int i : all)
    if (i >= 0 && std::find(seen.begin(), seen.end(), i) == seen.end()) seen.push_back(i);
  return seen;
}

std::string pass_name(const Stepper& s, bool backward) {
  return backward ? s.pick("bwd", "反向") : s.pick("fwd", "前向");
}

int number_in_pass(const Timeline& line, int position) {
  return line.event(position).backward ? position - line.forward() : position;
}

bool hides(const Stepper& s, int position) {
  return s.predicting && position > 0 && s.line().event(position).backward &&
         !s.revealed.contains(position);
}

std::string step_name(const Stepper& s, int position) {
  const Timeline& line = s.line();
  if (position == 0) return s.pick("start", "开始");
  const Event& e = line.event(position);
  const int of = e.backward ? line.backward() : line.forward();
  return fmt::format("{} {}/{}  {}  {}", pass_name(s, e.backward), number_in_pass(line, position),
                     of, printable(line.op(e.op).op), line.call(e.op));
}

std::string reason_text(const Stepper& s, int tensor, Known known) {
  switch (known) {
    case Known::not_yet:
      return s.pick("not yet: its gradient comes later", "尚未：梯度还没传到这里");
    case Known::not_reached:
      return s.pick("not reached: what is differentiated does not depend on it",
                    "未到达：求导对象不依赖它");
    case Known::cut:
      return s.pick("cut: ", "截断：") + printable(s.line().tensor(tensor).cut);
    case Known::no_grad:
      return s.pick("no gradient: a constant", "无梯度：常量");
    case Known::done:
    case Known::partly:
      break;
  }
  return "";
}

Row value_row(const Stepper& s, const std::string& label, int tensor) {
  const Timeline& line = s.line();
  const TraceTensor& t = line.tensor(tensor);
  Row row{.label = label, .name = line.label(tensor), .shape = t.shape};
  row.whole = t.dtype == "i64";
  row.rows = words_of_rows(line, t);
  row.note = sample_note(s, t, false);
  if (line.has_value(tensor, s.at))
    row.values = t.value;
  else
    row.missing = s.pick("not yet computed", "尚未计算");
  return row;
}

Row gradient_row(const Stepper& s, const std::string& label, int tensor) {
  const Timeline& line = s.line();
  Row row{.label = label, .name = line.label(tensor), .shape = line.tensor(tensor).shape};
  row.rows = words_of_rows(line, line.tensor(tensor));
  GradientAt g = line.gradient(tensor, s.at);
  if (g.sum.empty() && !(g.known == Known::done)) {
    row.missing = "∅ " + reason_text(s, tensor, g.known);
    row.tone = Tone::dim;
    return row;
  }
  // A sum that holds a hidden contribution is hidden, too.
  const std::vector<int>& all = line.ledger(tensor);
  row.hidden = s.at > 0 && hides(s, s.at) && std::any_of(all.begin(), all.end(), [&](int c) {
                 return line.contribution(c).op == line.event(s.at).op;
               });
  row.values = std::move(g.sum);
  if (g.known == Known::done) row.note = sample_note(s, line.tensor(tensor), true);
  if (g.known == Known::partly)
    row.note = s.pick(fmt::format("so far: {} of {} (recomputed)", g.arrived, g.all),
                      fmt::format("目前 {} / {} 项之和（重新计算）", g.arrived, g.all));
  return row;
}

Report ledger_report(const Stepper& s, int tensor) {
  const Timeline& line = s.line();
  const GradientAt g = line.gradient(tensor, s.at);
  Report r;
  r.items.emplace_back(Text{s.pick("contributions to dL/d", "对 dL/d") + line.label(tensor) +
                                s.pick(fmt::format(": {} of {} have arrived", g.arrived, g.all),
                                       fmt::format(" 的各项贡献：已到 {} / {}", g.arrived, g.all)),
                            Tone::head, line.path(line.tensor(tensor).scope)});
  if (tensor == line.trace().seed && s.at > line.forward())
    r.add({.label = s.pick("seed", "种子"),
           .name = "dL/d" + line.label(tensor),
           .shape = line.tensor(tensor).shape,
           .values = line.trace().seed_value});
  for (size_t i = 0; i < g.all; ++i) {
    const TraceContribution& k = line.contribution(line.ledger(tensor)[i]);
    Row row{.label = fmt::format("{:>2}", i + 1),
            .name = s.pick("via ", "经 ") + line.label(line.op(k.op).out[0]) + " (" +
                    printable(line.op(k.op).op) + ")",
            .shape = {}};
    row.shape = line.tensor(tensor).shape;
    if (i < g.arrived) {
      row.values = k.value;
      row.hidden = s.at > 0 && hides(s, s.at) && k.op == line.event(s.at).op;
    } else {
      row.missing = s.pick("to come", "未到");
      row.tone = Tone::dim;
    }
    r.add(std::move(row));
  }
  Row sum = gradient_row(s, s.pick("sum", "合计"), tensor);
  if (g.known == Known::done)
    sum.note = s.pick("= the stored gradient, to the bit", "= 存储的梯度，逐位相同");
  r.add(std::move(sum));
  return r;
}

Report step_report(const Stepper& s) {
  const Timeline& line = s.line();
  Report r;
  if (s.at == 0) {
    r = start_report(s);
  } else if (const int scope = folded_at(s, s.at); scope >= 0) {
    r = folded_report(s, scope);
  } else {
    const Event& e = line.event(s.at);
    r.items.emplace_back(Text{step_name(s, s.at), Tone::head, line.path(line.op(e.op).scope)});
    if (e.backward)
      backward_step(s, e.op, r);
    else
      forward_step(s, e.op, r);
  }
  watched(s, r);
  next_line(s, r);
  return r;
}

}  // namespace heed::microscope::stepper
