// The state of a stepper: the trace, a position in it, and what was asked to be watched, folded or
// hidden. What the screen shows is a function of this and of nothing else.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "examples/microscope/session.h"
#include "examples/microscope/step/language.h"
#include "examples/microscope/step/timeline.h"

namespace heed::microscope::stepper {

/// A trace, and the means to compute it again once somebody asks for that.
struct StepRun {
  Timeline line;
  std::unique_ptr<Session> session{};
};

struct Stepper {
  std::vector<std::shared_ptr<StepRun>> runs;  // the last is shown; `undo` drops it
  int at = 0;                                  // position in it
  Lang lang = Lang::en;
  int digits = 6;
  std::vector<std::string> breaks, watches;
  std::set<int> folded;  // scopes
  std::string head = "all";
  bool predicting = false;
  std::set<int> revealed;  // positions whose gradients may be seen all the same
  bool quit = false;
  bool failed = false;  // a numeric check did not pass

  const Timeline& line() const { return runs.back()->line; }
  /// Throws std::invalid_argument where the trace holds an op that cannot be computed again.
  Session& session() const;
  std::string pick(std::string en, std::string zh) const {
    return stepper::pick(lang, std::move(en), std::move(zh));
  }
};

Stepper stepper_of(Trace trace);
/// Shows another run of the same ops from here on; the position stays.
void show_run(Stepper& s, Trace trace);
/// Back to the run before.
void undo_run(Stepper& s);

// ---- moving ----

/// The folded scope, if any, that an event lies in: the outermost one; -1: none.
int folded_at(const Stepper& s, int position);
/// The events shown as one step with this one: those of its folded scope beside it, or itself.
int unit_begin(const Stepper& s, int position);
int unit_end(const Stepper& s, int position);
/// The positions that n, p, N and P lead to; the current one at the ends.
int next_step(const Stepper& s);
int previous_step(const Stepper& s);
int next_scope(const Stepper& s);
int previous_scope(const Stepper& s);

// ---- nodes ----

/// A tensor, or a part of it.
struct Node {
  int tensor;
  std::vector<int64_t> index{};  // as typed
  size_t first = 0, count = 0;   // which of its numbers
};

/// What "e", "#12", "dec.t2.e", "H[1]" or "e[0,2]" means here: a tensor of the current step if one
/// of them is called so, else the last of that name. Scopes before the name may be shortened, "t2"
/// is any scope with the index 2, "." and "/" are the same. Throws std::invalid_argument with the
/// names that are near.
Node node_of(const Stepper& s, const std::string& text);

/// The scope that a path leads to, shortened as above; -1: none.
int scope_of(const Timeline& line, const std::string& text);

/// Names near `text`, best first: those that it begins, and those with few letters changed.
std::vector<std::string> near(const std::string& text, const std::vector<std::string>& names,
                              size_t most = 4);

// ---- breakpoints ----

/// Throws std::invalid_argument where it is no breakpoint: a tensor, an op, a scope, nan, zero,
/// sat, t=3.
void check_breakpoint(const Stepper& s, const std::string& text);
bool stops_at(const Stepper& s, const std::string& breakpoint, int position);

}  // namespace heed::microscope::stepper
