// A case as a few lines of ops, one row vector per query.
#include "examples/microscope/case.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/version.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

Tensor vector_of(const Json& list, DType dtype) {
  const auto v = list.get<std::vector<double>>();
  return cast(Tensor::from<double>(v, {static_cast<int64_t>(v.size())}), dtype);
}

Tensor matrix_of(const std::string& name, const Json& rows, DType dtype) {
  std::vector<double> all;
  for (const Json& row : rows) {
    require(row.size() == rows[0].size(), "{}: expected rows of equal length, got {} and {}", name,
            rows[0].size(), row.size());
    for (const Json& v : row) all.push_back(v.get<double>());
  }
  const auto n = static_cast<int64_t>(rows.size());
  return cast(Tensor::from<double>(all, {n, static_cast<int64_t>(all.size()) / n}), dtype);
}

Tensor tensor_of(const std::string& name, const Json& j, DType dtype) {
  if (j.is_number()) return Tensor::full({1}, j.get<double>(), dtype);
  return j[0].is_array() ? matrix_of(name, j, dtype) : vector_of(j, dtype);
}

const std::map<std::string, std::set<std::string>> kParams{{"dot", {}},
                                                           {"scaled_dot", {}},
                                                           {"general", {"W"}},
                                                           {"additive", {"W_q", "W_k", "b", "v"}},
                                                           {"concat", {"W", "v"}},
                                                           {"cosine", {"beta"}},
                                                           {"local_m", {"p", "D"}},
                                                           {"local_p", {"p", "W_p", "v_p", "D"}}};

}  // namespace

const std::set<std::string>& decomposable() {
  static const std::set<std::string> all{"softmax", "additive_score", "unit"};
  return all;
}

void check_case(const Json& json, const std::string& path) {
  static const Json schema = Json::parse(kCaseSchema);
  if (const auto fault = mismatch(json, schema)) fail_file(path, "{}", *fault);
}

DType Case::dtype_of_file(const Json& json) {
  return json.value("dtype", "f64") == "f32" ? f32 : f64;
}

Case::Case(const Json& json, const std::set<std::string>& decompose, DType dtype)
    : mechanism_(json.at("mechanism")), decompose_(decompose), dtype_(dtype) {
  for (const std::string& op : decompose)
    require(decomposable().contains(op),
            "--decompose: expected softmax, additive_score or unit, got '{}'", op);
  const auto put = [&](const std::string& name, const Json& j) {
    leaves_[name] = leaf(tensor_of(name, j, dtype));
  };
  put("q", Json::array({json.at("query")}));
  put(json.contains("values") ? "K" : "H", json.at("keys"));
  if (json.contains("values")) put("V", json.at("values"));
  n_ = static_cast<int64_t>(json.at("keys").size());
  const Json params = json.value("params", Json::object());
  for (const auto& [name, value] : params.items()) {
    require(kParams.at(mechanism_).contains(name), "params.{}: the mechanism {} has no such number",
            name, mechanism_);
    if (name == "D" || mechanism_ == "local_m")
      (name == "D" ? reach_ : position_) = value.get<double>();
    else
      put(name == "p" ? "p_t" : name, value);  // p is the classes' probabilities
  }
  require(!mechanism_.starts_with("local") || reach_ > 0, "params.D: {} needs it", mechanism_);
  keep_.assign(static_cast<size_t>(n_), 1);
  if (json.contains("mask")) {
    keep_ = json.at("mask").get<std::vector<uint8_t>>();
    require(static_cast<int64_t>(keep_.size()) == n_, "mask: expected {} positions, got {}", n_,
            keep_.size());
  }
  const bool classes = json.contains("output") && json.contains("target");
  require(
      classes != json.contains("cotangent") && json.contains("output") == json.contains("target"),
      "expected either output and target, or cotangent");
  if (classes) {
    put("U", json.at("output"));
    target_ = json.at("target").get<int64_t>();
    require(target_ < leaves_["U"].shape()[0], "target: expected a class in [0, {}), got {}",
            leaves_["U"].shape()[0], target_);
  } else {
    cotangent_ = matrix_of("cotangent", Json::array({json.at("cotangent")}), dtype);
  }
}

Tensor Case::use(const std::string& name) const {
  const auto it = leaves_.find(name);
  require(it != leaves_.end(), "params.{}: {} needs it", name, mechanism_);
  if (Tape* tape = Tape::active()) tape->name(it->second, name);
  return it->second;
}

// ---- the mechanisms ----

Tensor Case::additive(const Tensor& q, const Tensor& keys, const Tensor& v) const {
  const int64_t a = v.shape()[0];
  if (!decompose_.contains("additive_score"))
    return additive_score(q, reshape(keys, {1, n_, keys.shape().back()}), v);
  const Tensor u = named(tanh(q + keys), "u");  // [n, A]
  return matmul_nt(reshape(v, {1, a}), u);
}

Tensor Case::direction(const Tensor& x) const {
  if (!decompose_.contains("unit")) return unit(x);
  return x / sqrt(sum(square(x), {-1}, true));
}

Tensor Case::score(const Tensor& q, const Tensor& keys) const {
  if (mechanism_ == "scaled_dot")
    return scale(matmul_nt(q, keys), 1 / std::sqrt(static_cast<double>(q.shape().back())));
  if (mechanism_ == "general") return matmul_nt(q, matmul_nt(keys, use("W")));
  if (mechanism_ == "additive") {
    const Tensor b = leaves_.contains("b") ? use("b") : Tensor{};
    return additive(linear(q, use("W_q"), {}), linear(keys, use("W_k"), b), use("v"));
  }
  if (mechanism_ == "concat") {
    const Tensor w = use("W");
    const int64_t d = q.shape().back();
    require(w.shape().back() == d + keys.shape().back(), "params.W: expected {} columns, got {}",
            d + keys.shape().back(), w.shape().back());
    return additive(linear(q, slice(w, 1, 0, d), {}),
                    linear(keys, slice(w, 1, d, w.shape().back()), {}), use("v"));
  }
  if (mechanism_ == "cosine") {
    const Tensor e = matmul_nt(direction(q), direction(keys));
    return leaves_.contains("beta") ? use("beta") * e : e;
  }
  return matmul_nt(q, keys);
}

Tensor Case::soft(const Tensor& e, const Mask& mask, bool masked) const {
  if (!decompose_.contains("softmax")) return softmax(e, mask);
  const Tensor kept = masked ? masked_fill(e, mask, -INFINITY) : e;
  const Tensor t = named(kept - detach(max(kept, {-1}, true)), "t");
  const Tensor x = named(exp(t), "x");
  return x / named(sum(x, {-1}, true), "s");
}

// The weights within the window around p: exp(-(s - p)^2 / (2 sigma^2)) of the softmax over it for
// local_p (Luong, Pham & Manning 2015, eq. 10), not renormalised; the softmax itself for local_m.
Tensor Case::local(const Tensor& q, const Tensor& e) const {
  Tensor p;
  if (mechanism_ == "local_p")
    p = leaves_.contains("p_t") ? use("p_t")
                                : named(scale(sigmoid(matmul_nt(tanh(linear(q, use("W_p"), {})),
                                                                reshape(use("v_p"), {1, -1}))),
                                              static_cast<double>(n_)),
                                        "p_t");
  const double middle = p.defined() ? p.to_vector().at(0) : position_;
  std::vector<uint8_t> keep = keep_;
  std::vector<double> places;
  for (size_t s = 0; s < keep.size(); ++s) {
    places.push_back(static_cast<double>(s));
    if (std::abs(places.back() - middle) > reach_) keep[s] = 0;
  }
  const Tensor a = named(soft(e, Mask::keep(keep), true), "a");
  if (!p.defined()) return a;
  const Tensor s = cast(Tensor::from<double>(places, {1, n_}), dtype_);
  const double sigma = reach_ / 2;
  return named(a * exp(scale(square(s - p), -1 / (2 * sigma * sigma))), "w");
}

Outcome Case::forward() const {
  const bool split = leaves_.contains("V");
  const Tensor q = use("q"), keys = use(split ? "K" : "H"), values = use(split ? "V" : "H");
  require(values.shape()[0] == n_, "values: expected {} rows, one per key, got {}", n_,
          values.shape()[0]);
  const Tensor e = named(score(q, keys), "e");  // [1, n]
  const bool masked = std::find(keep_.begin(), keep_.end(), 0) != keep_.end();
  const Tensor w = mechanism_.starts_with("local")
                       ? local(q, e)
                       : named(soft(e, masked ? Mask::keep(keep_) : Mask{}, masked), "a");
  const Tensor c = named(matmul(w, values), "c");  // [1, m]
  if (target_ < 0) {
    require(cotangent_.shape() == c.shape(), "cotangent: expected {} numbers, got {}",
            c.shape().back(), cotangent_.shape().back());
    return {c, cotangent_};
  }
  const Tensor z = named(matmul_nt(c, use("U")), "z");  // [1, V]
  const Tensor p = named(softmax(z), "p");
  const Tensor loss = named(neg(log(select(p, 1, target_))), "L");  // [1]
  return {loss, Tensor::full({1}, 1, dtype_)};
}

void Case::mark_inputs(Recording& recording) const {
  for (const char* name : {"q", "K", "V", "H"})
    if (const auto it = leaves_.find(name); it != leaves_.end()) recording.input(it->second);
}

Trace record_case(const Json& json, const std::set<std::string>& decompose) {
  const Case example(json, decompose, Case::dtype_of_file(json));
  Tape tape;
  Recording recording(tape);
  example.mark_inputs(recording);
  const Outcome end = example.forward();
  Trace t = trace_of(recording.backward(end.y, end.cotangent));
  const std::string text = version_text("heed");
  t.meta = {{"tool", "microscope"},
            {"version", text.substr(0, text.find('\n'))},
            {"dtype", std::string(name_of(Case::dtype_of_file(json)))}};
  if (json.contains("title")) t.meta["title"] = json["title"];
  t.run = {{"case", json}};
  if (!decompose.empty()) t.run["decompose"] = decompose;
  return t;
}

}  // namespace heed::microscope
