#include "examples/microscope/session.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/microscope/replay.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

Numbers numbers_of(const Tensor& x) {
  if (x.dtype() != i64) return x.to_vector();
  const std::vector<int64_t> ids = x.to_ids();
  return {ids.begin(), ids.end()};
}

// A leaf that was differentiated itself is not more than a leaf.
bool is_leaf_of(const TraceTensor& t) {
  return t.producer < 0 && (t.role == "param" || t.role == "input" || t.role == "output");
}

// `x` with number `index` changed, where `x` was on its tape.
Tensor with_number(const Tensor& x, size_t index, double value) {
  Tensor changed = clone(x).with_ref(x.ref());
  if (x.dtype() == i64) {
    changed.mutable_data<int64_t>()[index] = whole_number(value, "an id", -kMostId, kMostId);
  } else if (x.dtype() == f32) {
    changed.mutable_data<float>()[index] = static_cast<float>(value);
  } else {
    changed.mutable_data<double>()[index] = value;
  }
  return changed;
}

// `x` with 0 where `keep` has 0.
Tensor kept(const Tensor& x, const std::vector<uint8_t>& keep) {
  require(keep.size() == static_cast<size_t>(x.numel()),
          "a closed edge: expected {} places, got {}", x.numel(), keep.size());
  Numbers all = x.to_vector();
  for (size_t i = 0; i < all.size(); ++i)
    if (keep[i] == 0) all[i] = 0;
  return cast(Tensor::from<double>(all, x.shape()), x.dtype());
}

bool same_number(double a, double b) {
  return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b));
}

}  // namespace

// ---- forward ----

Session::Session(Trace trace, std::optional<DType> dtype)
    : trace_(std::move(trace)),
      dtype_(dtype.value_or(trace_.tensors.at(at(trace_.seed)).dtype == "f32" ? f32 : f64)),
      followers_(trace_.tensors.size()) {
  require_whole(trace_);
  for (size_t i = 0; i < trace_.ops.size(); ++i)
    require(known_op(trace_.ops[i].op),
            "op {} ({}) is not one of heed's: this trace can be read, but not computed again", i,
            harmless(trace_.ops[i].op));
  for (size_t i = 0; i < trace_.tensors.size(); ++i)
    if (const int from = trace_.tensors[i].detached_from; from >= 0)
      followers_.at(at(from)).push_back(static_cast<int>(i));
  if (trace_.run.contains("set"))
    for (const Json& text : trace_.run["set"])
      settings_.push_back(setting_of(trace_, text.get<std::string>()));
  given_ = settings_.size();
  const NoTape quiet;
  values_ = computed();
}

// A tensor as it is used from here on: with its settings, and the detached values that follow it.
void Session::put(Tensors& values, int tensor, Tensor x) const {
  for (const Setting& s : settings_)
    if (s.tensor == tensor) x = with_number(x, s.index, s.value);
  for (const int i : followers_[at(tensor)]) put(values, i, detach(x));
  values[at(tensor)] = std::move(x);
}

void Session::put_outputs(Tensors& values, int k) const {
  const Tensors out = run_op(trace_, k, values);
  const TraceOp& op = trace_.ops[at(k)];
  require(out.size() == op.out.size(), "op {} ({}): expected {} outputs, the trace has {}", k,
          op.op, out.size(), op.out.size());
  for (size_t j = 0; j < out.size(); ++j) {
    const Shape expected(trace_.tensors[at(op.out[j])].shape);
    require(out[j].shape() == expected, "op {} ({}): it makes {}, the trace says {}", k, op.op,
            out[j].shape(), expected);
    put(values, op.out[j], out[j]);
  }
}

// Everything from the beginning, under whatever tape is active.
Tensors Session::computed() const {
  Tensors values(trace_.tensors.size());
  for (int i = 0; i < static_cast<int>(values.size()); ++i) {
    const TraceTensor& t = trace_.tensors[at(i)];
    if (t.producer >= 0 || t.detached_from >= 0) continue;
    const Tensor x = microscope::tensor_from(t.shape, t.dtype, t.value);
    const Tensor in_dtype = t.dtype == "i64" ? x : cast(x, dtype_);
    put(values, i, is_leaf_of(t) ? leaf(in_dtype) : in_dtype);
  }
  for (int k = 0; k < static_cast<int>(trace_.ops.size()); ++k) put_outputs(values, k);
  return values;
}

std::optional<int> Session::first_difference() const {
  for (int i = 0; i < static_cast<int>(values_.size()); ++i) {
    const TraceTensor& t = trace_.tensors[at(i)];
    if (t.role == "saved") continue;  // what an op keeps is not computed again here
    const Numbers now = numbers_of(values_[at(i)]);
    if (!std::equal(now.begin(), now.end(), t.value.begin(), t.value.end(), same_number)) return i;
  }
  return {};
}

void Session::set(const Setting& s) {
  const TraceTensor& t = trace_.tensors.at(at(s.tensor));
  require(s.index < t.value.size(), "expected a number of {}, got {}", t.value.size(), s.index);
  const bool given = t.dtype == "i64" || t.producer >= 0 || is_leaf_of(t) || t.role == "const";
  require(given, "{} is only what an op kept for its backward; set what it is computed from",
          t.name.empty() ? fmt::format("#{}", s.tensor) : harmless(t.name));
  settings_.push_back(s);
  try {
    const NoTape quiet;
    values_ = computed();
  } catch (...) {  // an id that is not in the table
    settings_.pop_back();
    throw;
  }
}

bool Session::undo() {
  if (settings_.size() <= given_) return false;
  settings_.pop_back();
  const NoTape quiet;
  values_ = computed();
  return true;
}

double Session::outcome() const {
  return outcome_of(values_);
}

double Session::outcome_of(const Tensors& values) const {
  const Numbers y = values[at(trace_.seed)].to_vector();
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * trace_.seed_value[i];
  return sum;
}

double Session::outcome_with(int tensor, const Numbers& by, bool hold_detached) const {
  return outcome_of(values_with(tensor, by, hold_detached));
}

Tensors Session::values_with(int tensor, const Numbers& by, bool hold_detached) const {
  const NoTape quiet;
  Tensors values = values_;
  std::vector<bool> changed(values.size());
  Tensor x = clone(values[at(tensor)]);
  dispatch(x.dtype(), "outcome_with", [&]<class T>() {
    T* to = x.mutable_data<T>();
    for (size_t i = 0; i < by.size(); ++i) to[i] += static_cast<T>(by[i]);
  });
  const auto spread = [&](int from) {
    changed[at(from)] = true;
    if (hold_detached) return;
    for (const int i : followers_[at(from)])
      values[at(i)] = values[at(from)], changed[at(i)] = true;
  };
  values[at(tensor)] = x;
  spread(tensor);
  for (int k = 0; k < static_cast<int>(trace_.ops.size()); ++k) {
    const TraceOp& op = trace_.ops[at(k)];
    const auto touched = [&](int i) { return i >= 0 && changed[at(i)]; };
    if (std::none_of(op.in.begin(), op.in.end(), touched)) continue;
    const Tensors out = run_op(trace_, k, values);
    for (size_t j = 0; j < out.size(); ++j) {
      if (op.out[j] == tensor) continue;  // it is what it was made above
      Tensor y = out[j];
      for (const Setting& s : settings_)
        if (s.tensor == op.out[j]) y = with_number(y, s.index, s.value);
      values[at(op.out[j])] = y;
      spread(op.out[j]);
    }
  }
  return values;
}

// ---- backward ----

// What one walk back leaves: per tensor its gradient, and the contributions in order.
struct Session::Walked {
  Tensors values, grads;
  std::vector<TraceContribution> contribs;
  std::vector<int> steps;                                          // per op, -1: not reached
  std::vector<std::vector<std::pair<std::string, Tensor>>> saved;  // per op
};

Session::Walked Session::walk_back(const std::vector<Edge>& closed) const {
  Walked w;
  Tape tape;
  w.values = computed();
  require_use(tape.nodes().size() == trace_.ops.size(),
              "session: expected a node for each of {} ops, got {}", trace_.ops.size(),
              tape.nodes().size());
  w.steps.assign(trace_.ops.size(), -1);
  w.saved.resize(trace_.ops.size());
  for (const Tensor& x : w.values)
    if (x.defined() && requires_grad(x)) (void)tape.keep_grad(x);
  for (size_t k = 0; k < trace_.ops.size(); ++k) {
    struct Keep final : SavedVisitor {
      std::vector<std::pair<std::string, Tensor>>& to;
      explicit Keep(std::vector<std::pair<std::string, Tensor>>& all) : to(all) {}
      void operator()(std::string_view name, const Saved& saved) override {
        if (saved->defined()) to.emplace_back(name, clone(*saved));
      }
    } keep(w.saved[k]);
    tape.nodes()[k].table->saved(tape.nodes()[k].op, keep);
  }
  const Tensor& y = w.values[at(trace_.seed)];
  const Tensor seed = cast(Tensor::from<double>(trace_.seed_value, y.shape()), y.dtype());
  const NoTape quiet;
  const auto pass = [&](int64_t op, int slot, Tensor& value) {
    for (const Edge& e : closed) {
      if (e.op != op || e.slot != slot) continue;
      if (e.keep.empty()) return false;
      value = kept(value, e.keep);
    }
    return true;
  };
  BackwardSweep sweep(tape, y, seed, {.separate = true, .pass = pass});
  for (int step = 0; sweep.next(); ++step) {
    const auto k = static_cast<int>(sweep.node());
    w.steps[at(k)] = step;
    for (const auto& c : sweep.contributions())
      w.contribs.push_back({k, c.input, trace_.ops[at(k)].in[at(c.input)], numbers_of(c.value)});
  }
  std::map<int32_t, size_t> leaves;  // leaf -> slot
  for (size_t i = 0; i < tape.slots().size(); ++i)
    if (const int32_t leaf = tape.slots()[i].leaf; leaf >= 0) leaves[leaf] = i;
  w.grads.resize(w.values.size());
  for (size_t i = 0; i < w.values.size(); ++i) {
    const Tensor& x = w.values[i];
    if (!x.defined() || !requires_grad(x)) continue;
    const Slot& s = tape.slots()[is_leaf(x) ? leaves.at(x.ref().slot) : at(x.ref().slot)];
    if (s.grad.defined()) w.grads[i] = clone(s.grad);
  }
  return w;
}

// Why a tensor has no gradient; what Recording says of it.
void explain_missing(Trace& t) {
  const auto mark = [](TraceTensor& x, const std::string& how) {
    if (x.grad_state != "not_reached" || how.empty()) return;
    x.grad_state = "cut";
    x.cut = how;
  };
  for (TraceTensor& x : t.tensors) mark(x, x.ends);
  for (size_t k = t.ops.size(); k-- > 0;)
    for (const int y : t.ops[k].out)
      if (const TraceTensor& from = t.tensors[at(y)]; from.grad_state == "cut")
        for (const int i : t.ops[k].in)
          if (i >= 0) mark(t.tensors[at(i)], from.cut);
}

Trace Session::trace() const {
  Walked w = walk_back({});
  Trace t = trace_;
  for (size_t i = 0; i < t.tensors.size(); ++i) {
    TraceTensor& x = t.tensors[i];
    if (w.values[i].defined()) x.value = numbers_of(w.values[i]);
    if (x.role == "output") x.role = x.producer < 0 ? "param" : "inter";
    if (x.grad_state == "no_grad") continue;
    x.cut.clear();
    x.grad_state = w.grads[i].defined() ? "done" : "not_reached";
    x.grad = w.grads[i].defined() ? numbers_of(w.grads[i]) : Numbers{};
  }
  if (TraceTensor& y = t.tensors[at(t.seed)]; y.producer >= 0) y.role = "output";
  for (size_t k = 0; k < t.ops.size(); ++k) {
    t.ops[k].bwd = w.steps[k];
    t.ops[k].sends.clear();
    for (const TraceSaved& s : t.ops[k].saved)
      for (const auto& [name, x] : w.saved[k])
        if (name == s.name && t.tensors[at(s.tensor)].role == "saved")
          t.tensors[at(s.tensor)].value = numbers_of(x);
  }
  for (const TraceContribution& c : w.contribs) t.ops[at(c.op)].sends.push_back(c.slot);
  explain_missing(t);
  t.contribs = std::move(w.contribs);
  t.run.erase("set");
  for (const Setting& s : settings_) t.run["set"].push_back(text_of(trace_, s));
  return t;
}

void Session::differentiate(int tensor, const Numbers& cotangent) {
  const TraceTensor& t = trace_.tensors.at(at(tensor));
  require(t.producer >= 0, "{}: expected a tensor that is computed, to differentiate it",
          t.name.empty() ? fmt::format("#{}", tensor) : harmless(t.name));
  require(cotangent.size() == t.value.size(), "expected a cotangent of {} numbers, got {}",
          t.value.size(), cotangent.size());
  trace_.seed = tensor;
  trace_.seed_value = cotangent;
}

std::vector<Numbers> Session::gradients_without(const std::vector<Edge>& closed) const {
  const Walked w = walk_back(closed);
  std::vector<Numbers> all;
  for (const Tensor& g : w.grads) all.push_back(g.defined() ? numbers_of(g) : Numbers{});
  return all;
}

// ---- one op by itself ----

Numbers Session::pulled_back(int op, int slot, const Numbers& cotangent, int output) const {
  const TraceOp& o = trace_.ops.at(at(op));
  require(slot >= 0 && at(slot) < o.in.size() && o.in[at(slot)] >= 0 &&
              value(o.in[at(slot)]).dtype() != i64,
          "op {} ({}): expected an input that a gradient can flow to, got {}", op, o.op, slot);
  require(output >= 0 && at(output) < o.out.size(),
          "op {} ({}): expected an output below {}, got {}", op, o.op, o.out.size(), output);
  Tensors in;
  for (const int i : o.in) in.push_back(i < 0 ? Tensor{} : detach(value(i)));
  in[at(slot)] = leaf(in[at(slot)]);
  Tape tape;
  const Tensor y = run_op(trace_, op, values_, in).at(at(output));
  require(cotangent.size() == static_cast<size_t>(y.numel()),
          "op {} ({}): expected a cotangent of {} numbers, got {}", op, o.op, y.numel(),
          cotangent.size());
  tape.backward(y, cast(Tensor::from<double>(cotangent, y.shape()), y.dtype()));
  const Gradients all = tape.gradients();
  const Tensor* g = all.find(in[at(slot)]);
  return g ? g->to_vector() : Numbers(static_cast<size_t>(in[at(slot)].numel()));
}

Numbers Session::jacobian_row(int op, int slot, size_t row, int output) const {
  const TraceOp& o = trace_.ops.at(at(op));
  require(output >= 0 && at(output) < o.out.size(),
          "op {} ({}): expected an output below {}, got {}", op, o.op, o.out.size(), output);
  Numbers unit(static_cast<size_t>(value(o.out[at(output)]).numel()));
  require(row < unit.size(), "op {} ({}): expected a row below {}, got {}", op, o.op, unit.size(),
          row);
  unit[row] = 1;
  return pulled_back(op, slot, unit, output);
}

Numbers Session::jacobian(int op, int slot, int output) const {
  Numbers all;
  const auto rows = static_cast<size_t>(value(trace_.ops.at(at(op)).out.at(at(output))).numel());
  for (size_t r = 0; r < rows; ++r) {
    const Numbers row = jacobian_row(op, slot, r, output);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

Numbers Session::jacobian_column(int op, int slot, size_t column, int output) const {
  const Numbers all = jacobian(op, slot, output);
  const auto width = static_cast<size_t>(value(trace_.ops[at(op)].in.at(at(slot))).numel());
  require(column < width, "op {} ({}): expected a column below {}, got {}", op,
          trace_.ops[at(op)].op, width, column);
  Numbers one;
  for (size_t i = column; i < all.size(); i += width) one.push_back(all[i]);
  return one;
}

}  // namespace heed::microscope
