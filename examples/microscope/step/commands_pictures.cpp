// heat head beam curve
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/path.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/step/alignments.h"
#include "examples/microscope/step/commands.h"
#include "examples/microscope/step/notes.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

struct HeatName {
  Heat heat;
  const char* label;  // on the screen
  std::vector<std::string> names;
};

const std::vector<HeatName>& heat_names() {
  static const std::vector<HeatName> all{
      {Heat::weight, "α", {"a", "α", "weight"}},
      {Heat::gradient, "dL/dα", {"da", "dα"}},
      {Heat::score_gradient, "dL/de", {"de"}},
      {Heat::product, "α·dL/dα", {"a.da", "α·dα", "a*da", "ada"}},
      {Heat::erase, "ΔL", {"erase"}},
  };
  return all;
}

constexpr size_t kMostErased = 1024;  // cells: each is a forward pass from there on

void one_map(const Stepper& s, const Alignment& all, const HeatName& what, int64_t head,
             Report& r) {
  const bool erase = what.heat == Heat::erase;
  if (erase && all.height * all.width * static_cast<size_t>(all.heads) > kMostErased) {
    r.say(s.pick(fmt::format(" ΔL: more than {} cells", kMostErased),
                 fmt::format(" ΔL：超过 {} 格", kMostErased)),
          Tone::dim);
    return;
  }
  HeatMap map;
  try {
    map = heat_map(s, all, what.heat, head);
  } catch (const std::invalid_argument& e) {  // a trace that cannot be computed again
    r.say(fmt::format(" {}: {}", what.label, printable(e.what())), Tone::dim);
    return;
  }
  Row row{.label = what.label, .name = "", .shape = {}};
  row.shape = {static_cast<int64_t>(all.height), static_cast<int64_t>(all.width)};
  row.values = std::move(map.values);
  row.absent = std::move(map.absent);
  row.rows = all.rows;
  row.cols = all.cols;
  row.heat = row.all = true;
  if (all.heads > 1)
    row.name = head < 0 ? s.pick("mean of heads", "各头均值")
                        : s.pick(fmt::format("head {}", head), fmt::format("第 {} 头", head));
  if (what.heat == Heat::product || erase) row.note = s.pick("recomputed", "重新计算");
  r.add(std::move(row));
}

void maps(const Stepper& s, const Alignment& all, const HeatName& what, Report& r) {
  if (s.head == "mean" || all.heads == 1) return one_map(s, all, what, all.heads == 1 ? 0 : -1, r);
  if (s.head != "all") {
    const int head = number_argument("head", s.head, 0, static_cast<int>(all.heads) - 1);
    return one_map(s, all, what, head, r);
  }
  for (int64_t h = 0; h < all.heads; ++h) one_map(s, all, what, h, r);
}

Report heat(Stepper& s, const Words& a) {
  std::vector<HeatName> wanted;
  for (const HeatName& one : heat_names())
    if (a.empty() || std::find(one.names.begin(), one.names.end(), a[0]) != one.names.end())
      wanted.push_back(one);
  require(!wanted.empty(), "expected a, da, de, a.da or erase, got '{}'", printable(a[0]));
  const std::vector<Alignment> all = alignments_of(s);
  require(!all.empty(), "this trace holds no attention weights (no tensor a, no softmax)");
  Report r;
  for (const Alignment& one : all) {
    r.say(s.pick("attention ", "注意力 ") + printable(one.title), Tone::head);
    for (const HeatName& what : wanted) maps(s, one, what, r);
    if (one.heads > 1 && s.head == "mean")
      r.say(s.pick(" the mean of the heads is not what the model computes",
                   " 各头均值并不是模型实际计算的量"),
            Tone::bad);
  }
  if (a.empty())
    r.say(s.pick(" ΔL: this weight set to 0, the others of its row scaled up; ∅ not known yet",
                 " ΔL：令该权重为 0，同行其余按比例放大；∅ 尚未知"),
          Tone::dim);
  else if (wanted[0].heat == Heat::weight)
    r.say(s.pick(" a weight is not an importance: heat shows α·dL/dα and what erasing it does",
                 " 权重不等于重要性：heat 一并显示 α·dL/dα 与删除它的效果"),
          Tone::dim);
  return r;
}

Report head(Stepper& s, const Words& a) {
  int64_t most = 1;
  for (const Alignment& one : alignments_of(s)) most = std::max(most, one.heads);
  if (!a.empty()) {
    if (a[0] != "mean" && a[0] != "all")
      number_argument("head", a[0], 0, static_cast<int>(most) - 1);
    s.head = a[0];
  }
  Report r;
  r.say(s.pick(fmt::format("heads: {} of {}", s.head, most),
               fmt::format("注意力头：{}（共 {}）", s.head, most)));
  return r;
}

// ---- curve: how much gradient reaches each position ----

std::string bar(double share, int columns) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * 8 * columns));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

int curve_tensor(const Stepper& s, const Words& a) {
  if (!a.empty()) return node_of(s, a[0]).tensor;
  for (const char* name : {"h", "H", "K", "x"})
    for (int i = static_cast<int>(s.line().trace().tensors.size()); i-- > 0;)
      if (s.line().tensor(i).name == name && s.line().tensor(i).shape.size() >= 2) return i;
  require(false, "expected a tensor with positions, like curve H");
  return -1;
}

// The gradient of each position when what these routes carry is not passed on.
Numbers without(const Stepper& s, int tensor, size_t row, const std::string& closed) {
  const Timeline& line = s.line();
  Place from{line.trace().seed, {}};
  for (size_t i = 0; i < line.trace().seed_value.size(); ++i)
    if (line.trace().seed_value[i] != 0) from.numbers.push_back(i);
  Numbers all;
  for (size_t first = 0; first < line.tensor(tensor).value.size(); first += row) {
    Place to{tensor, {}};
    for (size_t i = 0; i < row; ++i) to.numbers.push_back(first + i);
    const Numbers g = path(line.trace(), from, to, RouteBy::route, closed).total;
    all.insert(all.end(), g.begin(), g.end());
  }
  return all;
}

// curve [TENSOR] [block WHAT]
Report curve(Stepper& s, const Words& arguments) {
  Words a = arguments;
  std::string closed;
  if (a.size() >= 2 && a[a.size() - 2] == "block") {
    closed = a.back();
    a.resize(a.size() - 2);
  }
  require(a.size() <= 1, "expected curve [TENSOR] [block attention]");
  const Timeline& line = s.line();
  const int tensor = curve_tensor(s, a);
  const TraceTensor& t = line.tensor(tensor);
  Row row = gradient_row(s, "", tensor);
  Report r;
  if (!closed.empty() && row.missing.empty() && !row.hidden) {
    const auto n = static_cast<size_t>(t.shape.empty() ? 1 : std::max<int64_t>(t.shape.back(), 1));
    require(row.values.size() / n <= 64, "block: expected at most 64 positions, {} has {}",
            line.label(tensor), row.values.size() / n);
    row.values = without(s, tensor, n, closed);
    r.say(s.pick(" without what passes through ", " 不计经过以下部分的梯度：") + printable(closed),
          Tone::dim);
  }
  r.say(s.pick("‖dL/d", "各位置的 ‖dL/d") + line.label(tensor) +
            s.pick("‖ of each position (recomputed)", "‖（重新计算）"),
        Tone::head);
  if (!row.missing.empty() || row.hidden) {
    r.say(" " + (row.hidden ? "?" : row.missing), Tone::dim);
    return r;
  }
  const size_t n = t.shape.empty() ? 1 : static_cast<size_t>(std::max<int64_t>(t.shape.back(), 1));
  std::vector<double> norms;
  for (size_t i = 0; i + n <= row.values.size(); i += n) {
    const auto at = row.values.begin() + static_cast<std::ptrdiff_t>(i);
    norms.push_back(euclidean_norm(Numbers(at, at + static_cast<std::ptrdiff_t>(n))));
  }
  const double largest = norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end());
  const auto words = line.trace().run.value("src", std::vector<std::string>{});
  constexpr size_t kMost = 64;
  for (size_t i = 0; i < std::min(norms.size(), kMost); ++i) {
    const std::string word = i < words.size() ? " " + fit_columns(printable(words[i]), 10) : "";
    const int gap =
        std::max(0, 16 - display_width(word) - static_cast<int>(std::to_string(i).size()));
    r.say(fmt::format(" {}{}{}{}  {}", i, word, std::string(static_cast<size_t>(gap), ' '),
                      number_text(norms[i], s.digits),
                      bar(largest > 0 ? norms[i] / largest : 0, 24)));
  }
  if (norms.size() > kMost) r.say(" …", Tone::dim);
  return r;
}

// Every node under its parent, as deep as it stands; * on the way of what is differentiated.
Report beam(Stepper& s, const Words&) {
  const Json list = s.line().trace().views.value("beam", Json::array());
  Report r;
  if (list.empty()) {
    r.say(s.pick("this trace holds no beam search (trace --model DIR --beam 4 records one)",
                 "该轨迹中没有束搜索（用 trace --model DIR --beam 4 记录）"),
          Tone::dim);
    return r;
  }
  r.say(s.pick("the search chooses and has no gradient; * is the sentence that is differentiated "
               "(log p in nats)",
               "搜索只做选择，没有梯度；* 标出被求导的句子（对数概率，单位奈特）"),
        Tone::dim);
  struct Open {
    size_t node;
    int depth;
  };
  std::vector<std::vector<size_t>> under(list.size() + 1);  // the last: first words
  for (size_t i = list.size(); i-- > 0;)
    under[list[i]["parent"].is_null() ? list.size() : list[i]["parent"].get<size_t>()].push_back(i);
  std::vector<Open> open;
  const auto enter = [&](size_t node, int depth) {
    for (const size_t child : under[node]) open.push_back({child, depth});
  };
  enter(list.size(), 0);
  while (!open.empty()) {
    const auto [i, depth] = open.back();
    open.pop_back();
    const Json& node = list[i];
    const auto nats = [&](const char* key) {
      return number_text(number_from(node[key]), s.digits);
    };
    std::string text = fmt::format("{} {}{}  {}", node.contains("tensor") ? '*' : ' ',
                                   std::string(static_cast<size_t>(std::min(depth, 30)), ' '),
                                   harmless(node["tok"].get<std::string>()), nats("logp"));
    if (node.contains("rank"))
      text += fmt::format("  #{}{}", node["rank"].get<int>(),
                          node.contains("score") ? " (" + nats("score") + ")" : "");
    r.say(text, node.contains("tensor") ? Tone::now : Tone::plain);
    enter(i, depth + 1);
  }
  return r;
}

}  // namespace

std::vector<StepCommand> picture_commands() {
  return {
      {{"heat"},
       "[a|da|de|a.da|erase]",
       "attention as matrices: weights, gradients, products, effect of erasing",
       "注意力矩阵：权重、梯度、乘积、删除的效果",
       0,
       1,
       heat},
      {{"head"}, "[n|mean|all]", "which heads heat shows", "heat 显示哪些头", 0, 1, head},
      {{"beam"}, "", "the beam search, where the trace holds one", "束搜索（如果有）", 0, 0, beam},
      {{"curve"},
       "[TENSOR] [block attention]",
       "how much gradient reaches each position",
       "各位置收到多少梯度",
       0,
       3,
       curve},
  };
}

}  // namespace heed::microscope::stepper
