#include "core/scope.h"

#include <fmt/format.h>

#include <vector>

namespace heed {

namespace detail {
constinit thread_local uint32_t open_scope = 0;
constinit thread_local uint32_t pinned_scope = 0;
}  // namespace detail
using detail::pinned_scope, detail::open_scope;

namespace {
thread_local std::vector<ScopeInfo> all{{"", -1, 0}};  // index = id; [0] is the root
}

Scope::Scope(std::string_view name, int64_t index) : outer_(open_scope) {
  all.push_back({name, index, outer_});
  open_scope = static_cast<uint32_t>(all.size() - 1);
}

Scope::~Scope() {
  // Without anybody referring to it a closed scope leaves no trace: evaluation does not grow
  // memory.
  if (open_scope > pinned_scope && open_scope + 1 == all.size()) all.pop_back();
  open_scope = outer_;
}

ScopeInfo scope_info(uint32_t id) {
  return id < all.size() ? all[id] : ScopeInfo{"?", -1, 0};
}

std::string scope_path(uint32_t id) {
  if (id == 0) return "";
  const ScopeInfo s = scope_info(id);
  std::string path = s.parent == 0 ? "" : scope_path(s.parent) + "/";
  path += s.name;
  if (s.index >= 0) path += fmt::format("[{}]", s.index);
  return path;
}

void forget_scopes() {
  // Open scopes are the chain from the current one to the root, which is the newest of them.
  all.resize(open_scope + 1);
  pinned_scope = 0;
}

}  // namespace heed
