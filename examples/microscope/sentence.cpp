#include "examples/microscope/sentence.h"

#include "autograd/ops.h"
#include "examples/microscope/views.h"
#include "examples/translate/vocabulary.h"

namespace heed::microscope {
namespace {

using translate::kBos, translate::kEos, translate::kPad;

// The loss of each word, and their mean. Where positions are drawn and credited by REINFORCE, its
// terms are part of what is differentiated.
Tensor loss_of(const Seq2SeqOutput& out, const Tensor& said, double smoothing) {
  const Tensor each =
      named(cross_entropy(
                out.logits, said,
                {.ignore = kPad, .label_smoothing = smoothing, .reduction = Reduction::per_token}),
            "L_t");
  if (!out.log_probability.defined()) return named(mean(each), "L");
  const Tensor sentence = sum(each, {1});
  const Tensor terms = named(
      reinforce_terms(sentence, sum(out.log_probability, {1}), sum(out.entropy, {1}), 0), "R");
  return named(scale(sum(sentence + terms), 1 / static_cast<double>(said.numel())), "L");
}

}  // namespace

Sentence sentence_of(const std::vector<std::string>& src, const std::vector<int64_t>& src_ids,
                     const std::vector<std::string>& tgt, const std::vector<int64_t>& tgt_ids,
                     int64_t pad) {
  Sentence s{.source = src_ids,
             .read = {kBos},
             .said = tgt_ids,
             .columns = src,
             .rows = tgt,
             .fed = {"<s>"},
             .pad = pad};
  s.source.push_back(kEos), s.columns.emplace_back("</s>");
  s.source.insert(s.source.end(), static_cast<size_t>(pad), kPad);
  s.columns.insert(s.columns.end(), static_cast<size_t>(pad), "<pad>");
  s.read.insert(s.read.end(), tgt_ids.begin(), tgt_ids.end());
  s.fed.insert(s.fed.end(), tgt.begin(), tgt.end());
  s.said.push_back(kEos), s.rows.emplace_back("</s>");
  return s;
}

Trace record(translate::Network& network, const Sentence& s, double smoothing,
             const Seq2SeqCall& call) {
  const auto n = static_cast<int64_t>(s.source.size()), t = static_cast<int64_t>(s.read.size());
  Seq2SeqBatch batch{.source = Tensor::ids(s.source, {1, n}),
                     .target_in = Tensor::ids(s.read, {1, t}),
                     .source_lengths = {n - s.pad}};
  Tape tape;
  Recording recording(tape);
  for (const NamedParameter& p : parameters(network)) tape.name(p.value, p.name);
  const Tensor loss =
      loss_of(translate::run(network, batch, call), Tensor::ids(s.said, {1, t}), smoothing);
  Trace trace = trace_of(recording.backward(loss));
  trace.run = {{"src", s.columns}, {"tgt", s.rows}, {"index_base", 0}};
  if (call.forcing == 1) trace.run["tgt_in"] = s.fed;
  trace.views = alignment_views(trace, s.columns, s.rows, s.fed);
  return trace;
}

}  // namespace heed::microscope
