// why path route cmp exp: questions that the microscope's other commands answer, asked of the run
// at hand.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/console/utf8.h"
#include "examples/microscope/compare.h"
#include "examples/microscope/export.h"
#include "examples/microscope/path.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/notes.h"
#include "examples/microscope/step/step_view.h"
#include "examples/microscope/why.h"

namespace heed::microscope::stepper {
namespace {

// "[0,2]" of a number of a tensor; "" where it has only one.
std::string index_of(const TraceTensor& t, size_t at) {
  return t.value.size() == 1 ? "" : place_of(t, at);
}

// What the current step is about: in the backward pass what it sends to, else what it makes.
int tensor_at_hand(const Stepper& s) {
  require(s.at > 0, "expected a tensor, or to stand at a step");
  const Event& e = s.line().event(s.at);
  if (e.backward)
    if (const std::vector<int> sent = s.line().sent_by(e.op); !sent.empty())
      return s.line().contribution(sent[0]).tensor;
  return s.line().op(e.op).out[0];
}

// Without an index: the number whose gradient is least, which is what one wonders about.
size_t least(const TraceTensor& t) {
  size_t at = 0;
  for (size_t i = 1; i < t.grad.size(); ++i)
    if (!(std::abs(t.grad[i]) >= std::abs(t.grad[at]))) at = i;
  return at;
}

Report ask_why(Stepper& s, const Words& a) {
  const Timeline& line = s.line();
  int tensor = -1;
  size_t at = 0;
  if (a.empty()) {
    tensor = tensor_at_hand(s);
    at = least(line.tensor(tensor));
  } else {
    const Node node = node_of(s, a[0]);
    tensor = node.tensor;
    at = node.index.empty() ? least(line.tensor(tensor)) : node.first;
    require(node.index.empty() || node.count == 1, "expected one number, {} has {}",
            printable(a[0]), node.count);
  }
  require(!line.tensor(tensor).value.empty(), "{} has no numbers", line.label(tensor));
  const Why w = why(line.trace(), tensor, at);
  Report r;
  r.say("d" + line.label(tensor) + index_of(line.tensor(tensor), at) + ": " + printable(w.rule),
        Tone::head);
  r.say(" " + printable(s.pick(w.en, w.zh)));
  constexpr size_t kMostTerms = 8;
  for (size_t i = 0; i < std::min(w.terms.size(), kMostTerms); ++i) {
    const WhyTerm& t = w.terms[i];
    const std::string after = line.label(t.after) + index_of(line.tensor(t.after), t.place);
    r.say(fmt::format("   {} · {} = {}  {} {} ({})", number_text(t.derivative, s.digits),
                      number_text(t.incoming, s.digits), number_text(t.value(), s.digits),
                      s.pick("via", "经"), after, printable(line.op(t.op).op)),
          Tone::dim);
  }
  if (w.terms.size() > kMostTerms)
    r.say(fmt::format("   … {}", w.terms.size() - kMostTerms), Tone::dim);
  return r;
}

// ---- path, route ----

// What is differentiated now.
Place differentiated(const Timeline& line) {
  Place from{line.trace().seed, {}};
  for (size_t i = 0; i < line.trace().seed_value.size(); ++i)
    if (line.trace().seed_value[i] != 0) from.numbers.push_back(i);
  return from;
}

Place place_typed(const Stepper& s, const std::string& text) {
  try {
    const Node node = node_of(s, text);
    Place to{node.tensor, {}};
    for (size_t i = 0; i < node.count; ++i) to.numbers.push_back(node.first + i);
    return to;
  } catch (const std::invalid_argument&) {
    return place_named(s.line().trace(), text);  // src.1, loss.t2
  }
}

void add_routes(const Stepper& s, const PathReport& p, Report& r) {
  const auto row = [&](const std::string& label, const Numbers& g) {
    Row one{.label = "", .name = label, .shape = {}};
    one.shape = {static_cast<int64_t>(g.size())};
    one.values = g;
    one.note = "‖" + number_text(euclidean_norm(g), s.digits) + "‖";
    r.add(std::move(one));
  };
  for (const Route& route : p.routes)
    row(s.pick("via ", "经 ") + printable(route.label), route.gradient);
  row(s.pick("total", "合计"), p.total);
  if (!p.routes.empty())
    r.say(s.pick(" the routes add up to the total, max|Δ| ", " 各路之和等于合计，max|Δ| ") +
              fmt::format("{:.1e}", p.error),
          Tone::dim);
}

RouteBy by_word(const std::string& word) {
  require(word == "route" || word == "time" || word == "head",
          "expected route, time or head, got '{}'", printable(word));
  return word == "time" ? RouteBy::time : word == "head" ? RouteBy::head : RouteBy::route;
}

// path NODE [route|time|head] [block WHAT]
Report path_to(Stepper& s, const Words& a) {
  Words words(a.begin() + 1, a.end());
  std::string closed;
  if (words.size() >= 2 && words[words.size() - 2] == "block") {
    closed = words.back();
    words.resize(words.size() - 2);
  }
  require(words.size() <= 1, "expected path TENSOR [route|time|head] [block attention]");
  const RouteBy by = words.empty() ? RouteBy::route : by_word(words[0]);
  const Timeline& line = s.line();
  const PathReport p = path(line.trace(), differentiated(line), place_typed(s, a[0]), by, closed);
  Report r;
  r.say(s.pick("from ", "从 ") + line.label(line.trace().seed) + s.pick(" to ", " 到 ") +
            printable(a[0]) +
            s.pick(fmt::format(": {} ops on the shortest way", p.shortest.size()),
                   fmt::format("：最短路径 {} 个运算", p.shortest.size())) +
            (closed.empty() ? "" : s.pick(", without ", "，不经 ") + printable(closed)),
        Tone::head);
  for (const int op : p.shortest)
    r.items.emplace_back(
        Text{.text = "   " + line.call(op), .right = line.path(line.op(op).scope)});
  add_routes(s, p, r);
  return r;
}

// A word of the source, or its place; in a case, the position of a key.
Place token_place(const Stepper& s, const std::string& token) {
  const Trace& t = s.line().trace();
  const auto words = t.run.value("src", std::vector<std::string>{});
  const auto it = std::find(words.begin(), words.end(), token);
  if (it != words.end()) return place_named(t, fmt::format("src.{}", it - words.begin()));
  const bool digits = token.find_first_not_of("0123456789") == std::string::npos;
  require(digits, "expected a word of the source or its position, got '{}'", printable(token));
  if (!words.empty()) return place_named(t, "src." + token);
  for (const char* name : {"H", "K"})
    for (const TraceTensor& x : t.tensors)
      if (x.name == name) return place_typed(s, std::string(name) + "[" + token + "]");
  require(false, "this trace has no words and no keys H or K; path TENSOR works on any tensor");
  return {};
}

Report routes(Stepper& s, const Words& a) {
  const Timeline& line = s.line();
  const Place to = token_place(s, a[0]);
  const PathReport p =
      path(line.trace(), differentiated(line), to, a.size() > 1 ? by_word(a[1]) : RouteBy::route);
  Report r;
  r.say(s.pick("routes from ", "从 ") + line.label(line.trace().seed) + s.pick(" to ", " 到 ") +
            printable(a[0]) + " (" + line.label(to.tensor) + ")",
        Tone::head);
  add_routes(s, p, r);
  return r;
}

// ---- cmp, exp ----

Report compare_with(Stepper& s, const Words& a) {
  require(a.size() == 1 || a[1] == "name" || a[1] == "token", "expected name or token, got '{}'",
          printable(a.back()));
  const Trace other = load_trace(a[0]);
  const bool token = a.size() > 1 && a[1] == "token";
  const Comparison all = compare(s.line().trace(), other, token ? Align::token : Align::name);
  Report r;
  const auto first = [&](const std::string& what, int i) {
    r.say(" " + what +
          (i < 0 ? s.pick("none", "无") : printable(all.tensors[static_cast<size_t>(i)].key)));
  };
  r.say(s.pick("against ", "对比 ") + printable(a[0]), Tone::head);
  first(s.pick("first other value: ", "最先不同的值："), all.first_value);
  first(s.pick("first other gradient: ", "最先不同的梯度："), all.first_grad);
  constexpr size_t kMost = 20;
  size_t shown = 0;
  for (const ComparedTensor& x : all.tensors) {
    const bool both = x.one >= 0 && x.other >= 0;
    if (both && x.same_shape && x.value == 0 && x.grad == 0 && x.grad_known) continue;
    if (++shown > kMost) continue;
    std::string text = " " + printable(x.key) + "  ";
    if (!both)
      text += x.one < 0 ? s.pick("only there", "仅对方有") : s.pick("only here", "仅此处有");
    else if (!x.same_shape)
      text += s.pick("other shape", "形状不同");
    else
      text += s.pick("value ", "值 ") + number_text(x.value, s.digits) +
              s.pick("  grad ", "  梯度 ") +
              (x.grad_known ? number_text(x.grad, s.digits) : s.pick("in one only", "仅一方有"));
    r.say(text, Tone::dim);
  }
  if (shown > kMost) r.say(fmt::format(" … {}", shown - kMost), Tone::dim);
  return r;
}

// exp FORMAT [TENSOR] [FILE]
Report exported(Stepper& s, const Words& a) {
  const Trace& t = s.line().trace();
  const int tensor = a.size() > 1 ? node_of(s, a[1]).tensor : tensor_at_hand(s);
  const bool known =
      std::find(kExportFormats.begin(), kExportFormats.end(), a[0]) != kExportFormats.end();
  require(known, "expected json, csv, md, tex, svg, png or dot, got '{}'", printable(a[0]));
  require(a[0] != "png" || a.size() > 2, "exp png: expected a tensor and a file to write");
  const std::string text = microscope::exported(t, tensor, a[0]);
  Report r;
  if (a.size() > 2) {
    write_file(a[2], text);
    r.say(fmt::format("{}: {} bytes", printable(a[2]), text.size()));
  } else {
    r.items.emplace_back(Raw{text});
  }
  return r;
}

}  // namespace

std::vector<StepCommand> asking_commands() {
  return {
      {{"why"},
       "[TENSOR[index]]",
       "why a gradient is zero, small or not a number",
       "为什么梯度为零、很小或不是数",
       0,
       1,
       ask_why},
      {{"path"},
       "TENSOR|src.1 [route|time|head] [block attention]",
       "how a gradient gets there: the shortest way, and all ways by route",
       "梯度如何到达：最短路径与各条路径",
       1,
       4,
       path_to},
      {{"route"},
       "WORD|POSITION [route|time|head]",
       "the ledger of one position of the source, by route",
       "源句某一位置的账本，按路径",
       1,
       2,
       routes},
      {{"cmp", "compare"},
       "FILE [name|token]",
       "this run against another trace",
       "与另一轨迹对比",
       1,
       2,
       compare_with},
      {{"exp", "export"},
       "FORMAT [TENSOR] [FILE]",
       "a tensor as json, csv, md, tex, svg, png or dot",
       "导出张量：json、csv、md、tex、svg、png、dot",
       1,
       3,
       exported},
  };
}

}  // namespace heed::microscope::stepper
