// A trace computed again from its own numbers: every op runs once more, in its order, as the
// library's own op. So a number can be changed and all that follows from it seen, a Jacobian taken
// from the op's own backward, a route through the graph closed. What was drawn (dropout's mask) or
// chosen (ids, the places kept by a mask) stays as it was. Needs no model and no recipe: traces of
// anybody's model will do, as long as their ops are heed's. It reads and writes no file.
//
//     Session session(load_trace("t.json"));
//     session.set(trace.find("e"), 1, 0.75);   // the second score is 0.75 from here on
//     Trace changed = session.trace();         // the same ids, other numbers
//     Numbers row = session.jacobian_row(op, 0, 1);
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {

/// Number `index` (row-major) of a tensor is `value`, whatever it is computed from.
struct Setting {
  int tensor;
  size_t index;
  double value;
  bool operator==(const Setting&) const = default;
};

/// "W[0,1]=0.3", "e[2]=1.5", "#12[0]=1", "beta=4" (one number only). Throws std::invalid_argument
/// that says what was expected: the tensor's name, its shape.
Setting setting_of(const Trace& trace, const std::string& text);
std::string text_of(const Trace& trace, const Setting& setting);
/// A place in a tensor: "[0,2]" for row-major number 2 of a [1, 3].
std::string place_of(const TraceTensor& tensor, size_t index);

/// What op `op` sends to its input `slot`. `keep`: of this only the numbers whose place holds 1
/// pass; empty: none.
struct Edge {
  int op, slot;
  std::vector<uint8_t> keep{};
  bool operator==(const Edge&) const = default;
};

class Session {
 public:
  /// Throws std::invalid_argument for a trace with an op that is not heed's, or with samples of its
  /// tensors. A trace that was made
  /// with settings (`run.set`) begins with them. `dtype`: compute in this in place of the trace's.
  explicit Session(Trace trace, std::optional<DType> dtype = {});

  /// The trace as it was given.
  const Trace& original() const { return trace_; }
  /// Whether computing it again gives every value of the trace to the bit; else the first tensor
  /// that differs. Only meaningful without settings of one's own.
  std::optional<int> first_difference() const;

  /// Sets a number and computes what follows from it. Throws std::invalid_argument for a place that
  /// is not there, a number that is no id where ids are, and for tensors that are only saved.
  void set(const Setting& setting);
  /// Takes the last setting back; false when there is none.
  bool undo();
  const std::vector<Setting>& settings() const { return settings_; }

  /// What every tensor is now, by its number in the trace.
  const Tensor& value(int tensor) const { return values_[static_cast<size_t>(tensor)]; }
  /// sum(seed * y): the number whose gradient the trace holds.
  double outcome() const;
  /// The same with `by` added to a tensor; only what depends on it is computed. `hold_detached`:
  /// detached values stay what they were, as backward takes them to do.
  double outcome_with(int tensor, const Numbers& by, bool hold_detached = false) const;
  Tensors values_with(int tensor, const Numbers& by, bool hold_detached = false) const;

  /// From now on sum(cotangent * tensor) is what is differentiated. Throws std::invalid_argument
  /// for a tensor that is not computed and a cotangent of another size.
  void differentiate(int tensor, const Numbers& cotangent);
  /// Forward and backward as they are now, with the ids of the original.
  Trace trace() const;
  /// dL/dx of every tensor when what these edges carry is not passed on. Empty: none arrived.
  std::vector<Numbers> gradients_without(const std::vector<Edge>& closed) const;

  /// dy[row] / dx of one op: `output` k of it by its input `slot`, from the op's own backward with
  /// the cotangent that is 1 at `row`. As long as x. Zeros where the op passes nothing on. Throws
  /// std::invalid_argument where no gradient can flow (a slot that was left out, ids).
  Numbers jacobian_row(int op, int slot, size_t row, int output = 0) const;
  /// dy / dx[column], as long as y: as many backward passes as y has numbers.
  Numbers jacobian_column(int op, int slot, size_t column, int output = 0) const;
  /// All of it, [y's numbers, x's numbers] row-major.
  Numbers jacobian(int op, int slot, int output = 0) const;
  /// J^T dy of one op for any cotangent of one output: what it would send to that input.
  Numbers pulled_back(int op, int slot, const Numbers& cotangent, int output = 0) const;

 private:
  struct Walked;
  void put(Tensors& values, int tensor, Tensor x) const;
  void put_outputs(Tensors& values, int op) const;
  Tensors computed() const;
  double outcome_of(const Tensors& values) const;
  Walked walk_back(const std::vector<Edge>& closed) const;

  Trace trace_;
  DType dtype_;
  std::vector<std::vector<int>> followers_;  // of a tensor: the constants detached from it
  Tensors values_;
  std::vector<Setting> settings_;
  size_t given_ = 0;  // settings that the trace came with
};

}  // namespace heed::microscope
