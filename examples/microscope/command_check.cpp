// microscope validate | check | why: what judges traces.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/check.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"
#include "examples/microscope/why.h"

namespace heed::microscope {
namespace {

struct Command {
  std::string file, save, place, lang = "en";
  bool json = false, full = false;
  CheckOptions check;
};

std::string label(const Trace& t, int id) {
  const std::string& name = t.tensors[static_cast<size_t>(id)].name;
  return name.empty() ? fmt::format("#{}", id) : harmless(name);
}

int validate(const Command& c) {
  const Trace t = trace_from(read_file(c.file, kMostBytes), c.file);
  const std::vector<std::string> wrong = faults(t);
  if (c.json) {
    std::cout << Json({{"valid", wrong.empty()}, {"faults", wrong}}) << "\n";
  } else {
    for (const std::string& w : wrong) std::cout << c.file << ": " << w << "\n";
    if (wrong.empty())
      std::cout << fmt::format("{}: valid, {} ops, {} gradients are the sums of {} contributions\n",
                               c.file, t.ops.size(),
                               std::count_if(t.tensors.begin(), t.tensors.end(),
                                             [](const TraceTensor& x) { return x.has_grad(); }),
                               t.contribs.size());
  }
  return wrong.empty() ? 0 : 1;
}

void print(const Trace& t, const CheckRow& r) {
  std::string line = fmt::format("{:<7} {:<10} {:>5} numbers  max|d| {:.1e}",
                                 r.pass || r.status == "fail" ? r.status : "FAIL",
                                 label(t, r.tensor), r.numbers, r.max_abs);
  if (r.status == "fail" || r.status == "biased")
    line +=
        fmt::format("  at {}: recorded {:.9g}, measured {:.9g}", r.worst, r.analytic, r.numeric);
  if (!r.again) line += "; computed again, its values differ";
  std::cout << line << "\n";
}

Json to_json(const Trace& t, const InvariantRow& r) {
  return {{"what", r.what},
          {"op", r.op},
          {"name", t.ops[static_cast<size_t>(r.op)].op},
          {"slot", r.slot},
          {"error", json_number(r.error)},
          {"limit", json_number(r.limit)},
          {"pass", r.pass}};
}

// Whether every number of the trace can be measured in some seconds: each runs all that follows.
bool is_small(const Trace& t) {
  constexpr size_t kMostRuns = 2'000'000;  // of an op
  size_t numbers = 0;
  for (const TraceTensor& x : t.tensors) numbers += x.grad.size();
  return numbers * t.ops.size() <= kMostRuns;
}

int check_trace(const Command& c) {
  Trace t = load_trace(c.file);
  CheckOptions options = c.check;
  options.directional = options.directional || !(c.full || is_small(t));
  if (options.directional && !c.check.directional && !c.json)
    std::cout << "a large trace: one random direction per tensor; --full measures every number\n";
  const std::vector<CheckRow> rows = check(t, options);
  const std::vector<InvariantRow> within =
      options.directional ? std::vector<InvariantRow>{} : check_invariants(t);
  const auto passes = [](const auto& r) { return r.pass; };
  const bool pass = std::all_of(rows.begin(), rows.end(), passes) &&
                    std::all_of(within.begin(), within.end(), passes);
  if (!c.save.empty()) {
    t.checks = to_json(rows, options);
    heed::microscope::save(c.save, t);
  }
  if (c.json) {
    Json list = to_json(rows, options), invariants = Json::array();
    for (size_t i = 0; i < rows.size(); ++i) {
      list[i]["name"] = label(t, rows[i].tensor);
      list[i]["same_values"] = rows[i].again;
    }
    for (const InvariantRow& r : within) invariants.push_back(to_json(t, r));
    std::cout << Json({{"pass", pass}, {"checks", list}, {"invariants", invariants}}) << "\n";
    return pass ? 0 : 1;
  }
  for (const CheckRow& r : rows) print(t, r);
  for (const char* what : {"jacobian", "softmax"}) {
    size_t count = 0, failed = 0;
    for (const InvariantRow& r : within) {
      if (r.what != what) continue;
      ++count;
      if (r.pass) continue;
      ++failed;
      std::cout << fmt::format("fail    op {} ({}): {} {:.3e}, at most {:.3e}\n", r.op,
                               t.ops[static_cast<size_t>(r.op)].op,
                               r.what == "softmax" ? "|sum de|" : "|J^T dy - contribution|",
                               r.error, r.limit);
    }
    if (count > failed)
      std::cout << fmt::format("pass    {} {}\n", count - failed,
                               *what == 's' ? "softmax ops: rows cancel, masked places are 0"
                                            : "Jacobians: times dy they are what was contributed");
  }
  if (t.run.contains("estimator"))
    std::cout << fmt::format("the gradient of this hard choice is {}\n",
                             harmless(t.run["estimator"].value("label", "")));
  return pass ? 0 : 1;
}

int why_place(const Command& c) {
  const Trace t = load_trace(c.file);
  const Setting s = setting_of(t, c.place + "=0");  // the same way to name a place
  const Why w = why(t, s.tensor, s.index);
  if (c.json) {
    std::cout << to_json(t, w) << "\n";
    return 0;
  }
  const bool zh = c.lang == "zh";
  std::cout << fmt::format("{}: {}\n{}\n", c.place, w.rule, zh ? w.zh : w.en);
  if (w.rule != "cancel" && w.rule != "ordinary") return 0;
  size_t shown = 0;
  for (const WhyTerm& v : w.terms) {
    if (v.value() == 0 || ++shown > 20) continue;
    const TraceTensor& y = t.tensors[static_cast<size_t>(v.after)];
    std::cout << fmt::format("  {:>14.9g} = {:.9g} * {:.9g}   op {} ({}), by {}{}\n", v.value(),
                             v.derivative, v.incoming, v.op, t.ops[static_cast<size_t>(v.op)].op,
                             label(t, v.after), place_of(y, v.place));
  }
  return 0;
}

}  // namespace

Run add_validate(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub =
      program.add_command("validate", "Checks a trace: schema, order, sums to the bit");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return validate(*c); };
}

Run add_check(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("check", "Measures every gradient by differences");
  sub.add_option("file", c->file, "The trace").required();
  const Option full = sub.add_flag("--full", c->full, "Every number (the default of small traces)");
  sub.add_flag("--directional", c->check.directional, "One random direction per tensor")
      .excludes(full);
  sub.add_option("--tol", c->check.tolerance, "Relative tolerance (1e-6; 1e-4 for f32)")
      .between(1e-300, 1e300);
  sub.add_option("--save", c->save, "Writes the trace with what was measured");
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return check_trace(*c); };
}

Run add_why(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("why", "Why a gradient is zero, small, missing or NaN");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_option("place", c->place, "A number: e[0,3], or #12[0]").required();
  sub.add_option("--lang", c->lang, "en or zh").one_of({"en", "zh"});
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return why_place(*c); };
}

}  // namespace heed::microscope
