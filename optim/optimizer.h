// What every optimiser shares: the list of parameters, which of them have a gradient, and state
// that can be saved. The formulas are in sgd.h, adam.h and rmsprop.h. No parameter groups: two
// optimisers over two lists do that. No closures: clip (clip.h) and set the rate (schedule.h)
// between backward and step.
//
//     Adam optimizer(parameters, {.rate = 1e-3});
//     ...
//     tape.backward(loss);
//     Gradients gradients = tape.gradients();
//     clip_global_norm(gradients, 1.0);
//     optimizer.step(gradients);
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/tape.h"
#include "core/safetensors.h"

namespace heed {

/// Updates parameters in place from their gradients. One instance per list of parameters; f32 and
/// f64 may be mixed in the list, and the state of each is kept in its dtype. Two options are common
/// to all:
///   frozen    names of parameters that are never updated, whether a gradient arrives or not
///   all_used  whether the first step insists on a gradient for every other parameter (true); for
///             models that use a part of themselves only in some steps, say false
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// The learning rate of the next step. A schedule sets it before each step.
  double rate;

  /// One update of every parameter that has a gradient. A parameter without one keeps its value,
  /// its state and its own count of updates (as in PyTorch, where its `grad` is None); gradients of
  /// leaves that are not in the list are passed over.
  ///
  /// Throws, before anything is changed: std::logic_error in the first step, with the name of every
  /// parameter that got no gradient (see all_used); std::invalid_argument for a gradient whose
  /// shape or dtype is not its parameter's, and for a rate that is negative or not finite.
  /// `each` may share the work out to threads (Shards::each); the result does not depend on it.
  void step(const Gradients& gradients, const ForEach& each = one_by_one);
  void step(const Tape& tape) { step(tape.gradients()); }

  /// How many steps were taken: what a schedule is asked with.
  int64_t steps() const { return steps_; }
  /// "sgd", "adam", "adamw" or "rmsprop".
  const std::string& name() const { return name_; }

  /// Everything that the next steps depend on besides the weights, as copies: with `adam` for the
  /// name, "adam.step" (i64), "adam.rate" (f64), and for every parameter w "adam.step.w" (i64, its
  /// own updates), "adam.m.w" and "adam.v.w"; for a table of which rows were told apart also
  /// "adam.seen.w" (i64, one per row). Saved with the weights and loaded again, training
  /// goes on bit for bit as if it had not stopped.
  std::vector<NamedTensor> state() const;
  /// Puts such a state back. Entries that do not begin with "<name>." are not looked at, so that
  /// one file may hold the weights too. Throws std::invalid_argument that lists every missing,
  /// unknown and misshaped entry at once, before anything is changed.
  void load_state(std::span<const NamedTensor> state);

 protected:
  /// One parameter, as `update` sees it.
  struct Item {
    NamedParameter parameter;
    Tensors slots;        // like the parameter, in the order of the constructor's names
    int64_t updates = 0;  // of this parameter, the running one included
    Tensor seen{};        // i64 [V], of a table: the update in which each row last had a gradient.
                          // Undefined: updates never told rows apart
  };
  /// Elements [begin, end) of a parameter.
  struct Range {
    int64_t begin, end;
  };
  /// Whether the pieces of this step are updated by several threads.
  bool several_threads_ = false;
  /// Appends what an update has to do: all elements, unless an optimiser knows better; ranges that
  /// ascend and do not overlap. Called once before the pieces of these ranges are updated.
  /// `gradient` is dense and has the shape and dtype of the parameter.
  virtual void begin_update(Item& item, const Gradients::Entry& gradient,
                            std::vector<Range>& ranges);
  /// `slots` are the names of the tensors kept per parameter; they begin as zeros. Throws
  /// std::invalid_argument for an empty list, a value that is not a dense leaf, a name or a leaf
  /// that comes twice, a `frozen` name that is not in the list, and a bad rate.
  Optimizer(std::string name, const Parameters& parameters, double initial_rate,
            const std::vector<std::string>& frozen, bool all_used, std::vector<std::string> slots);

 private:
  /// The formula, for a piece. Pieces of one update may run at the same time.
  virtual void update(Item& item, const Tensor& gradient, Range range) = 0;

  void check_parameters(const Parameters& parameters, const std::vector<std::string>& frozen) const;
  void check_gradients(const Gradients& gradients) const;

  struct Job {  // of one entry of the gradients; without an item: nothing to do
    Item* item = nullptr;
    Tensor gradient{};
    std::vector<Range> ranges{};
  };

  std::string name_;
  std::vector<std::string> slot_names_;
  std::vector<Item> items_;
  bool all_used_;
  int64_t steps_ = 0;
  std::vector<Job> jobs_;  // of a step; kept, so that the next step allocates none
};

namespace detail {
/// Throws std::invalid_argument "name: expected option ..., got ..." unless value is in [0, below).
void require_option(std::string_view name, std::string_view option, double value,
                    double below = std::numeric_limits<double>::infinity());
}  // namespace detail

}  // namespace heed
