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
#include <functional>
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
  Shape shape;
  Buffer grad;        // empty until a contribution arrives; of `shape`, dense unless `strided`
  Buffer rows{};      // a byte per row of grad: 0 where all of it is 0; empty: any row may be used
  int32_t leaf = -1;  // the leaf's number, or -1
  DType dtype = f32;
  bool keep = false;      // grad stays after it was passed on
  bool shared = false;    // grad may be another tensor's memory: copy before adding to it
  bool strided = false;   // grad, which is shared, has its axes in another order; not where `keep`
  int32_t products = -1;  // products still to be added to grad: the list's last one, or -1
  Strides strides{};      // of grad, where `strided`
};

class Tape;
struct TapeStorage;

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
  static Tape* active();

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

/// The common case of one output: `return record(Softmax{y}, y, x);` An output that is handed over,
/// std::move(y), is still whole when the op before it is made.
template <Op T, class... In>
Tensor record(T&& op, Tensor&& y, const In&... in) {
  const Tensor* const inputs[] = {&in...};
  Tensor out(std::move(y));
  record_all(std::move(op), std::span(&out, 1), inputs);
  return out;
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
  record_made<T>([&] { return T{y}; }, std::span(&y, 1), inputs);
  return y;
}

// ---- walking back ----

/// What an op's backward sees: the cotangents of its outputs, and places to add to.
class GradFlow {
 public:
  /// dL/dy of output k, strided as any tensor may be; zeros where nothing arrived (see `has_dy`).
  const Tensor& dy(int k = 0);
  bool has_dy(int k) const;
  /// Room for the dL/dx of an op with one output, of its shape and dense: `dy()` itself where
  /// nobody else holds its memory, otherwise new. Element i of dy is gone once element i of this is
  /// written, and all of it once this is handed over to `add`.
  Tensor& over_dy();
  /// Whether anybody wants dL/dx of input i.
  bool wants(int i) const;
  /// The shape of input i, where it is wanted.
  const Shape& shape(int i) const;
  /// Whether something was added to dL/dx of input i before. Where nothing was, `add` of a new
  /// tensor costs less than adding to the zeros of `dx`.
  bool has_dx(int i) const;
  /// The buffer for dL/dx of input i, dense, of the input's shape: ADD to it.
  Tensor& dx(int i);
  /// Adds `t` to dL/dx of input i. `t` may have the shape the input was broadcast to: the sum over
  /// the stretched axes is taken here, for every op alike.
  void add(int i, const Tensor& t);
  /// The same; the memory of `t` is handed over where it can stand for the gradient.
  void add(int i, Tensor&& t);
  /// Adds row k of y [..., E] to row ids[k] of dL/dx of input i [V, E]. While nothing else is added
  /// the tape remembers which rows are used (Gradients::Entry::rows).
  void add_rows(int i, const Tensor& ids, const Tensor& y);
  /// Adds a^T b, summed over all rows of a [..., m] and b [..., n], to dL/dx of input i [m, n]: the
  /// gradient of a weight. Where a weight is used step by step the few rows of each step are
  /// gathered and multiplied at once, before anybody reads the gradient; do not change a or b.
  void add_product(int i, const Tensor& a, const Tensor& b);
  /// The gradients of an affine map y = x w^T + b: dw += dy^T x by `add_product` and db += the sum
  /// over the rows of dy, for dy [..., m], x [..., n], w [m, n], b [m].
  void add_affine(int weight, int bias, const Tensor& dy, const Tensor& x);

 private:
  friend class BackwardSweep;
  class BackwardSweep* sweep_ = nullptr;
};

/// Backward as an iterator: `next()` runs the backward of one node. Everything that looks at a
/// backward pass (plain backward, the checking mode, recorders) is a caller of this class.
class BackwardSweep {
 public:
  struct Options {
    bool separate = false;  // keep each contribution by itself (`contributions`)
    // With `separate`: sees each contribution before it is added, may change it, and says whether
    // it is added at all.
    std::function<bool(int64_t node, int input, Tensor& value)> pass{};
  };
  struct Contribution {
    int input;  // of the node
    int32_t slot;
    Tensor value;
  };
  BackwardSweep(Tape& tape, const Tensor& y, const Tensor& cotangent)
      : BackwardSweep(tape, y, cotangent, Options{}) {}
  BackwardSweep(Tape& tape, const Tensor& y, const Tensor& cotangent, Options options);
  /// Runs the next node that a gradient has reached; false when there is none left, and then the
  /// gradients of the leaves are complete.
  bool next();
  /// The node that `next` ran.
  int64_t node() const { return at_; }
  /// What it contributed, in the order in which it was added (only with `separate`).
  std::span<const Contribution> contributions() const { return contributions_; }

 private:
  friend class GradFlow;
  // One use of a weight whose gradient a^T b waits for others of the same slot.
  struct Product {
    Tensor a, b;
    int64_t rows;      // of this one and all before it
    int32_t previous;  // of the same slot, or -1
  };
  Tensor grad_of(int32_t slot) const;
  Tensor writable_grad(int32_t slot);
  void add_products(int32_t slot);
  void add_product(int32_t slot, const Tensor& a, const Tensor& b);
  inline void run(Node& node);
  inline void finish(const Node& node);
  void check_backward(const Node& node);

  Tape& tape_;
  Options options_;
  int64_t at_;
  const Node* node_ = nullptr;
  std::span<const int32_t> in_;
  GradFlow flow_;
  Tensors dx_, dy_;        // one for every input and output that a node may have
  bool asked_dx_ = false;  // some of dx_ are in use
  Tensor room_;            // for `over_dy` of node_
  List<Contribution> contributions_;
  List<Product> products_;
};

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
