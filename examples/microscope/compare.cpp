#include "examples/microscope/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "examples/microscope/trace.h"

namespace heed::microscope {
namespace {

// A scope's path with the words of the target in place of the numbers of its decoder's steps.
std::string path_by_token(const Trace& t, int scope) {
  std::string path;
  const Json words = t.run.value("tgt", Json::array());
  const std::string plain = scope_path(t, scope);
  const bool decoder = plain.starts_with("decoder");
  for (; scope != 0; scope = t.scopes[static_cast<size_t>(scope)].parent) {
    const TraceScope& s = t.scopes[static_cast<size_t>(scope)];
    std::string here = s.index < 0 ? s.name : fmt::format("{}[{}]", s.name, s.index);
    if (decoder && s.name == "step" && s.index >= 0 && static_cast<size_t>(s.index) < words.size())
      here = fmt::format("step[{}]", words[static_cast<size_t>(s.index)].get<std::string>());
    path = path.empty() ? here : here + "/" + path;
  }
  return path;
}

double distance(const Numbers& a, const Numbers& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool equal = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    const double d = equal ? 0 : std::abs(a[i] - b[i]);
    if (std::isnan(d)) return d;
    most = std::max(most, d);
  }
  return most;
}

double scale_of(const Numbers& a) {
  double most = 1;
  for (const double v : a)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

std::vector<std::string> keys_of(const Trace& t, Align align) {
  std::vector<std::string> keys;
  std::map<std::string, int> seen;
  for (size_t i = 0; i < t.tensors.size(); ++i) {
    const TraceTensor& x = t.tensors[i];
    std::string what = x.name;
    if (what.empty() && x.producer >= 0) what = t.ops[static_cast<size_t>(x.producer)].op;
    if (what.empty()) what = x.role;
    const bool leaf = x.role == "param" || x.role == "input";
    const std::string path = leaf                    ? ""
                             : align == Align::token ? path_by_token(t, x.scope)
                                                     : scope_path(t, x.scope);
    std::string key = path.empty() ? what : path + "/" + what;
    if (const int n = seen[key]++; n > 0) key += fmt::format("#{}", n + 1);
    keys.push_back(key);
  }
  return keys;
}

Comparison compare(const Trace& one, const Trace& other, Align align, double tolerance) {
  Comparison all;
  const std::vector<std::string> ours = keys_of(one, align), theirs = keys_of(other, align);
  std::map<std::string, int> place;
  for (size_t i = 0; i < theirs.size(); ++i) place[theirs[i]] = static_cast<int>(i);
  std::vector<bool> met(theirs.size());
  int best_step = -1;
  for (size_t i = 0; i < ours.size(); ++i) {
    ComparedTensor c{.key = ours[i], .one = static_cast<int>(i)};
    const TraceTensor& a = one.tensors[i];
    if (const auto it = place.find(ours[i]); it != place.end()) {
      c.other = it->second;
      met[static_cast<size_t>(c.other)] = true;
      const TraceTensor& b = other.tensors[static_cast<size_t>(c.other)];
      c.same_shape = a.shape == b.shape;
      c.value = c.same_shape ? distance(a.value, b.value) : std::nan("");
      c.grad_known = a.has_grad() == b.has_grad();
      c.grad = !c.same_shape || !c.grad_known ? std::nan("") : distance(a.grad, b.grad);
    } else {
      c.value = c.grad = std::nan("");
    }
    const auto here = static_cast<int>(all.tensors.size());
    const bool made = a.producer >= 0;
    if (made && !(c.value <= tolerance * scale_of(a.value)) && all.first_value < 0)
      all.first_value = here;
    // Backward, what comes first is what the op with the smallest step reads.
    const int step = made ? one.ops[static_cast<size_t>(a.producer)].bwd : -1;
    if (step >= 0 && !(c.grad <= tolerance * scale_of(a.grad)) &&
        (all.first_grad < 0 || step < best_step))
      all.first_grad = here, best_step = step;
    all.tensors.push_back(c);
  }
  for (size_t i = 0; i < theirs.size(); ++i)
    if (!met[i])
      all.tensors.push_back({.key = theirs[i],
                             .one = -1,
                             .other = static_cast<int>(i),
                             .same_shape = false,
                             .value = std::nan(""),
                             .grad = std::nan(""),
                             .grad_known = false});
  return all;
}

}  // namespace heed::microscope
