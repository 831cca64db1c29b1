// A forward and a backward pass kept as data: every op with its values, every contribution to every
// gradient, and why a tensor has no gradient. It watches the tape and walks it with the same
// BackwardSweep as a plain backward; ops know nothing of it. Not here: files, formulas'
// typesetting, pictures (examples/microscope).
//
//     Tape tape;
//     Recording recording(tape);                     // before the first op
//     Tensor loss = model.loss(batch);               // named(x, "e") names what is to be found
//     const Recorded& r = recording.backward(loss);  // in place of tape.backward(loss)
//     tape.grad(w);                                  // as after any backward
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/backward.h"

namespace heed {

/// Why there is a gradient, or none. A gradient of 0 that was computed is `done`.
enum class GradState {
  done,
  not_reached,  // nothing that was differentiated depends on it
  cut,          // only through a place where the gradient ends; RecordedTensor::cut says how
  no_grad       // a constant
};

/// What a tensor is in the run.
enum class TensorRole {
  param,     // a leaf
  input,     // a leaf that Recording::input named
  constant,  // without a gradient
  inter,     // computed
  output,    // what was differentiated
  saved      // kept by an op for its backward, and none of the others
};

/// Indices (int) count within the vectors of Recorded; -1 is none.
struct RecordedTensor {
  std::string name;  // "" when it has none
  int scope = 0;
  TensorRole role = TensorRole::inter;
  int producer = -1;  // op
  Tensor value;       // memory of its own after backward
  Tensor grad;        // undefined unless `state` is done
  GradState state = GradState::no_grad;
  std::string ends;        // how its value goes on without a gradient: "detach", "argmax"; or ""
  std::string cut;         // where `state` is cut: how
  int detached_from = -1;  // the tensor that this constant is the detached value of
};

struct RecordedSaved {
  std::string_view name;  // the op's own name for it
  int tensor;
};

struct RecordedAttribute {
  std::string name;
  Attribute value;
};

/// One op; its index is its place in the forward order.
struct RecordedOp {
  const OpInfo* info;
  int scope;
  std::vector<int> in;  // tensors; -1 for an input that was left out
  std::vector<int> out;
  std::vector<RecordedSaved> saved;
  std::vector<RecordedAttribute> attributes;
  int step = -1;  // its place in the backward order
};

/// What one op's backward added to the gradient of one input. The sum of a tensor's contributions
/// in this order (after the seed, if it is the one differentiated) is its gradient, to the bit.
struct RecordedContribution {
  int op;
  int input;  // of the op
  int tensor;
  Tensor value;
};

struct RecordedScope {
  std::string name;
  int64_t index;  // -1: none
  int parent;     // the root, scope 0, is its own
};

struct Recorded {
  std::vector<RecordedScope> scopes;
  std::vector<RecordedTensor> tensors;
  std::vector<RecordedOp> ops;                      // in forward order
  std::vector<RecordedContribution> contributions;  // in backward order
  int differentiated = -1;                          // tensor
  Tensor seed;                                      // its cotangent

  /// The tensor of this name; the last one where several have it; -1 if none.
  int find(std::string_view name) const;
};

/// Records what is computed under `tape` while it is alive. Throws std::logic_error when the tape
/// has ops already, or was cleared since. The tape outlives it.
class Recording final : public TapeWatcher {
 public:
  explicit Recording(Tape& tape);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// This leaf is data, not a parameter.
  void input(const Tensor& x);
  /// A choice made from `x` leaves no gradient to it: "argmax", "sample", "index". (A value that
  /// goes on as detach(x) is noticed without this, and so is a layer's note_choice.)
  void cut(const Tensor& x, std::string_view how);

  /// Tape::backward, recorded. Throws what that throws.
  const Recorded& backward(const Tensor& loss);
  const Recorded& backward(const Tensor& y, const Tensor& cotangent);

 private:
  void recorded(Tape& tape, const Node& node, std::span<const Tensor* const> in,
                std::span<Tensor> out) override;
  void chosen(const Tensor& x, std::string_view how) override { cut(x, how); }
  int add(const Tensor& value, TensorRole role, int32_t slot);
  int tensor_of_slot(const Tensor& x);
  int constant(const Tensor& x);
  int saved(const Tensor& x);
  int same_memory(const Tensor& x, bool constants_only) const;
  int scope_of(uint32_t id);
  void finish(const Tensor& y, const Tensor& cotangent);
  void explain_missing();

  Tape& tape_;
  Recorded all_;
  std::vector<int> of_slot_;                          // tape's slot -> tensor, -1: not seen
  std::vector<int32_t> slots_;                        // tensor -> slot, -1: a constant
  std::unordered_map<uint32_t, int> scopes_;          // thread's scope -> scope
  std::unordered_multimap<const void*, int> memory_;  // first byte -> tensors
};

}  // namespace heed
