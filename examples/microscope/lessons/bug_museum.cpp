// Lesson B2: the errors of the articles, and which check catches each.
#include <fmt/format.h>

#include <algorithm>

#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/museum.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/gru.h"
#include "layers/multi_head.h"

namespace heed::microscope {
namespace {

// The names of the examinations that an exhibit fails. One that does not run fails the first, and
// there is nothing to put to the others.
std::string found_by(const Exhibit& x) {
  std::string names;
  for (const Examination& e : examinations()) {
    if (!e.fails(x)) continue;
    names += (names.empty() ? "" : " ") + e.name;
    if (e.name == "shape" && x.caught == "shape") break;
  }
  return names;
}

void attentions(Findings& found) {
  Table table{{"Attention as the articles write it; article:line", "各文章中的注意力；文章:行号"},
              {{"caught by", "由何检查发现"}},
              {}};
  bool gradients = true;
  for (const Exhibit& x : exhibits()) {
    const std::string names = found_by(x);
    table.rows.push_back({{fmt::format("{} {}: {}", x.where, x.name, x.what.en),
                           fmt::format("{} {}：{}", x.where, x.name, x.what.zh)},
                          {names.empty() ? "-" : names}});
    const auto shown = [](const std::string& found_by) {
      return found_by.empty() ? "nothing" : found_by;
    };
    found.truths.push_back(
        is({x.name + " is caught by", x.name + " 由何发现"}, shown(names), shown(x.caught)));
    gradients =
        gradients && names.find("C4") == std::string::npos && names.find("C2") == std::string::npos;
  }
  found.tables.push_back(std::move(table));
  found.truths.push_back(is({"C2 and C4 catch none of them: backward agrees with forward",
                             "C2 与 C4 一个也发现不了：反向与前向一致"},
                            gradients ? "none" : "some", "none"));
  Table legend{{"The checks", "检查"}, {}, {}};
  for (const Examination& e : examinations())
    legend.rows.push_back({{e.name + ": " + e.what.en, e.name + "：" + e.what.zh}, {}});
  found.tables.push_back(std::move(legend));
}

// How many contributions a tensor's gradient is the sum of.
int contributions(const Trace& t, const std::string& name) {
  const int id = t.find(name);
  return static_cast<int>(
      std::count_if(t.contribs.begin(), t.contribs.end(),
                    [&](const TraceContribution& c) { return c.tensor == id; }));
}

void steps(Findings& found) {
  Table table{{"A decoder step: what the ledger says", "一个解码步：账本怎么说"},
              {{"gradient of the word", "词的梯度"},
               {"of the scores", "分数的梯度"},
               {"routes to s", "通往 s 的路径"}},
              {}};
  for (const Wiring& w : wirings()) {
    const Trace t = trace_of_wiring(w);
    const std::string word = state_of(t, "word"), scores = state_of(t, "e");
    const int routes = contributions(t, "s");
    table.rows.push_back({{fmt::format("{} {}: {}", w.where, w.name, w.what.en),
                           fmt::format("{} {}：{}", w.where, w.name, w.what.zh)},
                          {word, scores, routes}});
    found.truths.push_back(
        is({w.name + ": word, scores, routes to s", w.name + "：词、分数、通往 s 的路径"},
           fmt::format("{}, {}, {}", word, scores, routes),
           fmt::format("{}, {}, {}", w.word, w.values, w.state_routes)));
  }
  found.tables.push_back(std::move(table));
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "no error";
}

// What is wrong before any attention is computed, or cannot be caught by running at all.
void others(Findings& found) {
  Rng rng(40);
  const Gru decoder({.input = 3, .hidden = 5}, rng);
  const std::string sizes = error_of([&] {
    (void)decoder.step(Tensor::zeros({2, 3}), {{Tensor::zeros({2, 4})}});
  });
  // Targets that are padding, counted: the row of logits that predicts one has a gradient.
  const Tensor z = leaf64({{1, 0.5, -1}, {0.5, 2, 0}});
  const auto pad_row = [&](int64_t ignore) {
    return part(gradient(
                    [&] {
                      return cross_entropy(z, Tensor::ids(std::vector<int64_t>{1, 0}, {2}),
                                           {.ignore = ignore});
                    },
                    z),
                3, 6);
  };
  // Four heads of a width of 8: each of 2, or, where the width per head is taken for the whole,
  // of 8.
  MultiHead heads({.query = 8, .heads = 4, .bias = false}, rng);
  Linear into({.in = 8, .out = 4 * 8, .bias = false}, rng),
      back({.in = 4 * 8, .out = 8, .bias = false}, rng);
  const auto per_head = static_cast<double>(3 * parameter_count(into) + parameter_count(back)) /
                        static_cast<double>(parameter_count(heads));
  found.tables.push_back({{"The rest", "其余"},
                          {{"measured", "测得"}},
                          {{{"000:141 decoder of another size than the encoder: shape",
                             "000:141 解码器与编码器尺寸不同：形状"},
                            {sizes.substr(0, 60)}},
                           {{"001 no mask in the loss: |dL/dz| of a row of padding",
                             "001 损失没有遮蔽：填充行的 |dL/dz|"},
                            {cell(norm(pad_row(-100)))}},
                           {{"the same with the mask", "加上遮蔽"}, {cell(norm(pad_row(0)))}},
                           {{"002:87 key_dim = d_model: no check; numbers in the layer, times",
                             "002:87 key_dim = d_model：无检查可发现；参数量倍数"},
                            {cell(per_head)}},
                           {{"000:150 three results of an LSTM, hidden_state: does not compile",
                             "000:150 LSTM 的三个结果、hidden_state：无法编译"},
                            {"-"}}}});
  found.truths.push_back(
      is({"a state of the wrong size is an error", "状态尺寸不符会报错"},
         sizes.find("expected") == std::string::npos ? sizes : "expected ..., got ...",
         "expected ..., got ..."));
  found.truths.push_back(at_least(
      {"no mask in the loss: |dL/dz| of a row of padding", "损失没有遮蔽：填充行的 |dL/dz|"},
      norm(pad_row(-100)), 1e-3));
  found.truths.push_back(exactly_zero({"with the mask", "加上遮蔽"}, pad_row(0)));
  found.truths.push_back(equals({"key_dim = d_model: times the numbers, and nothing complains",
                                 "key_dim = d_model：参数量倍数，而毫无报错"},
                                per_head, 4, 0));
}

Findings run(const Settings& settings) {
  Findings found;
  attentions(found);
  steps(found);
  others(found);
  const std::string name = settings.words("exhibit").at(0);
  for (const Exhibit& x : exhibits())
    if (x.name == name && x.caught != "shape") {
      const Visit v = example_visit();
      found.trace = record_run(name, [&](Recording& recording) {
        recording.input(v.q), recording.input(v.h);
        Tape::active()->name(v.q, "q"), Tape::active()->name(v.h, "H");
        const Shown s = x.attend(v);
        if (s.weights.defined()) named(s.weights, "a");
        return named(heed::sum(square(named(s.context, "c"))), "L");
      });
    }
  for (const Wiring& w : wirings())
    if (w.name == name) found.trace = trace_of_wiring(w);
  return found;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Exhibit& x : exhibits()) all.push_back(x.name);
  for (const Wiring& w : wirings()) all.push_back(w.name);
  return all;
}

}  // namespace

Lesson bug_museum_lesson() {
  return {
      "bug-museum",
      {"Which check catches which bug?", "哪种检查能发现哪种错误？"},
      {"Five articles on attention, and what is wrong in their formulas and code, as code that "
       "runs. "
       "Every exhibit is put to the same examinations.\n"
       "The gradient check (C4) and the ledger (C2) catch none of them. They ask whether backward "
       "belongs to forward, and it does: it is the forward that is wrong. A wrong attention is "
       "found by "
       "asking what any attention must satisfy: weights that sum to 1, scores that may be shifted, "
       "sentences that do not see each other, padding that changes nothing, a query that matters, "
       "a "
       "sentence of one word.\n"
       "Wrong shapes are errors at once, in a library that never guesses. A wrong decoder shows in "
       "the "
       "ledger as a route that is missing. And some things no check can find.",
       "五篇关于注意力的文章，把其中公式和代码的错误写成可运行的代码。每件展品都接受同样的检查。\n"
       "梯度检查（C4）和账本（C2）一个也发现不了。它们问的是反向与前向是否一致，而答案是一致：错的"
       "是前向。"
       "要发现错误的注意力，就要问任何注意力都必须满足什么：权重之和为 "
       "1，分数可以整体平移，句子之间互不"
       "可见，填充不起作用，查询起作用，单词句给出它自己。\n"
       "形状错误在从不猜测的库里立即报错。接线错误的解码器在账本上表现为缺少一条路径。还有一些错误"
       "，没有"
       "任何检查能发现。"},
      {"Each line's last column. Write a museum piece of your own and see what catches it.",
       "每行的最后一列。自己造一件展品，看看什么能发现它。"},
      {{"exhibit", {"The exhibit of the trace", "轨迹记录哪件展品"}, "no-exp", names()}},
      run};
}

}  // namespace heed::microscope
