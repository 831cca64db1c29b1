// The tape's storage and bookkeeping; the walk back is in backward.cpp.
#include "autograd/tape.h"

#include <fmt/format.h>

#include <atomic>
#include <unordered_map>

#include "autograd/detail/tape_storage.h"
#include "core/kernels.h"
#include "core/scope.h"

namespace heed {

constinit thread_local Tape* detail::active_tape = nullptr;
using detail::active_tape;

namespace {

thread_local int tapes_alive = 0;  // on this thread; one beneath a NoTape is nobody's `outer_`
thread_local uint64_t nodes_recorded = 0;

// Storage of tapes that are gone, ready for the next one: a step after the first allocates nothing.
thread_local std::vector<std::unique_ptr<TapeStorage>> spare;

uint32_t next_serial() {
  static std::atomic<uint32_t> serial{0};
  uint32_t s = 0;
  while (s == TapeRef::kNone || s == TapeRef::kLeaf) s = ++serial;
  return s;
}

}  // namespace

void TapeStorage::clear() {
  for (const Node& n : nodes)
    if (n.op) n.table->destroy(n.op);
  nodes.clear();
  edges.clear();
  slots.clear();
  leaves.clear();
  names.clear();
  next = end = nullptr;
}

void TapeStorage::another_chunk() {
  chunk = next ? chunk + 1 : 0;
  if (chunk == chunks.size()) chunks.push_back(std::make_unique<Chunk>());
  next = chunks[chunk]->bytes;
  end = next + kChunk;
}

uint64_t Tape::recorded() {
  return nodes_recorded;
}

Tape::Tape() : outer_(std::exchange(active_tape, this)), serial_(next_serial()) {
  ++tapes_alive;
  if (spare.empty()) {
    store_ = std::make_unique<TapeStorage>();
  } else {
    store_ = std::move(spare.back());
    spare.pop_back();
  }
}

Tape::~Tape() {
  clear();
  --tapes_alive;
  active_tape = outer_;
  if (spare.size() < 4) spare.push_back(std::move(store_));
}

void Tape::clear() {
  store_->clear();
  serial_ = next_serial();
  walked_ = false;
  if (tapes_alive == 1) forget_scopes();
}

NoTape::NoTape() : outer_(std::exchange(active_tape, nullptr)) {}
NoTape::~NoTape() {
  active_tape = outer_;
}

void* Tape::room_for(const OpInfo& info, std::span<const Tensor* const> in, size_t bytes,
                     size_t align) {
  require(in.size() <= UINT16_MAX, "{}: expected at most {} inputs on a tape, got {}", info.name,
          UINT16_MAX, in.size());
  bool any = false;
  for (size_t i = 0; i < in.size(); ++i) {
    const uint32_t tape = in[i]->ref().tape;
    if (tape == TapeRef::kNone) continue;
    require_use(tape == serial_ || tape == TapeRef::kLeaf,
                "{}: input {} ({}) is stale: it was computed under another tape, or one that was "
                "cleared; carry its value with detach(x)",
                info.name, info.inputs[info.variadic ? 0 : i], in[i]->shape());
    any = true;
  }
  return any ? store_->allocate(bytes, align) : nullptr;
}

int32_t Tape::slot_for_input(const Tensor& x) {
  const TapeRef ref = x.ref();
  if (ref.tape == serial_) return ref.slot;
  if (ref.tape != TapeRef::kLeaf) return -1;
  const int32_t known = store_->leaves.find(ref.slot);
  if (known >= 0) return known;
  const auto slot = static_cast<int32_t>(store_->slots.size());
  append_to(store_->slots, x.shape(), x.dtype()).leaf = ref.slot;
  store_->leaves.insert(ref.slot, slot);
  return slot;
}

int32_t Tape::slot_of(const Tensor& x) const {
  if (x.ref().tape == serial_) return x.ref().slot;
  return is_leaf(x) ? store_->leaves.find(x.ref().slot) : -1;
}

void Tape::append(const OpTable& table, void* op, std::span<const Tensor* const> in,
                  std::span<Tensor> out) {
  TapeStorage& s = *store_;
  const auto first_edge = static_cast<uint32_t>(s.edges.size());
  for (const Tensor* x : in) {  // most are outputs of this tape or constants: seen without a call
    const TapeRef ref = x->ref();
    append_to(s.edges, ref.tape == serial_          ? ref.slot
                       : ref.tape == TapeRef::kNone ? -1
                                                    : slot_for_input(*x));
  }
  auto slot = static_cast<int32_t>(s.slots.size());
  // Node and slots are written in their places: copying what was just written costs more.
  Node& node = append_to(s.nodes);
  node.table = &table;
  node.op = op;
  node.first_edge = first_edge;
  node.first_slot = slot;
  node.scope = pin_scope();
  node.inputs = static_cast<uint16_t>(in.size());
  node.outputs = static_cast<uint16_t>(out.size());
  for (Tensor& y : out) {
    append_to(s.slots, y.shape(), y.dtype());
    y.set_ref({serial_, slot++});
  }
  s.fetch_ahead();
  ++nodes_recorded;
  if (watcher_) [[unlikely]]
    watcher_->recorded(*this, Node(node), in, out);  // a copy: it may record
}

std::span<const Node> Tape::nodes() const {
  return store_->nodes;
}
std::span<const Slot> Tape::slots() const {
  return store_->slots;
}
std::span<const int32_t> Tape::inputs(const Node& n) const {
  return std::span(store_->edges).subspan(n.first_edge, n.inputs);
}

void Tape::name(const Tensor& x, std::string text) {
  const int32_t slot = is_leaf(x) ? slot_for_input(x) : slot_of(x);
  require_use(slot >= 0, "name: '{}' is not on this tape", text);
  store_->names[slot] = std::move(text);
}

std::string Tape::name_of(int32_t slot) const {
  const auto it = store_->names.find(slot);
  return it == store_->names.end() ? "" : it->second;
}

const Tensor& Tape::keep_grad(const Tensor& x) {
  const int32_t slot = is_leaf(x) ? slot_for_input(x) : slot_of(x);
  require_use(slot >= 0, "keep_grad: this tensor {} was not computed under this tape", x.shape());
  require_use(!walked_, "keep_grad: call it before backward; this tape was walked before");
  store_->slots[static_cast<size_t>(slot)].keep = true;
  return x;
}

Tensor Tape::grad(const Tensor& x) const {
  const int32_t slot = slot_of(x);
  require_use(slot >= 0,
              "grad: this tensor {} is not on this tape: it is a constant, was computed elsewhere, "
              "or was never used; make it a leaf(x) and use it while the tape is active",
              x.shape());
  const Slot& s = store_->slots[static_cast<size_t>(slot)];
  require_use(walked_, "grad: call backward(loss) first");
  require_use(s.leaf >= 0 || s.keep,
              "grad: the gradient of this intermediate tensor {} was not kept; call "
              "tape.keep_grad(x) before backward",
              x.shape());
  require_use(s.grad.defined(),
              "grad: no gradient reached this tensor {}: the loss does not depend on it (this is "
              "not the same as a gradient of zero)",
              x.shape());
  return detach(s.grad);
}

Gradients Tape::gradients() const {
  require_use(walked_, "gradients: call backward(loss) first");
  Gradients all;
  for (const Slot& s : store_->slots)
    if (s.leaf >= 0 && s.grad.defined()) all.add(s.leaf, detach(s.grad), s.rows);
  return all;
}

Tensor named(const Tensor& x, std::string_view name) {
  if (Tape* tape = Tape::active(); tape && requires_grad(x)) tape->name(x, std::string(name));
  return x;
}

std::string to_text(const Tape& tape) {
  std::string text;
  const auto label = [&](int32_t slot) {
    if (slot < 0) return std::string("const");
    const std::string name = tape.name_of(slot);
    return name.empty() ? fmt::format("%{}", slot) : name;
  };
  int64_t number = 0;
  for (const Node& n : tape.nodes()) {
    std::string in;
    for (const int32_t slot : tape.inputs(n)) in += (in.empty() ? "" : ", ") + label(slot);
    const Slot& out = tape.slots()[static_cast<size_t>(n.first_slot)];
    text += fmt::format("{:4}  {:<5} {:<12} = {:<24} {:<40} {}\n", number++, label(n.first_slot),
                        to_text(out.shape()), fmt::format("{}({})", n.table->info->name, in),
                        n.table->info->forward, scope_path(n.scope));
  }
  return text;
}

}  // namespace heed
