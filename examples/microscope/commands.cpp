// microscope trace | validate | export | check.
#include "examples/microscope/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/case.h"
#include "examples/microscope/check.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

struct Command {
  std::string file, output, node, format = "json";
  std::vector<std::string> decompose;
  bool json = false, full = false;
  CheckOptions check;
};

void add_file(CommandLine& sub, Command& c) {
  sub.add_option("file", c.file, "The trace").required();
}
void add_json(CommandLine& sub, Command& c) {
  sub.add_flag("--json", c.json, "One line of JSON for a program");
}

std::string label(const Trace& t, int id) {
  const std::string& name = t.tensors[static_cast<size_t>(id)].name;
  return name.empty() ? fmt::format("#{}", id) : harmless(name);
}

// NaN and infinities as a trace writes them.
Json number(double v) {
  if (v - v == 0) return v;
  return v != v ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
}
Json numbers(const Numbers& all) {
  Json list = Json::array();
  for (const double v : all) list.push_back(number(v));
  return list;
}

int trace(const Command& c) {
  constexpr uint64_t kMostCase = 1'000'000;  // bytes
  const Json file = parse_json(read_file(c.file, kMostCase), c.file);
  check_case(file, c.file);
  const Trace t = record_case(file, {c.decompose.begin(), c.decompose.end()});
  write_file(c.output, to_json(t));
  const size_t ops = t.ops.size(), contribs = t.contribs.size(), tensors = t.tensors.size();
  if (c.json)
    std::cout
        << Json({{"trace", c.output}, {"ops", ops}, {"tensors", tensors}, {"contribs", contribs}})
        << "\n";
  else if (c.output != "/dev/stdout")
    std::cout << fmt::format("{}: {} ops, {} tensors, {} contributions\n", c.output, ops, tensors,
                             contribs);
  return 0;
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

int export_node(const Command& c) {
  const Trace t = load_trace(c.file);
  const TraceTensor& x = t.tensors[static_cast<size_t>(t.find(c.node))];
  Json j = {{"node", c.node},
            {"shape", x.shape},
            {"dtype", x.dtype},
            {"value", numbers(x.value)},
            {"grad_state", x.grad_state},
            {"grad", x.has_grad() ? numbers(x.grad) : Json(nullptr)}};
  if (!x.cut.empty()) j["cut"] = x.cut;
  std::cout << j << "\n";
  return 0;
}

int check_trace(const Command& c) {
  const Trace t = load_trace(c.file);
  const std::vector<CheckRow> rows = check(t, c.check);
  bool pass = true;
  Json list = Json::array();
  for (const CheckRow& r : rows) {
    pass = pass && r.pass;
    const std::string name = label(t, r.tensor);
    if (c.json) {
      list.push_back(
          {{"tensor", name},
           {"method", c.check.directional ? "directional" : "central"},
           {"eps", c.check.step},
           {"n", r.numbers},
           {"max_abs", number(r.max_abs)},
           {"worst", {{"idx", r.worst}, {"ana", number(r.analytic)}, {"num", number(r.numeric)}}},
           {"status", r.pass ? "pass" : "fail"},
           {"same_values", r.again}});
      continue;
    }
    std::cout << fmt::format("{} {:<10} {:>5} numbers  max|d| {:.1e}", r.pass ? "pass" : "FAIL",
                             name, r.numbers, r.max_abs);
    if (!r.pass)
      std::cout << fmt::format("  at {}: recorded {:.9g}, measured {:.9g}{}", r.worst, r.analytic,
                               r.numeric, r.again ? "" : "; run again, its values differ");
    std::cout << "\n";
  }
  if (c.json) std::cout << Json({{"pass", pass}, {"checks", list}}) << "\n";
  return pass ? 0 : 1;
}

}  // namespace

Run add_trace(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("trace", "Records a forward and a backward pass");
  sub.add_option("--case", c->file, "A mechanism on given numbers: a JSON file").required();
  sub.add_option("--decompose", c->decompose,
                 "Fused ops to run as small ones: softmax, additive_score, unit")
      .delimiter(',');
  sub.add_option("-o,--output", c->output, "The trace to write").required();
  add_json(sub, *c);
  return [c] { return trace(*c); };
}

Run add_validate(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub =
      program.add_command("validate", "Checks a trace: schema, order, sums to the bit");
  add_file(sub, *c);
  add_json(sub, *c);
  return [c] { return validate(*c); };
}

Run add_export(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("export", "Prints a tensor and its gradient");
  add_file(sub, *c);
  sub.add_option("--node", c->node, "The tensor: its name, or #12").required();
  sub.add_option("--as", c->format, "json").one_of({"json"});
  add_json(sub, *c);
  return [c] { return export_node(*c); };
}

Run add_check(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("check", "Measures every gradient by differences");
  add_file(sub, *c);
  const Option full = sub.add_flag("--full", c->full, "Every number (the default)");
  sub.add_flag("--directional", c->check.directional, "One random direction per tensor")
      .excludes(full);
  sub.add_option("--tol", c->check.tolerance, "Relative tolerance (1e-6; 1e-4 for f32)")
      .between(1e-300, 1e300);
  add_json(sub, *c);
  return [c] { return check_trace(*c); };
}

}  // namespace heed::microscope
