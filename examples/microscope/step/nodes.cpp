// What a person types for a tensor or a scope, and where to stop.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {
namespace {

std::vector<std::string> components(const std::string& text) {
  std::vector<std::string> all(1);
  for (const char c : text)
    if (c == '.' || c == '/')
      all.emplace_back();
    else
      all.back() += c;
  return all;
}

bool fits(const std::string& typed, const TraceScope& scope) {
  const std::string whole =
      scope.name + (scope.index < 0 ? "" : "[" + std::to_string(scope.index) + "]");
  return !typed.empty() && (whole == typed || scope.name.starts_with(typed) ||
                            (scope.index >= 0 && typed == "t" + std::to_string(scope.index)));
}

// Whether the typed scopes stand, in this order, among a scope and its parents.
bool leads_to(const Timeline& line, int scope, const std::vector<std::string>& typed,
              size_t count) {
  for (;;) {
    if (count == 0) return true;
    const TraceScope& s = line.trace().scopes[static_cast<size_t>(scope)];
    if (fits(typed[count - 1], s)) --count;
    if (scope == 0) return count == 0;
    scope = s.parent;
  }
}

// "e[0,2]" -> {0, 2}, and `name` becomes "e". Nothing where there are no brackets.
std::vector<int64_t> split_index(std::string& name) {
  std::vector<int64_t> index;
  const size_t open = name.rfind('[');
  if (open == std::string::npos || !name.ends_with(']')) return index;
  const char* at = name.data() + open + 1;
  const char* const end = name.data() + name.size() - 1;
  while (at <= end) {
    int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value < 0 || (next != end && *next != ',')) return {};
    index.push_back(value);
    at = next + 1;
  }
  name.resize(open);
  return index;
}

int find_tensor(const Stepper& s, const std::string& text) {
  const Timeline& line = s.line();
  const int count = static_cast<int>(line.trace().tensors.size());
  if (text.starts_with("#")) {
    int i = -1;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), i);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && i >= 0 && i < count ? i : -1;
  }
  const std::vector<std::string> typed = components(text);
  const auto is = [&](int i) {
    const TraceTensor& t = line.tensor(i);
    if (t.name.empty()) return false;
    return t.name == text ||
           (t.name == typed.back() && leads_to(line, t.scope, typed, typed.size() - 1));
  };
  if (s.at > 0) {
    const TraceOp& op = line.op(line.event(s.at).op);
    for (const std::vector<int>* list : {&op.out, &op.in})
      for (const int i : *list)
        if (i >= 0 && is(i)) return i;
  }
  for (int i = count; i-- > 0;)
    if (is(i)) return i;
  return -1;
}

void set_range(const Timeline& line, Node& node, const std::string& text) {
  const TraceTensor& t = line.tensor(node.tensor);
  std::vector<int64_t> shape = t.shape;
  if (node.index.size() != shape.size()) {
    std::vector<int64_t> wide;
    std::copy_if(shape.begin(), shape.end(), std::back_inserter(wide),
                 [](int64_t n) { return n != 1; });
    if (wide.size() == node.index.size()) shape = wide;
  }
  node.count = t.value.size();
  require(node.index.size() <= shape.size(), "{}: expected at most {} indices, got {}",
          printable(text), shape.size(), node.index.size());
  for (size_t axis = 0; axis < node.index.size(); ++axis) {
    require(node.index[axis] < shape[axis], "{}: expected an index below {} on axis {}, got {}",
            printable(text), shape[axis], axis, node.index[axis]);
    node.count /= static_cast<size_t>(shape[axis]);
    node.first += static_cast<size_t>(node.index[axis]) * node.count;
  }
}

size_t letters_changed(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    now[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j)
      now[j + 1] = std::min({before[j] + (a[i] == b[j] ? 0 : 1), before[j + 1] + 1, now[j] + 1});
    std::swap(before, now);
  }
  return before[b.size()];
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

}  // namespace

std::vector<std::string> near(const std::string& text, const std::vector<std::string>& names,
                              size_t most) {
  std::vector<std::pair<size_t, std::string>> found;
  for (const std::string& name : names) {
    if (name.size() > 60 || text.size() > 60) continue;
    const size_t changed = letters_changed(text, name);
    const size_t longer = std::max(text.size(), name.size());
    const bool begins = !text.empty() && name.starts_with(text);
    if (begins || (changed < longer && changed <= 1 + longer / 4))
      found.emplace_back(begins ? 0 : changed, name);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<std::string> all;
  for (size_t i = 0; i < std::min(found.size(), most); ++i) all.push_back(found[i].second);
  return all;
}

Node node_of(const Stepper& s, const std::string& text) {
  const Timeline& line = s.line();
  std::string name = text;
  Node node{find_tensor(s, text)};  // a name may hold brackets of its own
  if (node.tensor < 0) {
    node.index = split_index(name);
    node.tensor = find_tensor(s, name);
  }
  if (node.tensor < 0) {
    std::vector<std::string> names;
    for (const TraceTensor& t : line.trace().tensors)
      if (!t.name.empty()) names.push_back(t.name);
    std::vector<std::string> close = near(components(name).back(), names);
    if (close.empty()) {
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
      names.resize(std::min<size_t>(names.size(), 12));
      close = names;
    }
    require(false, "expected a tensor (like {}, or #0 to #{}), got '{}'", listed(close),
            line.trace().tensors.size() - 1, printable(text));
  }
  set_range(line, node, text);
  return node;
}

int scope_of(const Timeline& line, const std::string& text) {
  const std::vector<std::string> typed = components(text);
  const auto& scopes = line.trace().scopes;
  for (size_t i = 1; i < scopes.size(); ++i) {
    const int at = static_cast<int>(i);
    if (line.path(at) == text) return at;
  }
  for (size_t i = 1; i < scopes.size(); ++i)
    if (fits(typed.back(), scopes[i]) && leads_to(line, static_cast<int>(i), typed, typed.size()))
      return static_cast<int>(i);
  return -1;
}

// ---- breakpoints ----

namespace {

bool any_not_finite(const Numbers& all) {
  return std::any_of(all.begin(), all.end(), [](double v) { return !std::isfinite(v); });
}
bool all_zero(const Numbers& all) {
  return std::all_of(all.begin(), all.end(), [](double v) { return v == 0; });
}

// The derivative that is left in the least open element is below 1e-3.
bool saturated(const TraceOp& op, const TraceTensor& y) {
  constexpr double kLimit = 1e-3;
  if (y.value.empty()) return false;
  if (op.op == "softmax") {
    const auto n = static_cast<size_t>(y.shape.empty() ? 1 : y.shape.back());
    if (n < 2) return false;
    for (size_t row = 0; row + n <= y.value.size(); row += n) {
      double others = 0, largest = 0;
      for (size_t i = 0; i < n; ++i) {
        others += y.value[row + i];
        largest = std::max(largest, y.value[row + i]);
      }
      // All but the largest, without the cancellation of 1 - largest.
      double rest = 0;
      bool skipped = false;
      for (size_t i = 0; i < n; ++i) {
        if (!skipped && y.value[row + i] == largest)
          skipped = true;
        else
          rest += y.value[row + i];
      }
      if (others > 0 && rest < kLimit) return true;
    }
    return false;
  }
  const auto flat = [&](double v) {
    return op.op == "tanh" ? 1 - v * v < kLimit : op.op == "sigmoid" && v * (1 - v) < kLimit;
  };
  return std::any_of(y.value.begin(), y.value.end(), flat);
}

bool is_index(const std::string& text, int64_t& index) {
  if (!text.starts_with("t=")) return false;
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data() + 2, end, index);
  return error == std::errc() && next == end && index >= 0;
}

}  // namespace

void check_breakpoint(const Stepper& s, const std::string& text) {
  int64_t index = 0;
  if (text == "nan" || text == "zero" || text == "sat" || is_index(text, index)) return;
  const auto& ops = s.line().trace().ops;
  if (std::any_of(ops.begin(), ops.end(), [&](const TraceOp& o) { return o.op == text; })) return;
  if (scope_of(s.line(), text) >= 0) return;
  try {
    node_of(s, text);
  } catch (const std::invalid_argument& e) {
    require(false, "expected nan, zero, sat, t=3, an op, a scope or a tensor: {}", e.what());
  }
}

bool stops_at(const Stepper& s, const std::string& text, int position) {
  const Timeline& line = s.line();
  const Event& event = line.event(position);
  const TraceOp& op = line.op(event.op);
  const auto any = [&](auto is) {
    if (event.backward) {
      const std::vector<int> sent = line.sent_by(event.op);
      return std::any_of(sent.begin(), sent.end(),
                         [&](int c) { return is(line.contribution(c).value); });
    }
    return std::any_of(op.out.begin(), op.out.end(),
                       [&](int y) { return is(line.tensor(y).value); });
  };
  if (text == "nan") return any(any_not_finite);
  if (text == "zero") return any(all_zero);
  if (text == "sat") return saturated(op, line.tensor(op.out[0]));
  if (int64_t index = 0; is_index(text, index)) {
    for (int scope = op.scope; scope != 0;
         scope = line.trace().scopes[static_cast<size_t>(scope)].parent)
      if (line.trace().scopes[static_cast<size_t>(scope)].index == index) return true;
    return false;
  }
  if (op.op == text) return true;
  if (const int scope = scope_of(line, text); scope >= 0) return line.within(op.scope, scope);
  Stepper there = s;
  there.at = position;
  Node node{};
  try {
    node = node_of(there, text);
  } catch (const std::invalid_argument&) {
    return false;  // set in another run
  }
  if (!event.backward) return std::find(op.out.begin(), op.out.end(), node.tensor) != op.out.end();
  const std::vector<int> sent = line.sent_by(event.op);
  return std::any_of(sent.begin(), sent.end(),
                     [&](int c) { return line.contribution(c).tensor == node.tensor; });
}

}  // namespace heed::microscope::stepper
