#include "examples/microscope/step/timeline.h"

#include <algorithm>

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::microscope::stepper {

Timeline::Timeline(Trace trace) : trace_(std::move(trace)) {
  std::vector<int> reached;
  ledgers_.resize(trace_.tensors.size());
  users_.resize(trace_.tensors.size());
  for (int i = 0; i < forward(); ++i) {
    events_.push_back({false, i});
    if (op(i).bwd >= 0) reached.push_back(i);
    for (const int x : op(i).in)
      if (x >= 0) users_[static_cast<size_t>(x)].push_back(i);
  }
  for (size_t i = reached.size(); i-- > 0;) events_.push_back({true, reached[i]});
  for (size_t i = 0; i < trace_.contribs.size(); ++i)
    ledgers_[static_cast<size_t>(trace_.contribs[i].tensor)].push_back(static_cast<int>(i));
  for (const TraceScope& s : trace_.scopes) {
    if (paths_.empty()) {
      paths_.emplace_back();  // the root goes without saying
      continue;
    }
    const std::string& parent = paths_[static_cast<size_t>(s.parent)];
    const std::string name = printable(s.name);
    paths_.push_back((parent.empty() ? "" : parent + "/") + name +
                     (s.index < 0 ? "" : fmt::format("[{}]", s.index)));
  }
}

int Timeline::position_of(int i, bool backward) const {
  if (!backward) return i + 1;
  return op(i).bwd < 0 ? 0 : forward() + op(i).bwd + 1;
}

std::vector<int> Timeline::sent_by(int i) const {
  std::vector<int> all;
  if (op(i).bwd < 0) return all;
  const auto first =
      std::partition_point(trace_.contribs.begin(), trace_.contribs.end(),
                           [&](const TraceContribution& c) { return op(c.op).bwd < op(i).bwd; });
  for (auto c = first; c != trace_.contribs.end() && c->op == i; ++c)
    all.push_back(static_cast<int>(c - trace_.contribs.begin()));
  return all;
}

const TraceFormula& Timeline::formula(int i) const {
  const auto it = std::find_if(trace_.formulas.begin(), trace_.formulas.end(),
                               [&](const TraceFormula& f) { return f.op == op(i).op; });
  require_use(it != trace_.formulas.end(), "step: op {} has no formula", i);
  return *it;
}

// Leaves and constants were there before the first event; what an op keeps for its backward is
// there with its outputs.
bool Timeline::has_value(int t, int position) const {
  const int producer = tensor(t).producer;
  if (producer >= 0) return producer < position;
  if (tensor(t).role != "saved") return true;
  for (int i = 0; i < forward(); ++i)
    for (const TraceSaved& s : op(i).saved)
      if (s.tensor == t) return i < position;
  return true;
}

GradientAt Timeline::gradient(int t, int position) const {
  const TraceTensor& x = tensor(t);
  const std::vector<int>& all = ledger(t);
  if (x.grad_state == "no_grad") return {Known::no_grad};
  const int steps = position - forward();  // of the backward pass
  if (!x.has_grad()) {
    // Nothing can come any more once the sweep is past all that it was used in.
    const bool over = steps > 0 && std::all_of(users(t).begin(), users(t).end(), [&](int user) {
                        return position == length() || user >= event(position).op;
                      });
    if (!over) return {Known::not_yet};
    return {x.grad_state == "cut" ? Known::cut : Known::not_reached};
  }
  GradientAt g{Known::not_yet, {}, 0, all.size()};
  if (steps <= 0) return g;
  if (t == trace_.seed) g.sum = trace_.seed_value;
  for (const int i : all) {
    const TraceContribution& c = contribution(i);
    if (op(c.op).bwd >= steps) break;
    if (g.sum.empty()) g.sum.assign(x.grad.size(), 0.0);
    for (size_t k = 0; k < g.sum.size(); ++k) {
      const double sum = g.sum[k] + c.value[k];
      g.sum[k] = x.dtype == "f32" ? static_cast<double>(static_cast<float>(sum)) : sum;
    }
    ++g.arrived;
  }
  if (g.arrived == all.size()) {
    g.known = Known::done;
    g.sum = x.grad;
  } else if (!g.sum.empty()) {
    g.known = Known::partly;
  }
  return g;
}

int Timeline::completed(int t) const {
  if (!tensor(t).has_grad()) return 0;
  if (ledger(t).empty()) return std::min(forward() + 1, length());
  return position_of(contribution(ledger(t).back()).op, true);
}

bool Timeline::within(int scope, int ancestor) const {
  while (scope != ancestor && scope != 0) scope = trace_.scopes[static_cast<size_t>(scope)].parent;
  return scope == ancestor;
}

std::string Timeline::label(int t) const {
  const std::string& name = tensor(t).name;
  return name.empty() ? fmt::format("#{}", t) : printable(name);
}

std::string Timeline::call(int i) const {
  std::string out, in;
  for (const int y : op(i).out) out += (out.empty() ? "" : ", ") + label(y);
  for (const int x : op(i).in)
    if (x >= 0) in += (in.empty() ? "" : ", ") + label(x);
  return fmt::format("{} = {}({})", out, printable(op(i).op), in);
}

}  // namespace heed::microscope::stepper
