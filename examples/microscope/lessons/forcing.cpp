// Lesson 9: whether a word that is fed back carries a gradient.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/rng.h"
#include "core/scope.h"
#include "examples/microscope/lessons/all.h"
#include "examples/microscope/lessons/numbers.h"
#include "layers/seq2seq.h"

namespace heed::microscope {
namespace {

constexpr int64_t kBegin = 1, kVocabulary = 6, kSteps = 3;

Seq2Seq model_of(uint64_t seed) {
  Rng rng(seed);
  Seq2Seq model({.source_vocabulary = kVocabulary,
                 .target_vocabulary = kVocabulary,
                 .embedding = 2,
                 .encoder_hidden = 2,
                 .decoder_hidden = 3},
                rng);
  to(model, f64);
  // Large enough that the words it says differ from step to step.
  for (Tensor* table : {&model.target.weight, &model.output.weight})
    *table = leaf(scale(*table, 8));
  return model;
}

// One decoding, word by word. `gold` are the targets; what is fed is gold or the model's own
// choice.
struct Decoded {
  std::vector<int64_t> said;
  Trace trace;
};

Decoded decode(Seq2Seq& model, const std::vector<int64_t>& gold, bool free, bool last_loss_only) {
  Decoded d;
  d.trace = record_run("forcing", [&](Recording& recording) {
    Tape& tape = *Tape::active();
    for (const NamedParameter& p : parameters(model)) {
      tape.keep_grad(p.value);
      tape.name(p.value, p.name);
    }
    const Encoded source = model.encode(Tensor::ids(std::vector<int64_t>{2, 3, 4, 5}, {1, 4}), {4});
    DecoderState state = source.state;
    Tensor losses;
    int64_t fed = kBegin;
    for (int64_t t = 0; t < kSteps; ++t) {
      const Scope scope("target", t);
      const DecoderStep step =
          model.step(Tensor::ids(std::vector<int64_t>{fed}, {1}), state, source);
      state = step.state;
      const Tensor z = named(step.logits, fmt::format("z_{}", t + 1));
      const int64_t goal = gold[static_cast<size_t>(t)];
      const Tensor loss = named(cross_entropy(z, Tensor::ids(std::vector<int64_t>{goal}, {1})),
                                fmt::format("L_{}", t + 1));
      losses = losses.defined() && !last_loss_only ? losses + loss : loss;
      const Numbers v = z.to_vector();
      d.said.push_back(std::max_element(v.begin(), v.end()) - v.begin());
      if (free) recording.cut(z, "argmax");
      fed = free ? d.said.back() : goal;
    }
    return losses;
  });
  return d;
}

std::string words_of(const std::vector<int64_t>& ids) {
  return fmt::format("{}", fmt::join(ids, " "));
}

// Whether two runs have the same losses and the same gradients of every parameter, to the bit.
bool same(const Trace& a, const Trace& b, const Parameters& parameters) {
  for (int64_t t = 1; t <= kSteps; ++t) {
    const std::string name = fmt::format("L_{}", t);
    if (!same_bits(value_of(a, name), value_of(b, name))) return false;
  }
  return std::all_of(parameters.begin(), parameters.end(), [&](const NamedParameter& p) {
    return same_bits(grad_of(a, p.name), grad_of(b, p.name));
  });
}

Findings run(const Settings& settings) {
  Seq2Seq model = model_of(static_cast<uint64_t>(settings.number("seed", 0, 1e15)));
  const Parameters all = parameters(model);
  const std::vector<int64_t> gold{2, 4, 3};
  Findings found;
  const Decoded forced = decode(model, gold, false, true), free = decode(model, gold, true, true);
  Table table{{"Only L_3 is differentiated", "只对 L_3 求导"},
              {{"fed after step 1", "第 1 步之后喂入"}, "dL_3/dz_1", "dL_3/dz_2", "|dL_3/dz_3|"},
              {}};
  for (const Decoded* d : {&forced, &free})
    table.rows.push_back({d == &forced ? Words("forced", "强制") : Words("free", "自由"),
                          {d == &forced ? gold[0] : d->said[0], state_of(d->trace, "z_1"),
                           state_of(d->trace, "z_2"), cell(norm(grad_of(d->trace, "z_3")))}});
  found.tables.push_back(std::move(table));
  for (const char* z : {"z_1", "z_2"}) {
    found.truths.push_back(
        is({fmt::format("forced: dL_3/d{}", z), fmt::format("强制：dL_3/d{}", z)},
           state_of(forced.trace, z), "not reached"));
    found.truths.push_back(is({fmt::format("free: dL_3/d{}", z), fmt::format("自由：dL_3/d{}", z)},
                              state_of(free.trace, z), "cut: argmax"));
  }
  // Gold words that are the ones the model says itself.
  const std::vector<int64_t> own = decode(model, gold, true, false).said;
  const Trace own_forced = decode(model, own, false, false).trace,
              own_free = decode(model, own, true, false).trace,
              other_forced = decode(model, gold, false, false).trace,
              other_free = decode(model, gold, true, false).trace;
  const auto answer = [&](const Trace& a, const Trace& b) {
    return same(a, b, all) ? "yes" : "no";
  };
  found.tables.push_back({{"Losses and all gradients the same, forced and free, to the bit",
                           "强制与自由：损失和全部梯度逐位相同吗"},
                          {{"gold words", "标准答案"}, {"said", "模型所说"}, {"same", "相同"}},
                          {{{"gold is what the model says", "标准答案就是模型所说"},
                            {words_of(own), words_of(own), answer(own_forced, own_free)}},
                           {{"gold is something else", "标准答案是别的词"},
                            {words_of(gold), words_of(own), answer(other_forced, other_free)}}}});
  found.truths.push_back(
      is({"gold said by the model itself: forced and free are the same to the bit",
          "模型自己说出标准答案：强制与自由逐位相同"},
         answer(own_forced, own_free), "yes"));
  found.truths.push_back(is({"other words: they are not", "换成别的词：不同"},
                            answer(other_forced, other_free), "no"));
  found.trace = settings.words("mode").at(0) == "free" ? free.trace : forced.trace;
  return found;
}

}  // namespace

Lesson forcing_lesson() {
  return {
      "forcing",
      {"Does a word that is fed back carry gradient?", "喂回的词带有梯度吗？"},
      {"A decoder reads the word before. Under teacher forcing that is the gold word, a constant: "
       "the "
       "loss of step 3 does not depend on the logits of step 1 at all, and their gradient is not "
       "reached. Running free it is the model's own best word: the loss does depend on those "
       "logits, "
       "but through argmax, which jumps; the graph is cut there.\n"
       "Either way the gradient goes back from step to step through the states only. So if the "
       "model "
       "happens to say the gold words itself, both ways compute the same numbers, to the last bit.",
       "解码器读入前一个词。教师强制时它是标准答案，一个常数：第 3 步的损失与第 1 步的 logits "
       "完全无关，"
       "梯度“未到达”。自由运行时它是模型自己的最佳词：损失确实依赖那些 logits，但要经过 argmax，而 "
       "argmax 是跳变的，图在那里断开。\n"
       "无论哪种方式，梯度都只能经由状态逐步传回。因此，如果模型恰好自己说出标准答案，两种方式算出"
       "的数"
       "逐位相同。"},
      {"\"not reached\" and \"cut: argmax\" are no zeros: nothing was computed.",
       "“not reached” 与 “cut: argmax” 都不是 0：根本没有计算。"},
      {{"mode", {"What the trace is of", "轨迹记录哪一种"}, "free", {"teacher", "free"}},
       {"seed", {"Seed of the model", "模型的种子"}, "9"}},
      run};
}

}  // namespace heed::microscope
