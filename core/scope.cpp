#include "core/scope.h"

#include <fmt/format.h>

#include <vector>

namespace heed {
namespace {

struct Scopes {
  std::vector<ScopeInfo> all{{"", -1, 0}};  // index = id; [0] is the root
  uint32_t current = 0;
  uint32_t pinned = 0;  // no id up to this one may be reused
};

thread_local Scopes scopes;

}  // namespace

Scope::Scope(std::string_view name, int64_t index) : outer_(scopes.current) {
  scopes.all.push_back({name, index, outer_});
  scopes.current = static_cast<uint32_t>(scopes.all.size() - 1);
}

Scope::~Scope() {
  // Without anybody referring to it a closed scope leaves no trace: evaluation does not grow
  // memory.
  if (scopes.current > scopes.pinned && scopes.current + 1 == scopes.all.size())
    scopes.all.pop_back();
  scopes.current = outer_;
}

InScope::InScope(uint32_t id) : outer_(scopes.current) {
  scopes.current = id;
}
InScope::~InScope() {
  scopes.current = outer_;
}

uint32_t current_scope() {
  return scopes.current;
}

uint32_t pin_scope() {
  if (scopes.current > scopes.pinned) scopes.pinned = scopes.current;
  return scopes.current;
}

ScopeInfo scope_info(uint32_t id) {
  return id < scopes.all.size() ? scopes.all[id] : ScopeInfo{"?", -1, 0};
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
  scopes.all.resize(scopes.current + 1);
  scopes.pinned = 0;
}

}  // namespace heed
