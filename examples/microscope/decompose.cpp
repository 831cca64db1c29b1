#include "examples/microscope/decompose.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/scope.h"
#include "examples/microscope/replay.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/views.h"
#include "layers/gru.h"
#include "layers/lstm.h"

namespace heed::microscope {
namespace {

using Inputs = Tensors;
using Outputs = Tensors;

// ---- the twins ----

Outputs softmax_twin(const TraceOp& op, const Inputs& in) {
  Tensor kept = in[0];
  if (op.attrs.contains("mask")) {
    const auto bits = op.attrs["mask"].get<std::vector<uint8_t>>();
    const auto n = static_cast<size_t>(in[0].shape().back());
    for (size_t row = 0; row < bits.size(); row += n)
      if (std::all_of(bits.begin() + static_cast<ptrdiff_t>(row),
                      bits.begin() + static_cast<ptrdiff_t>(row + n),
                      [](uint8_t b) { return b == 0; }))
        return {softmax(in[0], Mask::keep(bits, in[0].shape()))};
    kept = masked_fill(in[0], Mask::keep(bits, in[0].shape()), -INFINITY);
  }
  const Tensor t = named(kept - detach(max(kept, {-1}, true)), "t");
  const Tensor x = named(exp(t), "x");
  return {x / named(sum(x, {-1}, true), "s")};
}

Outputs additive_twin(const TraceOp&, const Inputs& in) {
  const Tensor &q = in[0], &k = in[1], &v = in[2];
  const int64_t b = k.shape()[0], s = k.shape()[1], a = k.shape()[2];
  const int64_t t = q.rank() == 3 ? q.shape()[1] : 1;
  const Tensor u = named(tanh(reshape(q, {b, t, 1, a}) + reshape(k, {b, 1, s, a})), "u");
  const Tensor e = matmul_nt(u, reshape(v, {1, a}));
  return {q.rank() == 3 ? reshape(e, {b, t, s}) : reshape(e, {b, s})};
}

Outputs unit_twin(const TraceOp&, const Inputs& in) {
  return {in[0] / sqrt(sum(square(in[0]), {-1}, true))};
}

Outputs linear_twin(const TraceOp&, const Inputs& in) {
  const Tensor y = matmul_nt(in[0], in[1]);
  return {in[2].defined() ? y + in[2] : y};
}

Outputs layer_norm_twin(const TraceOp& op, const Inputs& in) {
  const Tensor away = in[0] - mean(in[0], {-1}, true);
  const Tensor eps = Tensor::full({1}, op.attrs.at("eps").get<double>(), in[0].dtype());
  const Tensor n = named(away / sqrt(mean(square(away), {-1}, true) + eps), "n");
  return {n * in[1] + in[2]};
}

Outputs recurrence_twin(const TraceOp& op, const Inputs& in) {
  const bool lstm = op.op == "lstm_sequence", gru = op.op == "gru_sequence";
  const RecurrentWeights w{{}, in[lstm ? 3 : 2], {}, in[lstm ? 4 : 3]};
  const SequenceOptions walk{op.attrs.at("lengths").get<List<int64_t>>(),
                             op.attrs.at("reverse").get<bool>()};
  const auto cell = [&](const Tensor& x, const Tensors& s) -> Tensors {
    if (lstm) return lstm_cell(x, s[0], s[1], w);
    if (gru) return {gru_cell(x, s[0], w, GruReset::after)};
    return {tanh(x + linear(s[0], w.weight_hh, w.bias_hh))};
  };
  Tensors first{in[1]};
  if (lstm) first.push_back(in[2]);
  const Recurrence r = detail::run_steps(in[0], first, walk, cell);
  if (lstm) return {r.y, r.h, r.c};
  return {r.y, r.h};
}

using Twin = Outputs (*)(const TraceOp&, const Inputs&);
const std::map<std::string, Twin>& table() {
  static const std::map<std::string, Twin> all{{"softmax", softmax_twin},
                                               {"additive_score", additive_twin},
                                               {"unit", unit_twin},
                                               {"linear", linear_twin},
                                               {"layer_norm", layer_norm_twin},
                                               {"rnn_sequence", recurrence_twin},
                                               {"gru_sequence", recurrence_twin},
                                               {"lstm_sequence", recurrence_twin}};
  return all;
}

// ---- scopes of a trace as scopes of this thread ----

class Scopes {
 public:
  Scopes(const Trace& t, int scope) {
    std::vector<int> chain;
    for (; scope != 0; scope = t.scopes[at(scope)].parent) chain.push_back(scope);
    for (auto it = chain.rbegin(); it != chain.rend(); ++it)
      open_.push_back(
          std::make_unique<Scope>(lasting(t.scopes[at(*it)].name), t.scopes[at(*it)].index));
  }
  ~Scopes() {
    while (!open_.empty()) open_.pop_back();  // innermost first
  }
  Scopes(const Scopes&) = delete;
  Scopes& operator=(const Scopes&) = delete;

 private:
  // A Scope's name must outlive the program.
  static const std::string& lasting(const std::string& name) {
    static std::set<std::string> names;
    return *names.insert(name).first;
  }
  std::vector<std::unique_ptr<Scope>> open_;
};

}  // namespace

const std::set<std::string>& twins() {
  static const std::set<std::string> all = [] {
    std::set<std::string> names;
    for (const auto& [name, twin] : table()) names.insert(name);
    return names;
  }();
  return all;
}

Trace decomposed(const Trace& t, const std::set<std::string>& ops) {
  for (const std::string& op : ops)
    require(table().contains(op), "decompose: no twin is known of the op '{}'", harmless(op));
  Tape tape;
  Recording recording(tape);
  Tensors values(t.tensors.size());
  const std::function<void(int, const Tensor&)> put = [&](int i, const Tensor& x) {
    const TraceTensor& about = t.tensors[at(i)];
    values[at(i)] = x;
    if (requires_grad(x) && !about.name.empty()) tape.name(x, about.name);
    if (is_leaf(x) && about.role == "input") recording.input(x);
    if (!about.ends.empty() && about.ends != "detach") recording.cut(x, about.ends);
    for (size_t k = 0; k < t.tensors.size(); ++k)
      if (t.tensors[k].detached_from == i) put(static_cast<int>(k), detach(x));
  };
  for (int i = 0; i < static_cast<int>(values.size()); ++i) {
    const TraceTensor& x = t.tensors[at(i)];
    if (x.producer >= 0 || x.detached_from >= 0) continue;
    const Tensor value = microscope::tensor_from(x.shape, x.dtype, x.value);
    put(i, x.role == "param" || x.role == "input" ? leaf(value) : value);
  }
  for (int k = 0; k < static_cast<int>(t.ops.size()); ++k) {
    const TraceOp& op = t.ops[at(k)];
    const Scopes here(t, op.scope);
    Inputs in;
    for (const int i : op.in) in.push_back(i < 0 ? Tensor{} : values[at(i)]);
    const Outputs out = ops.contains(op.op) ? table().at(op.op)(op, in) : run_op(t, k, values);
    for (size_t j = 0; j < op.out.size(); ++j) put(op.out[j], out.at(j));
  }
  const Tensor& y = values[at(t.seed)];
  Trace all = trace_of(
      recording.backward(y, cast(Tensor::from<double>(t.seed_value, y.shape()), y.dtype())));
  all.meta = t.meta;
  all.run = t.run;
  all.run["decompose"] = ops;
  const auto words = [&](const char* key) { return t.run.value(key, std::vector<std::string>{}); };
  if (!t.views.empty())
    all.views = alignment_views(all, words("src"), words("tgt"), words("tgt_in"));
  return all;
}

}  // namespace heed::microscope
