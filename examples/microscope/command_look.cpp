// microscope export | path | compare: what looks at traces.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <memory>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/compare.h"
#include "examples/microscope/export.h"
#include "examples/microscope/path.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

struct Command {
  std::string file, other, node, output, format = "json", from, to, by = "route", block,
                                         align = "name";
  double tolerance = 0;
  bool json = false;
};

double norm(const Numbers& all) {
  double squares = 0;
  for (const double v : all) squares += v * v;
  return std::sqrt(squares);
}

// ---- export ----

int export_node(const Command& c) {
  const Trace t = load_trace(c.file);
  require(!c.node.empty() || c.format == "dot",
          "export: expected --node; only --as dot can show the whole trace");
  const int node = c.node.empty() ? -1 : t.find(c.node);
  const std::string text = exported(t, node, c.format);
  if (c.output.empty()) {
    require(!c.json || c.format != "png",
            "export: a PNG is no text for --json; give a file with -o");
    if (c.json && c.format != "json")
      std::cout << Json({{"node", c.node}, {"as", c.format}, {"text", text}}) << "\n";
    else
      std::cout << text;
    return 0;
  }
  write_file(c.output, text);
  if (c.json) std::cout << Json({{"file", c.output}, {"bytes", text.size()}}) << "\n";
  return 0;
}

// ---- path ----

Json numbers(const Numbers& all) {
  Json list = Json::array();
  for (const double v : all) list.push_back(json_number(v));
  return list;
}

int path_between(const Command& c) {
  const Trace t = load_trace(c.file);
  const RouteBy by = c.by == "time"   ? RouteBy::time
                     : c.by == "head" ? RouteBy::head
                                      : RouteBy::route;
  const PathReport r = path(t, place_named(t, c.from), place_named(t, c.to), by, c.block);
  if (c.json) {
    Json routes = Json::array();
    for (const Route& route : r.routes)
      routes.push_back({{"route", route.label},
                        {"norm", json_number(norm(route.gradient))},
                        {"gradient", numbers(route.gradient)}});
    std::cout << Json({{"from", c.from},
                       {"to", c.to},
                       {"shortest", r.shortest},
                       {"total", numbers(r.total)},
                       {"norm", json_number(norm(r.total))},
                       {"routes", routes},
                       {"error", json_number(r.error)}})
              << "\n";
    return 0;
  }
  std::cout << fmt::format("from {} to {}: {} ops on the shortest way\n", c.from, c.to,
                           r.shortest.size());
  for (const int k : r.shortest) {
    const TraceOp& op = t.ops[static_cast<size_t>(k)];
    std::cout << fmt::format("  {:>5}  {:<15} {}\n", k, op.op, scope_path(t, op.scope));
  }
  for (const Route& route : r.routes)
    std::cout << fmt::format("{:<24} |gradient| {:.9g}\n", route.label, norm(route.gradient));
  std::cout << fmt::format("{:<24} |gradient| {:.9g}",
                           c.block.empty() ? "all" : "without " + c.block, norm(r.total));
  if (!r.routes.empty()) std::cout << fmt::format("   the routes add up to it, to {:.1e}", r.error);
  std::cout << "\n";
  return 0;
}

// ---- compare ----

int compare_traces(const Command& c) {
  const Trace one = load_trace(c.file), other = load_trace(c.other);
  const Align align = c.align == "token" ? Align::token : Align::name;
  const Comparison all = compare(one, other, align, c.tolerance);
  const auto key = [&](int i) {
    return i < 0 ? Json(nullptr) : Json(all.tensors[static_cast<size_t>(i)].key);
  };
  if (c.json) {
    Json list = Json::array();
    for (const ComparedTensor& x : all.tensors)
      list.push_back({{"key", x.key},
                      {"one", x.one < 0 ? Json(nullptr) : Json(x.one)},
                      {"other", x.other < 0 ? Json(nullptr) : Json(x.other)},
                      {"value", json_number(x.value)},
                      {"grad", json_number(x.grad)}});
    std::cout << Json({{"tensors", list},
                       {"first_value", key(all.first_value)},
                       {"first_grad", key(all.first_grad)}})
              << "\n";
    return 0;
  }
  for (const ComparedTensor& x : all.tensors) {
    std::string line = fmt::format("{:<44} ", harmless(x.key));
    if (x.one < 0 || x.other < 0)
      line += fmt::format("only in {}", harmless(x.one < 0 ? c.other : c.file));
    else if (!x.same_shape)
      line += "other shapes";
    else
      line += fmt::format("value {:<10.3g} grad {}", x.value,
                          !x.grad_known        ? "in one only"
                          : std::isnan(x.grad) ? "NaN"
                                               : fmt::format("{:.3g}", x.grad));
    std::cout << line << "\n";
  }
  const auto first = [&](const char* what, int i) {
    std::cout << fmt::format("first {} that differs: {}\n", what,
                             i < 0 ? "none" : harmless(all.tensors[static_cast<size_t>(i)].key));
  };
  first("value", all.first_value);
  first("gradient", all.first_grad);
  return 0;
}

}  // namespace

Run add_export(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("export", "A tensor and its gradient for other programs");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_option("--node", c->node, "The tensor: its name, decoder/step[2]/e, or #12");
  sub.add_option("--as", c->format, "json, csv, md, tex, svg, png, or dot (without --node: all)")
      .one_of(kExportFormats)
      .show_default();
  sub.add_option("-o,--out,--output", c->output, "A file; default is standard output");
  sub.add_flag("--json", c->json, "With -o: one line of JSON for a program");
  return [c] { return export_node(*c); };
}

Run add_path(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub =
      program.add_command("path", "The routes of a gradient from one place to another");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_option("--from", c->from, "What is differentiated: loss.t2, logit.t2.chat, L").required();
  sub.add_option("--to", c->to, "Where the gradient arrives: src.1, h[1], q").required();
  sub.add_option("--by", c->by, "route, time or head")
      .one_of({"route", "time", "head"})
      .show_default();
  sub.add_option("--block", c->block, "A route to close; attention: value and score");
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return path_between(*c); };
}

Run add_compare(CommandLine& program) {
  const auto c = std::make_shared<Command>();
  CommandLine sub = program.add_command("compare", "Two traces side by side");
  sub.add_option("file", c->file, "A trace").required();
  sub.add_option("other", c->other, "Another").required();
  sub.add_option("--align", c->align, "Steps by their number (name) or by their word (token)")
      .one_of({"name", "token"})
      .show_default();
  sub.add_option("--tol", c->tolerance, "Relative difference that does not count")
      .between(0, 1e300);
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return compare_traces(*c); };
}

}  // namespace heed::microscope
