// The walk back over a tape, seen from an op (GradFlow) and from whoever walks (BackwardSweep).
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include "autograd/tape.h"

namespace heed {

/// What an op's backward sees: the cotangents of its outputs, and places to add to.
class GradFlow {
 public:
  /// dL/dy of output k, strided as any tensor may be; zeros where nothing arrived (see `has_dy`).
  const Tensor& dy(int k = 0) { return has_dy(k) ? output(k).grad : zeros(k); }
  bool has_dy(int k) const { return output(k).grad.defined(); }
  /// Room for the dL/dx of an op with one output, of its shape and dense: `dy()` itself where
  /// nobody else holds its memory, otherwise new. Element i of dy is gone once element i of this is
  /// written, and all of it once this is handed over to `add`.
  Tensor& over_dy();
  /// Whether anybody wants dL/dx of input i.
  bool wants(int i) const { return in_[i] >= 0; }
  /// The shape of input i, where it is wanted.
  const Shape& shape(int i) const { return input(i).shape(); }
  /// Whether dL/dx of input i is there to be added to. Where not, writing to `first_dx`, or `add`
  /// of a new tensor, costs less than adding to the zeros of `dx`.
  bool has_dx(int i) const { return separate_ || input(i).grad.defined(); }
  /// The tensor for dL/dx of input i, dense, of the input's shape: ADD to it.
  Tensor& dx(int i);
  /// The same where `has_dx` says no: uninitialised, WRITE all of it.
  Tensor& first_dx(int i);
  /// Adds `t` to dL/dx of input i. `t` may have the shape the input was broadcast to: the sum over
  /// the stretched axes is taken here, for every op alike.
  void add(int i, const Tensor& t);
  /// The same; the memory of `t` is handed over where it can stand for the gradient.
  void add(int i, Tensor&& t);
  /// Adds dy() of an op with one output to dL/dx of these inputs, the last thing that is done with
  /// it: its memory is handed over to the last of them that wants it.
  void pass_dy(std::initializer_list<int> inputs);
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
  Slot& input(int i) const { return slots_[in_[i]]; }
  Slot& output(int k) const { return slots_[out_ + k]; }
  const Tensor& zeros(int k);
  class BackwardSweep* sweep_ = nullptr;
  Slot* slots_ = nullptr;        // of the tape
  const int32_t* in_ = nullptr;  // the slots of the node's inputs, -1 where no gradient flows
  int32_t out_ = 0;              // the slot of its first output
  bool separate_ = false;        // BackwardSweep::Options
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
  Slot& slot(int32_t number) const;
  Tensor& writable_grad(Slot& s);
  void add_products(Slot& s);
  void add_product(Slot& s, const Tensor& a, const Tensor& b);
  inline void run(Node& node);
  inline void finish(const Node& node);
  void settle();
  void forget_aside();
  void check_backward(const Node& node);

  Tape& tape_;
  Options options_;
  int64_t at_;
  const Node* node_ = nullptr;
  GradFlow flow_;
  // Of node_: what it adds to its inputs, with `separate`; zeros for outputs that no gradient has
  // reached; room for `over_dy`.
  Tensors dx_, zeros_;
  Tensor room_;
  bool aside_ = false;  // some of these are in use; contributions are there only with dx_
  List<Contribution> contributions_;
  List<Product> products_;
};

}  // namespace heed
