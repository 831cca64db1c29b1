// What stands where no single op does: the start, and a folded scope.
#include <algorithm>
#include <set>

#include "examples/console/utf8.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {

// The tensors that lead into a folded scope, or out of it.
Report folded_report(const Stepper& s, int scope) {
  const Timeline& line = s.line();
  const int first = unit_begin(s, s.at), last = unit_end(s, s.at);
  const bool backward = line.event(s.at).backward;
  std::set<int> ops;
  std::vector<int> in, out;
  for (int p = first; p <= last; ++p) ops.insert(line.event(p).op);
  const auto inside = [&](int op) { return op >= 0 && ops.contains(op); };
  for (const int op : ops) {
    for (const int x : line.op(op).in)
      if (x >= 0 && !inside(line.tensor(x).producer)) in.push_back(x);
    for (const int y : line.op(op).out) {
      const std::vector<int>& users = line.users(y);
      if (users.empty() ||
          std::any_of(users.begin(), users.end(), [&](int u) { return !inside(u); }))
        out.push_back(y);
    }
  }
  Report r;
  r.items.emplace_back(Text{
      fmt::format("{} {}-{}/{}  {}  {}", pass_name(s, backward), number_in_pass(line, first),
                  number_in_pass(line, last), backward ? line.backward() : line.forward(),
                  s.pick("folded", "已折叠"),
                  s.pick(fmt::format("{} ops", ops.size()), fmt::format("{} 个运算", ops.size()))),
      Tone::head, line.path(scope)});
  Stepper end = s;
  end.at = last;
  for (const int x : each_once(in)) {
    r.add(value_row(end, s.pick("in", "输入"), x));
    if (backward) r.add(gradient_row(end, s.pick("grad", "梯度"), x));
  }
  for (const int y : each_once(out)) {
    r.add(value_row(end, s.pick("out", "输出"), y));
    if (backward) r.add(gradient_row(end, s.pick("grad", "梯度"), y));
  }
  return r;
}

Report start_report(const Stepper& s) {
  const Timeline& line = s.line();
  const Trace& t = line.trace();
  Report r;
  const std::string title = t.meta.value("title", std::string());
  r.items.emplace_back(
      Text{s.pick(fmt::format("start  {} steps forward, {} back", line.forward(), line.backward()),
                  fmt::format("开始  前向 {} 步，反向 {} 步", line.forward(), line.backward())),
           Tone::head, printable(title)});
  const auto ones =
      std::count_if(t.seed_value.begin(), t.seed_value.end(), [](double v) { return v != 0; });
  const auto one =
      std::find_if(t.seed_value.begin(), t.seed_value.end(), [](double v) { return v != 0; });
  std::string what = line.label(t.seed);
  if (t.seed_value.size() > 1 && ones == 1)
    what += place_of(line.tensor(t.seed), static_cast<size_t>(one - t.seed_value.begin()));
  r.say(" " + s.pick("differentiated: ", "求导对象：") + what);
  size_t shown = 0;
  for (size_t i = 0; i < t.tensors.size() && shown < 12; ++i) {
    const std::string& role = t.tensors[i].role;
    if (role != "input" && role != "param") continue;
    r.add(value_row(s, role == "input" ? s.pick("input", "数据") : s.pick("param", "参数"),
                    static_cast<int>(i)));
    ++shown;
  }
  return r;
}

}  // namespace heed::microscope::stepper
