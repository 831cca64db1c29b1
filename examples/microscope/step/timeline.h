// A trace as a list of events, and what is known after the first k of them. Stepping back is the
// same question with a smaller k, so nothing is kept and nothing has to be undone. It prints
// nothing.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope::stepper {

/// One step of the forward or of the backward pass.
struct Event {
  bool backward;
  int op;
};

/// What is known of a gradient. Only `done` and `partly` have numbers; the others say why not.
enum class Known { done, partly, not_yet, not_reached, cut, no_grad };

struct GradientAt {
  Known known;
  Numbers sum{};       // done: as stored; partly: what has arrived, added in the recorded order
  size_t arrived = 0;  // contributions, of `all`
  size_t all = 0;
};

/// Positions run from 0 (nothing has happened) to `length()`; after k events `event(k)` was the
/// last. Tensors, ops and scopes are indices into the trace, which must be free of faults.
class Timeline {
 public:
  explicit Timeline(Trace trace);

  const Trace& trace() const { return trace_; }
  int length() const { return static_cast<int>(events_.size()); }
  int forward() const { return static_cast<int>(trace_.ops.size()); }  // events of this pass
  int backward() const { return length() - forward(); }
  const Event& event(int position) const { return events_.at(static_cast<size_t>(position) - 1); }
  /// The position after an op's forward or backward; 0 where it has none.
  int position_of(int op, bool backward) const;

  const TraceTensor& tensor(int i) const { return trace_.tensors.at(static_cast<size_t>(i)); }
  const TraceOp& op(int i) const { return trace_.ops.at(static_cast<size_t>(i)); }
  const TraceContribution& contribution(int i) const {
    return trace_.contribs.at(static_cast<size_t>(i));
  }
  /// The contributions to a tensor's gradient, in the order in which they are added.
  const std::vector<int>& ledger(int tensor) const {
    return ledgers_.at(static_cast<size_t>(tensor));
  }
  /// The contributions that an op sends.
  std::vector<int> sent_by(int op) const;
  const std::vector<int>& users(int tensor) const { return users_.at(static_cast<size_t>(tensor)); }
  const TraceFormula& formula(int op) const;

  bool has_value(int tensor, int position) const;
  GradientAt gradient(int tensor, int position) const;
  /// The position at which the last contribution to a tensor arrives; for the tensor that was
  /// differentiated at least the first backward step; 0 where it gets no gradient.
  int completed(int tensor) const;

  /// "decoder/step[3]/attention"; "" for the root.
  const std::string& path(int scope) const { return paths_.at(static_cast<size_t>(scope)); }
  bool within(int scope, int ancestor) const;
  /// A tensor's name or "#12", fit for a screen.
  std::string label(int tensor) const;
  /// "a = softmax(e)".
  std::string call(int op) const;

 private:
  Trace trace_;
  std::vector<Event> events_;
  std::vector<std::vector<int>> ledgers_, users_;
  std::vector<std::string> paths_;
};

}  // namespace heed::microscope::stepper
