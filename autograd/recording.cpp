// Watching a tape grow, then walking it with contributions kept apart.
#include "autograd/recording.h"

#include <algorithm>

#include "core/scope.h"

namespace heed {
namespace {

template <class V>
auto& item(V& v, int i) {
  return v[static_cast<size_t>(i)];
}

template <class V>
int count(const V& v) {
  return static_cast<int>(v.size());
}

bool same_view(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(a.strides().begin(), a.strides().begin() + a.rank(), b.strides().begin());
}

}  // namespace

int Recorded::find(std::string_view name) const {
  for (int i = count(tensors) - 1; i >= 0; --i)
    if (item(tensors, i).name == name) return i;
  return -1;
}

Recording::Recording(Tape& tape) : tape_(tape) {
  require_use(tape.nodes().empty(),
              "recording: this tape holds {} ops already; begin the recording before the first op",
              tape.nodes().size());
  all_.scopes.push_back({"", -1, 0});
  scopes_[0] = 0;
  tape_.watch(this);
}

Recording::~Recording() {
  tape_.watch(nullptr);
}

// ---- forward ----

int Recording::scope_of(uint32_t id) {
  if (const auto known = scopes_.find(id); known != scopes_.end()) return known->second;
  const ScopeInfo info = scope_info(id);
  const int parent = scope_of(info.parent);
  all_.scopes.push_back({std::string(info.name), info.index, parent});
  return scopes_[id] = count(all_.scopes) - 1;
}

int Recording::add(const Tensor& value, TensorRole role, int32_t slot) {
  const int at = count(all_.tensors);
  RecordedTensor t;
  t.scope = scope_of(pin_scope());
  t.role = role;
  t.value = value;  // the handle keeps the memory from being used again
  all_.tensors.push_back(std::move(t));
  slots_.push_back(slot);
  memory_.emplace(value.bytes(), at);
  if (slot >= 0) {
    if (of_slot_.size() <= static_cast<size_t>(slot))
      of_slot_.resize(static_cast<size_t>(slot) + 1, -1);
    item(of_slot_, slot) = at;
  }
  return at;
}

int Recording::same_memory(const Tensor& x, bool constants_only) const {
  int found = -1;
  const auto [begin, end] = memory_.equal_range(x.bytes());
  for (auto it = begin; it != end; ++it)
    if (same_view(item(all_.tensors, it->second).value, x) &&
        (item(slots_, it->second) < 0) == constants_only)
      found = std::max(found, it->second);
  return found;
}

// An input that no gradient flows to. The value of a recorded tensor without its history is what
// detach gives.
int Recording::constant(const Tensor& x) {
  if (!x.defined()) return -1;
  if (const int known = same_memory(x, true); known >= 0) return known;
  const int source = same_memory(x, false);
  const int at = add(x, TensorRole::constant, -1);
  if (source >= 0) {
    item(all_.tensors, at).detached_from = source;
    item(all_.tensors, source).ends = "detach";
  }
  return at;
}

int Recording::saved(const Tensor& x) {
  for (const bool constants : {false, true})
    if (const int known = same_memory(x, constants); known >= 0) return known;
  return add(x, TensorRole::saved, -1);
}

void Recording::recorded(Tape& tape, const Node& node, std::span<const Tensor* const> in,
                         std::span<Tensor> out) {
  require_use(tape.nodes().size() == all_.ops.size() + 1,
              "recording: the tape was cleared after the recording began; use a new tape for each "
              "recording");
  const int number = count(all_.ops);
  RecordedOp op{.info = node.table->info,
                .scope = scope_of(node.scope),
                .in = {},
                .out = {},
                .saved = {},
                .attributes = {}};
  const auto slots = tape.inputs(node);
  for (size_t i = 0; i < in.size(); ++i) {
    const int32_t slot = slots[i];
    if (slot < 0) {
      op.in.push_back(constant(*in[i]));
    } else {
      const bool known = static_cast<size_t>(slot) < of_slot_.size() && item(of_slot_, slot) >= 0;
      op.in.push_back(known ? item(of_slot_, slot) : add(*in[i], TensorRole::param, slot));
    }
  }
  for (size_t k = 0; k < out.size(); ++k) {
    op.out.push_back(add(out[k], TensorRole::inter, node.first_slot + static_cast<int32_t>(k)));
    item(all_.tensors, op.out.back()).producer = number;
    tape.keep_grad(out[k]);
  }
  struct Collect final : SavedVisitor {
    Recording& recording;
    RecordedOp& op;
    Collect(Recording& r, RecordedOp& o) : recording(r), op(o) {}
    void operator()(std::string_view name, const Saved& saved) override {
      if (saved->defined()) op.saved.push_back({name, recording.saved(*saved)});
    }
  } collect(*this, op);
  node.table->saved(node.op, collect);
  struct List final : AttributeVisitor {
    RecordedOp& op;
    explicit List(RecordedOp& o) : op(o) {}
    void operator()(std::string_view name, const Attribute& value) override {
      op.attributes.push_back({std::string(name), value});
    }
  } list(op);
  node.table->attributes(node.op, list);
  all_.ops.push_back(std::move(op));
}

// The tensor of a handle that is on the tape; -1 if it is not, or not yet.
int Recording::tensor_of_slot(const Tensor& x) {
  int32_t slot = x.ref().slot;
  if (is_leaf(x)) {
    const auto all = tape_.slots();
    const auto it =
        std::find_if(all.begin(), all.end(), [&](const Slot& s) { return s.leaf == x.ref().slot; });
    slot = it == all.end() ? -1 : static_cast<int32_t>(it - all.begin());
  }
  if (slot < 0) return -1;
  if (static_cast<size_t>(slot) < of_slot_.size() && item(of_slot_, slot) >= 0)
    return item(of_slot_, slot);
  return is_leaf(x) ? add(x, TensorRole::param, slot) : -1;
}

void Recording::input(const Tensor& x) {
  require_use(is_leaf(x), "recording: input {} is not a leaf; make it one with leaf(x)", x);
  tape_.keep_grad(x);  // brings it on the tape
  item(all_.tensors, tensor_of_slot(x)).role = TensorRole::input;
}

void Recording::cut(const Tensor& x, std::string_view how) {
  if (!requires_grad(x)) return;
  const int at = tensor_of_slot(x);
  require_use(at >= 0, "recording: cut: this tensor {} is not on the recorded tape", x);
  item(all_.tensors, at).ends = how;
}

// ---- backward ----

const Recorded& Recording::backward(const Tensor& loss) {
  require_defined("backward", "the loss", loss);
  require(loss.numel() == 1,
          "backward: expected a loss of one element, got shape {}; reduce it with sum or mean, or "
          "pass a cotangent",
          loss.shape());
  return backward(loss, Tensor::full(loss.shape(), 1.0, loss.dtype()));
}

const Recorded& Recording::backward(const Tensor& y, const Tensor& cotangent) {
  require_defined("backward", "the loss", y);
  const NoTape quiet;
  BackwardSweep sweep(tape_, y, cotangent, {.separate = true});
  for (int step = 0; sweep.next(); ++step) {
    const int number = static_cast<int>(sweep.node());
    item(all_.ops, number).step = step;
    for (const auto& c : sweep.contributions())
      all_.contributions.push_back({number, c.input, item(of_slot_, c.slot), c.value});
  }
  finish(y, cotangent);
  return all_;
}

void Recording::finish(const Tensor& y, const Tensor& cotangent) {
  tape_.watch(nullptr);
  all_.differentiated = tensor_of_slot(y);
  all_.seed = clone(cotangent);
  if (RecordedTensor& t = item(all_.tensors, all_.differentiated); t.producer >= 0)
    t.role = TensorRole::output;
  for (int i = 0; i < count(all_.tensors); ++i) {
    RecordedTensor& t = item(all_.tensors, i);
    t.value = clone(t.value);  // parameters will be updated in place
    const int32_t slot = item(slots_, i);
    if (slot < 0) continue;
    t.name = tape_.name_of(slot);
    const Slot& s = tape_.slots()[static_cast<size_t>(slot)];
    t.state = s.grad.defined() ? GradState::done : GradState::not_reached;
    if (s.grad.defined()) t.grad = clone(s.grad);
  }
  explain_missing();
}

// A tensor without a gradient inherits the cut of what was computed from it.
void Recording::explain_missing() {
  const auto mark = [](RecordedTensor& t, const std::string& how) {
    if (t.state != GradState::not_reached || how.empty()) return;
    t.state = GradState::cut;
    t.cut = how;
  };
  for (RecordedTensor& t : all_.tensors) mark(t, t.ends);
  for (auto op = all_.ops.rbegin(); op != all_.ops.rend(); ++op)
    for (const int y : op->out)
      if (const RecordedTensor& from = item(all_.tensors, y); from.state == GradState::cut)
        for (const int x : op->in)
          if (x >= 0) mark(item(all_.tensors, x), from.cut);
}

}  // namespace heed
