#include "examples/microscope/views.h"

#include <algorithm>

namespace heed::microscope {
namespace {

const TraceScope& scope_at(const Trace& t, int id) {
  return t.scopes[static_cast<size_t>(id)];
}

// The index of the innermost scope of this name around `scope`; -1 if there is none.
int64_t index_of(const Trace& t, int scope, const std::string& name) {
  for (; scope != 0; scope = scope_at(t, scope).parent)
    if (scope_at(t, scope).name == name) return scope_at(t, scope).index;
  return -1;
}

bool within(const Trace& t, int scope, const std::string& name) {
  for (; scope != 0; scope = scope_at(t, scope).parent)
    if (scope_at(t, scope).name == name) return true;
  return false;
}

// The last tensor of this name that was made in this scope before `before`; -1 if there is none.
int sibling(const Trace& t, int scope, const std::string& name, int before) {
  for (int i = before; i-- > 0;)
    if (const TraceTensor& x = t.tensors[static_cast<size_t>(i)];
        x.name == name && x.scope == scope)
      return i;
  return -1;
}

std::vector<std::string> part(const std::vector<std::string>& words, int64_t from, int64_t count) {
  std::vector<std::string> some;
  for (int64_t i = from; i < from + count && i < static_cast<int64_t>(words.size()); ++i)
    some.push_back(words[static_cast<size_t>(i)]);
  return some;
}

}  // namespace

Json alignment_views(const Trace& t, const std::vector<std::string>& columns,
                     const std::vector<std::string>& rows, const std::vector<std::string>& fed) {
  std::vector<Json> list;
  for (int i = 0; i < static_cast<int>(t.tensors.size()); ++i) {
    const TraceTensor& a = t.tensors[static_cast<size_t>(i)];
    const bool weights = a.name == "a" || a.name == "w";
    if (!weights || a.shape.size() < 3) continue;
    // Of local_p, w in place of the a that it is made from.
    if (a.name == "w")
      std::erase_if(list,
                    [&](const Json& v) { return v["tensor"] == sibling(t, a.scope, "a", i); });
    const bool self = within(t, a.scope, "self_attention");
    const bool encoder = within(t, a.scope, "encoder");
    const int64_t step = std::max<int64_t>(0, index_of(t, a.scope, "step"));
    const int64_t layer = index_of(t, a.scope, "layer");
    const int64_t height = a.shape[a.shape.size() - 2], width = a.shape.back();
    const auto& across = self && !encoder ? fed : columns;
    const auto& down = !self ? rows : encoder ? columns : fed;
    const int e = sibling(t, a.scope, "e", i);
    list.push_back(
        {{"tensor", i},
         {"scores", e < 0 ? Json(nullptr) : Json(e)},
         {"kind", !self     ? "cross"
                  : encoder ? "self_encoder"
                            : "self_decoder"},
         {"t", step},
         {"layer", layer < 0 || !within(t, a.scope, "multi_head") ? Json(nullptr) : Json(layer)},
         {"heads", a.shape.size() == 4 ? a.shape[1] : 1},
         {"rows", part(down, step, height)},
         {"cols", part(across, 0, width)}});
  }
  return {{"alignment", list}};
}

}  // namespace heed::microscope
