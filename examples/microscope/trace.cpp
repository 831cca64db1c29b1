// From the recorder's data to a trace.
#include "examples/microscope/trace.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/version.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

constexpr std::array<const char*, 6> kRoles{"param", "input", "const", "inter", "output", "saved"};
constexpr std::array<const char*, 4> kStates{"done", "not_reached", "cut", "no_grad"};

Numbers numbers_of(const Tensor& x) {
  if (x.dtype() != i64) return x.to_vector();
  const std::vector<int64_t> ids = x.to_ids();
  return {ids.begin(), ids.end()};
}

TraceTensor tensor_of(const RecordedTensor& t) {
  return {.name = t.name,
          .scope = t.scope,
          .role = kRoles.at(static_cast<size_t>(t.role)),
          .dtype = std::string(name_of(t.value.dtype())),
          .shape = {t.value.shape().sizes().begin(), t.value.shape().sizes().end()},
          .producer = t.producer,
          .value = numbers_of(t.value),
          .grad_state = kStates.at(static_cast<size_t>(t.state)),
          .grad = t.grad.defined() ? numbers_of(t.grad) : Numbers{},
          .cut = t.cut,
          .ends = t.ends,
          .detached_from = t.detached_from};
}

// A mask as 1 and 0 for every number of the op's first input.
Json bits_of(const Mask& mask, const Shape& shape) {
  Json bits = Json::array();
  const int64_t n = shape.rank() > 0 ? shape.back() : 0, rows = n == 0 ? 0 : shape.numel() / n;
  for (int64_t r = 0; r < rows; ++r) {
    const Mask::Row row = mask.row(shape, r);
    for (int64_t j = 0; j < n; ++j) bits.push_back(row[j] ? 1 : 0);
  }
  return bits;
}

Json attributes_of(const RecordedOp& op, const Shape& first) {
  Json all = Json::object();
  for (const RecordedAttribute& a : op.attributes)
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, Mask>) {
            if (!v.keeps_all()) all[a.name] = bits_of(v, first);
          } else if constexpr (std::is_same_v<T, double>) {
            all[a.name] = json_number(v);
          } else {
            all[a.name] = v;
          }
        },
        a.value);
  return all;
}

TraceFormula formula_of(const OpInfo& info) {
  TraceFormula f{std::string(info.name), std::string(info.forward), {}, {}};
  for (size_t i = 0; i < OpInfo::kMostInputs && !info.inputs[i].empty(); ++i) {
    f.inputs.emplace_back(info.inputs[i]);
    f.backward.emplace_back(info.backward[i]);
  }
  return f;
}

}  // namespace

Trace trace_of(const Recorded& recorded) {
  Trace t;
  for (const RecordedScope& s : recorded.scopes) t.scopes.push_back({s.name, s.index, s.parent});
  for (const RecordedTensor& x : recorded.tensors) t.tensors.push_back(tensor_of(x));
  for (const RecordedOp& o : recorded.ops) {
    TraceOp op{.op = std::string(o.info->name),
               .scope = o.scope,
               .in = o.in,
               .out = o.out,
               .saved = {},
               .attrs = {},
               .bwd = o.step,
               .sends = {}};
    for (const RecordedSaved& s : o.saved) op.saved.push_back({std::string(s.name), s.tensor});
    // A variadic op has at least one input, and only ops of tensors that are there have masks.
    op.attrs = attributes_of(
        o, o.in[0] < 0 ? Shape{} : recorded.tensors[static_cast<size_t>(o.in[0])].value.shape());
    const auto same = [&](const TraceFormula& f) { return f.op == op.op; };
    if (std::none_of(t.formulas.begin(), t.formulas.end(), same))
      t.formulas.push_back(formula_of(*o.info));
    t.ops.push_back(std::move(op));
  }
  std::sort(t.formulas.begin(), t.formulas.end(),
            [](const TraceFormula& a, const TraceFormula& b) { return a.op < b.op; });
  for (const RecordedContribution& c : recorded.contributions) {
    t.ops[static_cast<size_t>(c.op)].sends.push_back(c.input);
    t.contribs.push_back({c.op, c.input, c.tensor, numbers_of(c.value)});
  }
  t.seed = recorded.differentiated;
  t.seed_value = numbers_of(recorded.seed);
  return t;
}

Json meta_of(DType dtype) {
  const std::string text = version_text("heed");
  return {{"tool", "microscope"},
          {"version", text.substr(0, text.find('\n'))},
          {"dtype", std::string(name_of(dtype))}};
}

Json stats_of(const Numbers& all) {
  double low = INFINITY, high = -INFINITY, sum = 0, squares = 0;
  int64_t zeros = 0, finite = 0;
  for (const double v : all) {
    zeros += v == 0 ? 1 : 0;
    if (!std::isfinite(v)) continue;
    ++finite;
    low = std::min(low, v), high = std::max(high, v);
    sum += v, squares += v * v;
  }
  const auto known = [&](double v) { return finite > 0 ? json_number(v) : Json(nullptr); };
  return {{"min", known(low)},
          {"max", known(high)},
          {"mean", known(sum / static_cast<double>(finite))},
          {"l2", json_number(std::sqrt(squares))},
          {"zeros", zeros},
          {"nonfinite", static_cast<int64_t>(all.size()) - finite}};
}

std::string scope_path(const Trace& t, int scope) {
  std::string path;
  for (; scope != 0; scope = t.scopes[static_cast<size_t>(scope)].parent) {
    const TraceScope& s = t.scopes[static_cast<size_t>(scope)];
    const std::string here = s.index < 0 ? s.name : fmt::format("{}[{}]", s.name, s.index);
    path = path.empty() ? here : here + "/" + path;
  }
  return path;
}

namespace {

// Whether the scopes of `wanted` ("step[2]/attention/e") are among those of a tensor, in order.
bool path_fits(const Trace& t, const TraceTensor& x, std::string_view wanted) {
  const size_t last = wanted.rfind('/');
  if (x.name.empty() || wanted.substr(last + 1) != x.name) return false;
  std::string_view scopes = wanted.substr(0, last);
  for (int scope = x.scope; scope != 0; scope = t.scopes[static_cast<size_t>(scope)].parent) {
    const TraceScope& s = t.scopes[static_cast<size_t>(scope)];
    const size_t slash = scopes.rfind('/');
    const std::string_view inner =
        slash == std::string_view::npos ? scopes : scopes.substr(slash + 1);
    const std::string here = s.index < 0 ? s.name : fmt::format("{}[{}]", s.name, s.index);
    if (inner != here && inner != s.name) continue;
    if (slash == std::string_view::npos) return true;
    scopes = scopes.substr(0, slash);
  }
  return false;
}

}  // namespace

int Trace::find(const std::string& name) const {
  std::string known;
  for (size_t i = tensors.size(); i-- > 0;) {
    if (tensors[i].name == name && !name.empty()) return static_cast<int>(i);
    if (name == fmt::format("#{}", i)) return static_cast<int>(i);
  }
  if (name.find('/') != std::string::npos)
    for (size_t i = tensors.size(); i-- > 0;)
      if (path_fits(*this, tensors[i], name)) return static_cast<int>(i);
  for (const TraceTensor& t : tensors)
    if (!t.name.empty() && known.size() < 200)
      known += (known.empty() ? "" : ", ") + harmless(t.name);
  require(false, "expected the name of a tensor ({}) or #0 to #{}, got '{}'", known,
          tensors.size() - 1, name);
  return -1;
}

}  // namespace heed::microscope
