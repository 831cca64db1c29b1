#include "core/scope.h"

#include <fmt/format.h>

#include <vector>

namespace heed {
namespace {

thread_local std::vector<ScopeInfo> all{{"", -1, 0}};  // index = id; [0] is the root
// Apart from the list, which has to be constructed: these are asked for with every op.
constinit thread_local uint32_t current = 0;
constinit thread_local uint32_t pinned = 0;  // no id up to this one may be reused

}  // namespace

Scope::Scope(std::string_view name, int64_t index) : outer_(current) {
  all.push_back({name, index, outer_});
  current = static_cast<uint32_t>(all.size() - 1);
}

Scope::~Scope() {
  // Without anybody referring to it a closed scope leaves no trace: evaluation does not grow
  // memory.
  if (current > pinned && current + 1 == all.size()) all.pop_back();
  current = outer_;
}

InScope::InScope(uint32_t id) : outer_(current) {
  current = id;
}
InScope::~InScope() {
  current = outer_;
}

uint32_t current_scope() {
  return current;
}

uint32_t pin_scope() {
  if (current > pinned) pinned = current;
  return current;
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
  all.resize(current + 1);
  pinned = 0;
}

}  // namespace heed
