// The tape: a list of the operations that were run, in the order they were run. An operation can
// only use what existed before it, so walking the list from its end to its beginning visits every
// node after all of its users: that is the whole of reverse mode. No sorting, no recursion, no
// graph of pointers.
//
//     Tensor w = leaf(Tensor::of({1, 2}));
//     Tape tape;                        // ops record while a tape is alive on this thread
//     Tensor loss = sum(square(w));
//     tape.backward(loss);
//     tape.grad(w);                     // {2, 4}
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/leaf.h"
#include "autograd/op.h"

namespace heed {

/// The functions of an op type, without its type.
struct OpTable {
  const OpInfo* info;
  // Runs backward, after which the op is destroyed: a tape is walked once, and the memory of what
  // it saved is there for the ops before. Throws std::logic_error if what it saved was changed
  // since.
  void (*backward)(void* op, GradFlow& flow);
  void (*saved)(const void* op, SavedVisitor& see);
  void (*attributes)(const void* op, AttributeVisitor& see);
  void (*destroy)(void* op);
};

/// One recorded operation. Small and fixed in size; its inputs and outputs are slots of the tape.
struct Node {
  const OpTable* table;
  void* op;             // the op struct, in the tape's arena; null once backward is done with it
  uint32_t first_edge;  // its inputs are edges[first_edge ...]
  int32_t first_slot;   // its outputs are slots first_slot, first_slot + 1, ...
  uint32_t scope;
  uint16_t inputs, outputs;
};
static_assert(sizeof(Node) == 32);

/// One tensor that takes part: a leaf, or the output of a node.
struct Slot {
  // Without memory until a contribution arrives. The memory may be another tensor's, or have its
  // axes in another order (not of a leaf, nor where `keep`): whoever adds to it asks, and takes a
  // copy.
  Tensor grad;
  Buffer rows{};      // a byte per row of grad: 0 where all of it is 0; empty: any row may be used
  int32_t leaf = -1;  // the leaf's number, or -1
  bool keep = false;  // grad stays after it was passed on
  int32_t products = -1;  // products still to be added to grad: the list's last one, or -1

  Slot(const Shape& shape, DType dtype) : grad(Tensor::unallocated(shape, dtype)) {}
  const Shape& shape() const { return grad.shape(); }
  /// Gives grad memory, uninitialised.
  void allocate() { grad.put(Buffer(static_cast<size_t>(grad.numel()) * size_of(grad.dtype()))); }
};

class BackwardSweep;
class Tape;
struct TapeStorage;
namespace detail {
extern constinit thread_local Tape* active_tape;
}

/// Sees every op as it is recorded, with the values that a tape does not keep.
class TapeWatcher {
 public:
  /// `node` is the newest of `tape`, `in` and `out` are its tensors. An output may be replaced by
  /// one of its shape and ref: whatever is computed afterwards uses that one.
  virtual void recorded(Tape& tape, const Node& node, std::span<const Tensor* const> in,
                        std::span<Tensor> out) = 0;
  /// What follows was chosen by the numbers of `x`, and no gradient goes through the choice.
  virtual void chosen(const Tensor& x, std::string_view how) { (void)x, (void)how; }

 protected:
  ~TapeWatcher() = default;
};

class Tape {
 public:
  Tape();   // becomes the active tape of this thread
  ~Tape();  // the one before is active again
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The tape that ops on this thread record on, or null.
  static Tape* active() { return detail::active_tape; }

  /// Computes the gradients of `loss` (one element) with respect to every leaf it depends on, once.
  /// Throws std::logic_error with the remedy on misuse: no tape was active when `loss` was
  /// computed, it belongs to another tape, or the tape was walked before.
  void backward(const Tensor& loss);
  /// The same for a `y` of any shape and a cotangent dL/dy of that shape.
  void backward(const Tensor& y, const Tensor& cotangent);

  /// dL/dx for a leaf, or for any tensor of this tape that `keep_grad` was called for. Throws
  /// std::logic_error that says why there is none.
  Tensor grad(const Tensor& x) const;
  /// Keeps the gradient of an intermediate tensor (called before backward); returns `x`.
  const Tensor& keep_grad(const Tensor& x);
  /// The gradients of all leaves that got one, in the order in which they were first used.
  Gradients gradients() const;

  /// Forgets everything recorded. Tensors recorded before become stale.
  void clear();

  /// Gives a recorded tensor (or a leaf used here) a name for errors, prints and traces.
  void name(const Tensor& x, std::string text);
  std::string name_of(int32_t slot) const;  // "" when it has none

  /// The tape as data.
  std::span<const Node> nodes() const;
  std::span<const Slot> slots() const;
  std::span<const int32_t> inputs(const Node& node) const;  // slots; -1 where no gradient flows

  /// From now on `watcher` is told of every op; null: nobody.
  void watch(TapeWatcher* watcher) { watcher_ = watcher; }
  TapeWatcher* watcher() const { return watcher_; }

  /// Number of nodes that this thread ever recorded.
  static uint64_t recorded();

  /// Appends a node; `record` below is the way to call it.
  void append(const OpTable& table, void* op, std::span<const Tensor* const> in,
              std::span<Tensor> out);
  /// Room for the struct of an op, or null if none of its inputs needs a gradient on this tape.
  /// Throws std::logic_error on a stale tensor.
  void* room_for(const OpInfo& info, std::span<const Tensor* const> in, size_t bytes, size_t align);

 private:
  friend class BackwardSweep;
  friend class GradFlow;
  int32_t slot_of(const Tensor& x) const;  // -1: not on this tape
  int32_t slot_for_input(const Tensor& x);

  std::unique_ptr<TapeStorage> store_;
  Tape* outer_;
  TapeWatcher* watcher_ = nullptr;
  uint32_t serial_;
  bool walked_ = false;
};

/// While alive nothing records on this thread: for evaluation in the middle of a tape.
class NoTape {
 public:
  NoTape();
  ~NoTape();
  NoTape(const NoTape&) = delete;
  NoTape& operator=(const NoTape&) = delete;

 private:
  Tape* outer_;
};

/// The same numbers without a history: the cut is explicit.
inline Tensor detach(const Tensor& x) {
  return x.with_ref({});
}

/// `x`, named on the active tape if it is on it.
Tensor named(const Tensor& x, std::string_view name);

/// The same, but only while somebody watches the tape: for layers, whose training shall not pay for
/// names that nobody reads.
inline const Tensor& noted(const Tensor& x, std::string_view name) {
  if (const Tape* tape = Tape::active(); tape && tape->watcher()) [[unlikely]]
    (void)named(x, name);
  return x;
}

/// Whether an op may write its result over an x that it was given: nobody else holds the memory,
/// and nobody watches, who would see x changed.
inline bool handed_over(const Tensor& x) {
  const Tape* tape = Tape::active();
  return x.dense() && x.buffer().unique() && !(tape && tape->watcher());
}

/// Tells whoever watches that a choice is made by the numbers of `x`: "argmax", "sample".
inline void note_choice(const Tensor& x, std::string_view how) {
  if (const Tape* tape = Tape::active(); tape && tape->watcher()) [[unlikely]]
    tape->watcher()->chosen(x, how);
}

/// One line per node: number, op, output shapes, inputs, formula, scope.
std::string to_text(const Tape& tape);

// ---- recording an op ----

namespace detail {
// Throws at the first saved tensor that is not as it was.
struct ChangedCheck final : SavedVisitor {
  const OpInfo& info;
  explicit ChangedCheck(const OpInfo& i) : info(i) {}
  void operator()(std::string_view name, const Saved& saved) override {
    require_use(!saved.changed(),
                "backward of {}: its saved tensor '{}' {} was changed in place after the forward "
                "pass; change a clone(x), or change it after backward",
                info.name, name, saved->shape());
  }
  bool looks() const override { return false; }
};

template <Op T>
inline constexpr OpTable kOpTable{
    .info = &T::info,
    .backward =
        [](void* place, GradFlow& flow) {
          T& op = *static_cast<T*>(place);
          ChangedCheck check(T::info);
          op.saved(check);
          op.backward(flow);
          op.~T();
        },
    .saved = [](const void* op, SavedVisitor& see) { static_cast<const T*>(op)->saved(see); },
    .attributes =
        [](const void* op, AttributeVisitor& see) {
          if constexpr (HasAttributes<T>) static_cast<const T*>(op)->attributes(see);
        },
    .destroy = [](void* op) { static_cast<T*>(op)->~T(); }};
extern constinit thread_local bool checking_numerics;
void check_forward(const OpInfo& info, std::span<const Tensor> out);
}  // namespace detail

/// Records the op that `make` returns, whose inputs are `in` and whose outputs are `out`, if a tape
/// is active and an input needs a gradient; the outputs then lead back to it.
template <Op T, class Make>
void record_made(Make make, std::span<Tensor> out, std::span<const Tensor* const> in) {
  if (detail::checking_numerics) [[unlikely]]
    detail::check_forward(T::info, out);
  static_assert(sizeof(T) <= 4096, "an op keeps tensors, whose memory is elsewhere");
  Tape* tape = Tape::active();
  void* place = tape ? tape->room_for(T::info, in, sizeof(T), alignof(T)) : nullptr;
  if (!place) {
    for (Tensor& y : out) y.set_ref({});
    return;
  }
  tape->append(detail::kOpTable<T>, new (place) T(make()), in, out);
}

/// The same for an op that is there; one that has a name is handed over, std::move(op).
template <Op T>
void record_all(T&& op, std::span<Tensor> out, std::span<const Tensor* const> in) {
  record_made<T>([&]() -> T&& { return std::move(op); }, out, in);
}

/// The common case of one output: `return record(Softmax{y}, y, x);`
template <Op T, class... In>
Tensor record(T&& op, Tensor&& y, const In&... in) {
  const Tensor* const inputs[] = {&in...};
  record_all(std::move(op), std::span(&y, 1), inputs);
  return std::move(y);
}
template <Op T, class... In>
Tensor record(T&& op, const Tensor& y, const In&... in) {
  return record(std::move(op), Tensor(y), in...);
}
/// The same for an op that a function makes where it stays, and an output that stays where it is:
/// moving these takes as long as making them.
template <class Make, class... In>
requires Op<std::invoke_result_t<Make>>
void record_in_place(Make make, Tensor& y, const In&... in) {
  const Tensor* const inputs[] = {&in...};
  record_made<std::invoke_result_t<Make>>(make, std::span(&y, 1), inputs);
}

/// For an op that is made of its output alone, where it stays: `return record_output<Tanh>(y, x);`
template <Op T, class... In>
Tensor record_output(Tensor y, const In&... in) {
  const Tensor* const inputs[] = {&in...};
  record_made<T>([&] { return T{Saved::output(y)}; }, std::span(&y, 1), inputs);
  return y;
}

// ---- numbers that are not numbers ----

/// Thrown by the checking mode. The text names op, scope, shape and index.
class NumericError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// While alive, the first op on this thread whose output (or whose backward's contribution) holds a
/// NaN or an infinity throws NumericError.
class CheckNumerics {
 public:
  CheckNumerics() : outer_(std::exchange(detail::checking_numerics, true)) {}
  ~CheckNumerics() { detail::checking_numerics = outer_; }
  CheckNumerics(const CheckNumerics&) = delete;
  CheckNumerics& operator=(const CheckNumerics&) = delete;

 private:
  bool outer_;
};

}  // namespace heed
