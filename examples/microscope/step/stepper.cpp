// Moving along the events.
#include "examples/microscope/step/stepper.h"

#include <algorithm>

namespace heed::microscope::stepper {

Stepper stepper_of(Trace trace) {
  Stepper s;
  show_run(s, std::move(trace));
  return s;
}

namespace {

// What stays is the op and the pass; where a gradient did not come this time, its forward step.
void stay_at(Stepper& s, bool any, const Event& event) {
  s.revealed.clear();
  if (!any) return;
  s.at = s.line().position_of(event.op, event.backward);
  if (s.at == 0) s.at = s.line().position_of(event.op, false);
}

Event here(const Stepper& s) {
  return s.runs.empty() || s.at == 0 ? Event{false, 0} : s.line().event(s.at);
}

}  // namespace

void show_run(Stepper& s, Trace trace) {
  const Event event = here(s);
  s.runs.push_back(std::make_shared<StepRun>(StepRun{Timeline(std::move(trace))}));
  stay_at(s, s.at > 0, event);
}

void undo_run(Stepper& s) {
  const Event event = here(s);
  s.runs.pop_back();
  stay_at(s, s.at > 0, event);
}

Session& Stepper::session() const {
  StepRun& run = *runs.back();
  if (!run.session) run.session = std::make_unique<Session>(run.line.trace());
  return *run.session;
}

int folded_at(const Stepper& s, int position) {
  const Timeline& line = s.line();
  if (position < 1) return -1;
  int scope = line.op(line.event(position).op).scope, found = -1;
  for (;;) {
    if (s.folded.contains(scope)) found = scope;
    if (scope == 0) return found;
    scope = line.trace().scopes[static_cast<size_t>(scope)].parent;
  }
}

namespace {

bool same_unit(const Stepper& s, int a, int b, int folded) {
  return s.line().event(a).backward == s.line().event(b).backward && folded_at(s, b) == folded;
}

// Events of one scope and one pass in a row.
bool same_run(const Timeline& line, int a, int b) {
  return line.event(a).backward == line.event(b).backward &&
         line.op(line.event(a).op).scope == line.op(line.event(b).op).scope;
}

}  // namespace

int unit_begin(const Stepper& s, int position) {
  const int folded = folded_at(s, position);
  if (folded >= 0)
    while (position > 1 && same_unit(s, position, position - 1, folded)) --position;
  return position;
}

int unit_end(const Stepper& s, int position) {
  const int folded = folded_at(s, position);
  if (folded >= 0)
    while (position < s.line().length() && same_unit(s, position, position + 1, folded)) ++position;
  return position;
}

int next_step(const Stepper& s) {
  if (s.at == s.line().length()) return s.at;
  // A scope may have been folded around the current position.
  const int here = s.at > 0 ? unit_end(s, s.at) : 0;
  return here > s.at ? here : unit_end(s, s.at + 1);
}

int previous_step(const Stepper& s) {
  return s.at == 0 ? 0 : unit_begin(s, s.at) - 1;
}

int next_scope(const Stepper& s) {
  const Timeline& line = s.line();
  int at = s.at + 1;
  while (at > 1 && at <= line.length() && same_run(line, at - 1, at)) ++at;
  return unit_end(s, std::min(at, line.length()));
}

int previous_scope(const Stepper& s) {
  const Timeline& line = s.line();
  int at = s.at - 1;
  if (at < 1) return 0;
  while (at > 1 && same_run(line, at - 1, at)) --at;
  return unit_begin(s, at);
}

}  // namespace heed::microscope::stepper
