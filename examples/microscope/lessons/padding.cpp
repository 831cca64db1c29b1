// Lesson 10: what a longer neighbour in the batch may change, which is nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/seq2seq.h"

namespace heed::microscope {
namespace {

constexpr int64_t kPad = 0, kVocabulary = 8, kWidth = 2;

Seq2Seq model_of(Rng rng) {
  Seq2Seq model({.source_vocabulary = kVocabulary,
                 .target_vocabulary = kVocabulary,
                 .embedding = kWidth,
                 .encoder_hidden = 2,
                 .decoder_hidden = 3,
                 .bidirectional = true},
                rng);
  to(model, f64);
  return model;
}

// Two sentences; the second is `more` words longer than the first, which is padded.
struct Batch {
  std::vector<int64_t> source, target_in, targets;
  std::vector<int64_t> lengths;
  int64_t s, t;
};
Batch batch_of(int64_t more) {
  Batch b{.source = {2, 3, 4, 5},
          .target_in = {1, 6, 3},
          .targets = {6, 3, 7},
          .lengths = {},
          .s = 4 + more,
          .t = 3 + more};
  for (auto* row : {&b.source, &b.target_in, &b.targets})
    row->insert(row->end(), static_cast<size_t>(more), kPad);
  for (int64_t j = 0; j < b.s; ++j) b.source.push_back(2 + (3 * j + 1) % 6);
  for (int64_t j = 0; j < b.t; ++j) b.target_in.push_back(1 + (2 * j) % 7);
  for (int64_t j = 0; j < b.t; ++j) b.targets.push_back(2 + (5 * j) % 6);
  b.lengths = {4, b.s};
  return b;
}

// The loss of the first sentence, recorded. Unmasked, padding counts as words on both sides.
Trace recorded(Seq2Seq& model, const Batch& b, bool masked) {
  return record_run("padding", [&](Recording&) {
    Tape& tape = *Tape::active();
    for (const NamedParameter& p : parameters(model)) {
      tape.keep_grad(p.value);
      tape.name(p.value, p.name);
    }
    const std::vector<int64_t> all{b.s, b.s};
    const Seq2SeqOutput out = model({.source = Tensor::ids(b.source, {2, b.s}),
                                     .target_in = Tensor::ids(b.target_in, {2, b.t}),
                                     .source_lengths = masked ? b.lengths : all});
    const std::vector<int64_t> goals(b.targets.begin(), b.targets.begin() + b.t);
    return named(cross_entropy(select(out.logits, 0, 0), Tensor::ids(goals, {b.t}),
                               {.ignore = masked ? kPad : -100}),
                 "L");
  });
}

struct Outcome10 {
  double loss;
  Numbers all, pad_row, neighbour;
  Trace trace;
};
Outcome10 outcome(Seq2Seq& model, int64_t more, bool masked) {
  const Batch b = batch_of(more);
  Outcome10 o{
      .loss = 0, .all = {}, .pad_row = {}, .neighbour = {}, .trace = recorded(model, b, masked)};
  o.loss = value_of(o.trace, "L")[0];
  for (const NamedParameter& p : parameters(model)) {
    const Numbers g = grad_of(o.trace, p.name);
    o.all.insert(o.all.end(), g.begin(), g.end());
  }
  for (const char* table : {"source.weight", "target.weight"}) {
    const Numbers row = part(grad_of(o.trace, table), kPad * kWidth, (kPad + 1) * kWidth);
    o.pad_row.insert(o.pad_row.end(), row.begin(), row.end());
  }
  // The source's word vectors [2, S, E] come from the first look-up.
  for (const TraceOp& op : o.trace.ops)
    if (op.op == "embedding") {
      const Numbers& dx = o.trace.tensors[static_cast<size_t>(op.out[0])].grad;
      o.neighbour = part(dx, dx.size() / 2, dx.size());
      break;
    }
  return o;
}

// The one mistake that does couple sentences: batch and time exchanged. An encoder that is given
// [S, B, E] walks from sentence to sentence.
double exchanged(Rng rng) {
  Gru encoder({.input = kWidth, .hidden = 3, .bidirectional = true}, rng);
  to(encoder, f64);
  const Tensor x = normal_leaf({2, 4, kWidth}, rng);
  const Numbers dx = gradient(
      [&] {
        return heed::sum(square(select(encoder(permute(x, {1, 0, 2})).y, 1, 0)));
      },
      x);
  return largest(part(dx, dx.size() / 2, dx.size()));
}

Findings run(const Settings& settings) {
  const Rng rng(static_cast<uint64_t>(settings.number("seed", 0, 1e15)));
  Seq2Seq model = model_of(rng.fork("model"));
  const std::vector<int64_t> pads = settings.integers("pad", 0, 200);
  const bool masked = !settings.flag("no-mask");
  Findings found;
  for (const bool mask : {true, false}) {
    Table table{
        mask ? Words("Sentence 1 with a longer neighbour, masked", "句 1 与更长的邻句同批，有遮蔽")
             : Words("The same without masks", "同样，无遮蔽"),
        {{"L of sentence 1", "句 1 的 L"},
         {"change of all gradients", "全部梯度的变化"},
         {"largest of the PAD rows", "PAD 行的最大值"},
         {"dL_1/dx of sentence 2", "dL_1/dx（句 2）"}},
        {}};
    const Outcome10 alone = outcome(model, 0, mask);
    Numbers loss_gaps, gradient_gaps, pad_rows, neighbours;
    for (const int64_t more : pads) {
      const Outcome10 o = outcome(model, more, mask);
      const double gap = largest_gap(o.all, alone.all);
      table.rows.push_back(
          {{fmt::format("{} more words", more), fmt::format("多 {} 个词", more)},
           {cell(o.loss), cell(gap), cell(largest(o.pad_row)), cell(largest(o.neighbour))}});
      neighbours.insert(neighbours.end(), o.neighbour.begin(), o.neighbour.end());
      if (more == 0) continue;
      loss_gaps.push_back(std::abs(o.loss - alone.loss));
      gradient_gaps.push_back(gap);
      for (const double v : o.pad_row) pad_rows.push_back(v);
    }
    found.tables.push_back(std::move(table));
    if (mask) {
      found.truths.push_back(
          at_most({"masked: change of L", "有遮蔽：L 的变化"}, largest(loss_gaps), 1e-12));
      found.truths.push_back(at_most({"masked: change of any gradient", "有遮蔽：任何梯度的变化"},
                                     largest(gradient_gaps), 1e-12));
      if (!pad_rows.empty())
        found.truths.push_back(exactly_zero(
            {"masked: PAD rows of both embeddings", "有遮蔽：两个词表的 PAD 行"}, pad_rows));
      found.truths.push_back(
          exactly_zero({"masked: dL_1/dx of sentence 2", "有遮蔽：dL_1/dx（句 2）"}, neighbours));
    } else if (!loss_gaps.empty()) {
      found.truths.push_back(at_least({"no mask: smallest change of L", "无遮蔽：L 的最小变化"},
                                      *std::min_element(loss_gaps.begin(), loss_gaps.end()), 1e-3));
      found.truths.push_back(
          at_least({"no mask: smallest change of the gradients", "无遮蔽：梯度的最小变化"},
                   *std::min_element(gradient_gaps.begin(), gradient_gaps.end()), 1e-3));
      found.truths.push_back(
          at_least({"no mask: PAD rows", "无遮蔽：PAD 行"}, largest(pad_rows), 1e-3));
    }
  }
  found.trace = outcome(model, 1, masked).trace;  // small, so that it can be walked through
  found.truths.push_back(at_least(
      {"batch and time exchanged: dL_1/dx of sentence 2", "批与时间轴对调：dL_1/dx（句 2）"},
      exchanged(rng.fork("exchanged")), 1e-3));
  return found;
}

}  // namespace

Lesson padding_lesson() {
  return {
      "padding",
      {"Does a neighbour's length change my gradient?", "邻句的长度会改变我的梯度吗？"},
      {"Sentences of a batch are padded to one length. With masks padding is as if it were not "
       "there: "
       "the recurrence stops at each sentence's own end (the backward direction of a bidirectional "
       "encoder starts there), attention gives padding the weight 0, and the loss does not count "
       "it. "
       "Then the loss and every gradient of a sentence are the same with any neighbour, and the "
       "PAD rows "
       "of the embeddings get exactly 0.\n"
       "Without masks each of these changes. What no missing mask can do is couple sentences: "
       "dL_1/dx of "
       "sentence 2 stays 0. If that is not 0, batch and time were exchanged somewhere.",
       "一批句子要填充到同样长。有遮蔽时，填充如同不存在：循环在各句自己的结尾停止（双向编码器的反"
       "向从那里"
       "开始），注意力给填充的权重为 "
       "0，损失不计填充。于是无论邻句多长，一个句子的损失和全部梯度都不变，"
       "词表的 PAD 行恰好得到 0。\n"
       "没有遮蔽，这些全部改变。但缺少遮蔽并不会使句子互相耦合：dL_1/dx（句 2）仍为 0。如果它不为 "
       "0，就是某处"
       "把批与时间轴弄反了。"},
      {"The two tables, column by column. Then the last truth: the mistake that does couple "
       "sentences.",
       "逐列比较两张表。再看最后一条：真正使句子耦合的错误。"},
      {{"pad", {"How many words longer the neighbour is", "邻句多几个词"}, "0,3,10"},
       {"no-mask",
        {"The trace is of the run without masks", "轨迹记录无遮蔽的运行"},
        "off",
        {"on", "off"},
        true},
       {"seed", {"Seed of the model", "模型的种子"}, "11"}},
      run};
}

}  // namespace heed::microscope
