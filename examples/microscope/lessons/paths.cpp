// Lesson 8: how far the first word is, with attention and without.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/scope.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

enum class Blocked { none, attention, recurrence };

// The simplest encoder-decoder there is: h_j = w h_{j-1} + x_j, then s_0 = h_S and s_t = w s_{t-1}
// + c_t with c_t the mean of all h (uniform attention). Each blocked route keeps its value and
// loses its gradient.
struct Chain {
  Tensors x;  // one leaf [1, 1] per word
  double w;

  Chain(int64_t words, double weight) : w(weight) {
    for (int64_t j = 0; j < words; ++j) x.push_back(leaf(Tensor::full({1, 1}, 1, f64)));
  }

  Tensor again(const Tensor& state) const {
    const Scope scope("recurrence");
    return scale(state, w);
  }

  Tensors encode() const {
    Tensors h{x[0]};
    for (size_t j = 1; j < x.size(); ++j) {
      const Scope scope("encoder", static_cast<int64_t>(j));
      h.push_back(named(again(h.back()) + x[j], fmt::format("h_{}", j + 1)));
    }
    return h;
  }

  Tensor mean_of(const Tensors& h) const {
    const auto n = static_cast<int64_t>(h.size());
    return matmul(softmax(Tensor::zeros({1, n}, f64)), heed::concat(h, 0));
  }

  Tensor decode(int64_t steps, bool attention, Blocked blocked) const {
    const Tensors h = encode();
    Tensor s = blocked == Blocked::recurrence ? detach(h.back()) : h.back();
    for (int64_t t = 1; t <= steps; ++t) {
      const Scope scope("decoder", t);
      s = again(s);
      if (!attention) continue;
      const Tensor c = mean_of(h);
      s = s + (blocked == Blocked::attention ? detach(c) : c);
    }
    return named(heed::sum(s), "L");
  }
};

// A trace of the decoder: the words are x_1, x_2, ...
Trace trace_of_chain(const Chain& chain, int64_t steps, bool attention, Blocked blocked) {
  return record_run("paths", [&](Recording& recording) {
    for (size_t j = 0; j < chain.x.size(); ++j) {
      recording.input(chain.x[j]);
      Tape::active()->name(chain.x[j], fmt::format("x_{}", j + 1));
    }
    return chain.decode(steps, attention, blocked);
  });
}

// The fewest recurrences on any route from what was differentiated to the tensor `to`: a walk over
// the ops from the last to the first, each route as long as its recurrences are many.
int64_t recurrences(const Trace& t, const std::string& to) {
  constexpr int64_t kFar = INT32_MAX;
  std::vector<int64_t> away(t.tensors.size(), kFar);
  away[static_cast<size_t>(t.seed)] = 0;
  for (auto op = t.ops.rbegin(); op != t.ops.rend(); ++op)
    for (const int y : op->out) {
      const bool again = t.scopes[static_cast<size_t>(op->scope)].name == "recurrence";
      const int64_t here = away[static_cast<size_t>(y)] + (again ? 1 : 0);
      for (const int slot : op->sends) {
        int64_t& best = away[static_cast<size_t>(op->in[static_cast<size_t>(slot)])];
        best = std::min(best, here);
      }
    }
  return away[static_cast<size_t>(t.find(to))];
}

// dL/dx_1 of the plainest pair: h_S by itself, and the mean of all h.
void curve(int64_t words, double w, Findings& found, Table& table) {
  const Chain chain(words, w);
  const double last = gradient([&] { return chain.encode().back(); }, chain.x[0])[0];
  const double mean = gradient([&] { return chain.mean_of(chain.encode()); }, chain.x[0])[0];
  const auto n = static_cast<double>(words);
  const std::string head = fmt::format("S = {}", words);
  table.rows.push_back({head, {cell(last), cell(mean), cell(mean / last)}});
  const double power = std::pow(w, n - 1), average = (1 - std::pow(w, n)) / ((1 - w) * n);
  found.truths.push_back(equals(head + ": dh_S/dx_1 = w^(S-1)", last, power, 1e-14 * power));
  found.truths.push_back(
      equals(head + ": dc/dx_1 = (1 - w^S)/((1 - w) S)", mean, average, 1e-14 * average));
  if (words == 40 && w == 0.5) {
    found.truths.push_back(
        equals({"S = 40, without attention", "S = 40，无注意力"}, last, 1.819e-12, 5e-16));
    found.truths.push_back(
        equals({"S = 40, with attention", "S = 40，有注意力"}, mean, 5.000e-2, 5e-6));
  }
}

void routes(const std::vector<int64_t>& lengths, double w, int64_t steps, Findings& found) {
  Table table{
      {fmt::format("Recurrences on the shortest route from L after {} decoder steps to word 1",
                   steps),
       fmt::format("从 L（解码 {} 步之后）到第 1 个词的最短路径上的循环次数", steps)},
      {{"without attention", "无注意力"}, {"with attention", "有注意力"}},
      {}};
  for (const int64_t words : lengths) {
    const Chain chain(words, w);
    const int64_t without = recurrences(trace_of_chain(chain, steps, false, Blocked::none), "x_1");
    const int64_t with = recurrences(trace_of_chain(chain, steps, true, Blocked::none), "x_1");
    const std::string head = fmt::format("S = {}", words);
    table.rows.push_back({head, {without, with}});
    found.truths.push_back(
        equals({head + ": without attention, (S - 1) + t", head + "：无注意力，(S - 1) + t"},
               static_cast<double>(without), static_cast<double>(words - 1 + steps), 0));
    found.truths.push_back(
        equals({head + ": with attention", head + "：有注意力"}, static_cast<double>(with), 0, 0));
  }
  found.tables.push_back(std::move(table));
}

// All routes cross either the attention or the decoder's first state: with one of them closed, what
// is left is what came through the other.
void blocks(int64_t words, double w, int64_t steps, Findings& found) {
  const Chain chain(words, w);
  const auto slopes = [&](Blocked blocked) {
    return flat(gradients([&] { return chain.decode(steps, true, blocked); }, chain.x));
  };
  const Numbers total = slopes(Blocked::none), state = slopes(Blocked::attention),
                attention = slopes(Blocked::recurrence);
  Numbers both(total.size());
  Table table{{fmt::format("dL/dx_j by route, S = {}", words),
               fmt::format("dL/dx_j 按路径，S = {}", words)},
              {{"through the decoder's state", "经由解码器状态"},
               {"through attention", "经由注意力"},
               {"total", "总计"}},
              {}};
  for (size_t j = 0; j < total.size(); ++j) {
    both[j] = state[j] + attention[j];
    table.rows.push_back(
        {fmt::format("x_{}", j + 1), {cell(state[j]), cell(attention[j]), cell(total[j])}});
  }
  found.tables.push_back(std::move(table));
  found.truths.push_back(at_most({"the routes' sum against the total", "各路径之和与总梯度之差"},
                                 largest_gap(both, total), 1e-12 * largest(total)));
}

Findings run(const Settings& settings) {
  const std::vector<int64_t> lengths = settings.integers("S", 2, 500);
  const double w = settings.number("w", 1e-3, 0.999);
  const int64_t steps = settings.integers("steps", 1, 100).at(0);
  const std::string blocked = settings.words("block").at(0);
  Findings found;
  Table table{
      {fmt::format("A linear recurrence, w = {:g}: the gradient to word 1", w),
       fmt::format("线性循环，w = {:g}：传到第 1 个词的梯度", w)},
      {{"last state h_S", "最后的状态 h_S"}, {"mean of all h", "全部 h 的均值"}, {"ratio", "比值"}},
      {}};
  for (const int64_t words : lengths) curve(words, w, found, table);
  found.tables.push_back(std::move(table));
  routes(lengths, w, steps, found);
  blocks(lengths[0], w, steps, found);
  found.trace = trace_of_chain(Chain(lengths[0], w), steps, true,
                               blocked == "attention"    ? Blocked::attention
                               : blocked == "recurrence" ? Blocked::recurrence
                                                         : Blocked::none);
  return found;
}

}  // namespace

Lesson paths_lesson() {
  return {
      "paths",
      {"How far away is the first word?", "第一个词有多远？"},
      {"Without attention everything the decoder knows of word 1 has passed through every state "
       "since: "
       "(S - 1) + t recurrences at target step t. Each multiplies the gradient; with a factor w < "
       "1 "
       "there is w^(S-1) left of it at the last state.\n"
       "Attention is an edge from every encoder state to every decoder step. The shortest route to "
       "word "
       "1 has no recurrence at all, whatever S is, and the gradient falls like 1/S and not "
       "exponentially.\n"
       "Gradients add over routes. Close the attention, keeping all values, and what remains came "
       "through the state; close the state, and what remains came through attention; both make up "
       "the "
       "total.",
       "没有注意力时，解码器对第 1 个词的了解必须穿过其后的每个状态：在目标步 t 共 (S - 1) + t "
       "次循环。每次"
       "循环都给梯度乘一个因子；因子 w < 1 时，到最后一个状态只剩 w^(S-1)。\n"
       "注意力从每个编码器状态直接连到每个解码步。到第 1 个词的最短路径上没有任何循环，与 S "
       "无关；梯度按 "
       "1/S 下降，而不是指数下降。\n"
       "梯度沿路径相加。保持数值不变而切断注意力，剩下的来自状态；切断状态，剩下的来自注意力；两者"
       "之和"
       "等于总梯度。"},
      {"The last column of the first table; then x_1 in the last: nearly all of it comes through "
       "attention.",
       "第一张表的最后一列；再看最后一张表的 x_1：几乎全部来自注意力。"},
      {{"S", {"Numbers of source words", "源句词数"}, "5,10,20,40"},
       {"w", {"The recurrence's factor", "循环的因子"}, "0.5"},
       {"steps", {"Decoder steps t", "解码步数 t"}, "3"},
       {"block",
        {"What the trace blocks", "轨迹中切断什么"},
        "none",
        {"none", "attention", "recurrence"}}},
      run};
}

}  // namespace heed::microscope
