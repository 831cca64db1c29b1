// A thread-local stack of names, so that an error, a trace or a NaN report can say *where*:
// "decoder/step[3]/attention". It is no profiler and no registry of modules.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace heed {

/// Names the work done while it is alive. Scopes nest; names must outlive the program (literals).
///
///     Scope s("step", t);   // .../step[t]
class Scope {
 public:
  explicit Scope(std::string_view name, int64_t index = -1);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  uint32_t outer_;
};

namespace detail {
// Asked for with every op, so they need no construction and no call.
extern constinit thread_local uint32_t open_scope;
extern constinit thread_local uint32_t pinned_scope;  // no id up to this one may be reused
}  // namespace detail

/// While alive, the current scope is the one with this id: a backward pass speaks of the place
/// where its op ran forward.
class InScope {
 public:
  explicit InScope(uint32_t id) : outer_(std::exchange(detail::open_scope, id)) {}
  ~InScope() { detail::open_scope = outer_; }
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;

 private:
  uint32_t outer_;
};

/// Id of the innermost scope on this thread; 0 is the root. Valid while the scope is open.
inline uint32_t current_scope() {
  return detail::open_scope;
}

/// The same, kept valid after the scope has closed, until `forget_scopes`.
inline uint32_t pin_scope() {
  if (detail::open_scope > detail::pinned_scope) detail::pinned_scope = detail::open_scope;
  return detail::open_scope;
}

/// The path of a scope of this thread, "" for the root. Joined only when asked.
std::string scope_path(uint32_t id);

/// Drops the closed scopes of this thread; a tape calls this when nothing refers to them any more.
void forget_scopes();

/// One scope of this thread as data, for whoever draws the tree.
struct ScopeInfo {
  std::string_view name;
  int64_t index;    // -1: none
  uint32_t parent;  // 0: the root
};
ScopeInfo scope_info(uint32_t id);

}  // namespace heed
