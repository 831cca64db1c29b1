// From the recorder's data to a trace.
#include "examples/microscope/trace.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

constexpr std::array<const char*, 6> kRoles{"param", "input", "const", "inter", "output", "saved"};
constexpr std::array<const char*, 4> kStates{"done", "not_reached", "cut", "no_grad"};

Numbers numbers_of(const Tensor& x) {
  if (x.dtype() != i64) return x.to_vector();
  const std::vector<int64_t> ids = x.to_ids();
  return {ids.begin(), ids.end()};
}

TraceTensor tensor_of(const RecordedTensor& t) {
  return {.name = t.name,
          .scope = t.scope,
          .role = kRoles.at(static_cast<size_t>(t.role)),
          .dtype = std::string(name_of(t.value.dtype())),
          .shape = {t.value.shape().sizes().begin(), t.value.shape().sizes().end()},
          .producer = t.producer,
          .value = numbers_of(t.value),
          .grad_state = kStates.at(static_cast<size_t>(t.state)),
          .grad = t.grad.defined() ? numbers_of(t.grad) : Numbers{},
          .cut = t.state == GradState::cut ? t.cut : "",
          .detached_from = t.detached_from};
}

TraceFormula formula_of(const OpInfo& info) {
  TraceFormula f{std::string(info.name), std::string(info.forward), {}, {}};
  for (size_t i = 0; i < OpInfo::kMostInputs && !info.inputs[i].empty(); ++i) {
    f.inputs.emplace_back(info.inputs[i]);
    f.backward.emplace_back(info.backward[i]);
  }
  return f;
}

}  // namespace

Trace trace_of(const Recorded& recorded) {
  Trace t;
  for (const RecordedScope& s : recorded.scopes) t.scopes.push_back({s.name, s.index, s.parent});
  for (const RecordedTensor& x : recorded.tensors) t.tensors.push_back(tensor_of(x));
  for (const RecordedOp& o : recorded.ops) {
    TraceOp op{.op = std::string(o.info->name),
               .scope = o.scope,
               .in = o.in,
               .out = o.out,
               .saved = {},
               .bwd = o.step,
               .sends = {}};
    for (const RecordedSaved& s : o.saved) op.saved.push_back({std::string(s.name), s.tensor});
    const auto same = [&](const TraceFormula& f) { return f.op == op.op; };
    if (std::none_of(t.formulas.begin(), t.formulas.end(), same))
      t.formulas.push_back(formula_of(*o.info));
    t.ops.push_back(std::move(op));
  }
  std::sort(t.formulas.begin(), t.formulas.end(),
            [](const TraceFormula& a, const TraceFormula& b) { return a.op < b.op; });
  for (const RecordedContribution& c : recorded.contributions) {
    t.ops[static_cast<size_t>(c.op)].sends.push_back(c.input);
    t.contribs.push_back({c.op, c.input, c.tensor, numbers_of(c.value)});
  }
  t.seed = recorded.differentiated;
  t.seed_value = numbers_of(recorded.seed);
  return t;
}

int Trace::find(const std::string& name) const {
  std::string known;
  for (size_t i = tensors.size(); i-- > 0;) {
    if (tensors[i].name == name && !name.empty()) return static_cast<int>(i);
    if (name == fmt::format("#{}", i)) return static_cast<int>(i);
  }
  for (const TraceTensor& t : tensors)
    if (!t.name.empty() && known.size() < 200)
      known += (known.empty() ? "" : ", ") + harmless(t.name);
  require(false, "expected the name of a tensor ({}) or #0 to #{}, got '{}'", known,
          tensors.size() - 1, name);
  return -1;
}

}  // namespace heed::microscope
