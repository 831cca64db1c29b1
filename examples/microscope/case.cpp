// A case as a few lines of ops, one row vector per query.
#include "examples/microscope/case.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/microscope/schema.h"
#include "layers/hard_attention.h"

namespace heed::microscope {
namespace {

constexpr int64_t kMostPosition = 4095;  // as the schema says

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

const std::map<std::string, std::set<std::string>> kParams{
    {"dot", {}},
    {"scaled_dot", {}},
    {"general", {"W"}},
    {"additive", {"W_q", "W_k", "b", "v"}},
    {"concat", {"W", "v"}},
    {"cosine", {"beta"}},
    {"location", {"W"}},
    {"multi_head", {"W_q", "W_k", "W_v", "W_o", "heads"}},
    {"self", {"W_q", "W_k", "W_v", "W_o", "heads"}},
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
  const bool self = mechanism_ == "self";
  require(json.contains("query") != self, "query: {}",
          self ? "self has none but the rows of X" : mechanism_ + " needs it");
  if (!self) put("q", Json::array({json.at("query")}));
  require(!self || !json.contains("values"), "values: self makes them of X");
  put(self ? "X" : json.contains("values") ? "K" : "H", json.at("keys"));
  if (json.contains("values")) put("V", json.at("values"));
  n_ = static_cast<int64_t>(json.at("keys").size());
  const Json params = json.value("params", Json::object());
  for (const auto& [name, value] : params.items()) {
    require(kParams.at(mechanism_).contains(name), "params.{}: the mechanism {} has no such number",
            name, mechanism_);
    if (name == "heads")
      heads_ = whole_number(value, "params.heads", 1, 64);
    else if (name == "D" || mechanism_ == "local_m")
      (name == "D" ? reach_ : position_) = value.get<double>();
    else
      put(name == "p" ? "p_t" : name, value);  // p is the classes' probabilities
  }
  require(!mechanism_.starts_with("local") || reach_ > 0, "params.D: {} needs it", mechanism_);
  keep_.assign(static_cast<size_t>(n_), 1);
  if (json.contains("mask")) {
    keep_.clear();
    for (const Json& one : json.at("mask"))
      keep_.push_back(static_cast<uint8_t>(whole_number(one, "mask", 0, 1)));
    require(static_cast<int64_t>(keep_.size()) == n_, "mask: expected {} positions, got {}", n_,
            keep_.size());
  }
  for (const char* of_self : {"causal", "residual", "position"})
    require(self || !json.contains(of_self), "{}: only self has it", of_self);
  causal_ = json.value("causal", false);
  residual_ = json.value("residual", false);
  position_of_row_ =
      whole_number(json.value("position", Json(n_ - 1)), "position", 0, kMostPosition);
  require(position_of_row_ < n_, "position: expected a row below {}, got {}", n_, position_of_row_);
  hard_ = json.value("hard", Json());
  require(hard_.is_null() || !(mechanism_ == "local_p" || self || mechanism_ == "multi_head"),
          "hard: expected a mechanism with one distribution over the positions, not {}",
          mechanism_);
  const bool classes = json.contains("output") && json.contains("target");
  require(
      classes != json.contains("cotangent") && json.contains("output") == json.contains("target"),
      "expected either output and target, or cotangent");
  if (classes) {
    put("U", json.at("output"));
    target_ = whole_number(json.at("target"), "target", 0, kMostPosition);
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
  if (mechanism_ == "location") {
    const Tensor w = use("W");
    require(w.shape()[0] == n_, "params.W: expected {} rows, one per position, got {}", n_,
            w.shape()[0]);
    return matmul_nt(q, w);
  }
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

// The weights of a choice of one position.
Tensor Case::hard(const Tensor& e, const Mask& mask, bool masked) const {
  const std::string kind = hard_.at("kind");
  if (kind == "gumbel") {
    require(hard_.contains("noise"), "hard.noise: gumbel needs it");
    const Tensor g = matrix_of("hard.noise", Json::array({hard_.at("noise")}), dtype_);
    require(g.shape() == e.shape(), "hard.noise: expected {} numbers, got {}", n_, g.numel());
    const Tensor relaxed = named(scale(e + g, 1 / hard_.value("temperature", 1.0)), "e_g");
    return named(soft(relaxed, mask, masked), "w");
  }
  const bool through = kind == "straight_through", drawn = kind == "reinforce";
  if (!through) note_choice(e, drawn ? "sample" : "argmax");
  const Tensor a = named(soft(through ? e : detach(e), mask, masked), "a");
  int64_t chosen = best_positions(detach(a)).to_ids()[0];
  if (drawn) {
    require(hard_.contains("chosen"), "hard.chosen: reinforce needs it");
    chosen = whole_number(hard_.at("chosen"), "hard.chosen", 0, kMostPosition);
    require(chosen < n_ && keep_[static_cast<size_t>(chosen)] != 0,
            "hard.chosen: expected a kept position below {}, got {}", n_, chosen);
  }
  const Tensor one = one_hot(Tensor::ids(std::vector{chosen}, {1}), n_, dtype_);
  return through ? named(straight_through(a, one), "w") : one;
}

// The context of one query, and its scores.
std::pair<Tensor, Tensor> Case::context() const {
  const bool split = leaves_.contains("V");
  const Tensor q = use("q"), keys = use(split ? "K" : "H"), values = use(split ? "V" : "H");
  require(values.shape()[0] == n_, "values: expected {} rows, one per key, got {}", n_,
          values.shape()[0]);
  const Tensor e = named(score(q, keys), "e");  // [1, n]
  const bool masked = std::find(keep_.begin(), keep_.end(), 0) != keep_.end();
  const Mask mask = masked ? Mask::keep(keep_) : Mask{};
  const Tensor w = !hard_.is_null()                  ? hard(e, mask, masked)
                   : mechanism_.starts_with("local") ? local(q, e)
                                                     : named(soft(e, mask, masked), "a");
  return {named(matmul(w, values), "c"), e};  // [1, m], [1, n]
}

// Of multi_head and self: q, k, v as [1, N, rows, E / N].
Tensor Case::heads() const {
  const bool self = mechanism_ == "self";
  const Tensor rows = use(self ? "X" : leaves_.contains("V") ? "K" : "H");
  const Tensor of_values = leaves_.contains("V") ? use("V") : rows;
  require(of_values.shape()[0] == n_, "values: expected {} rows, one per key, got {}", n_,
          of_values.shape()[0]);
  const auto projected = [&](const char* name, const Tensor& x, const char* weight) {
    const Tensor y = linear(x, use(weight), {});
    const int64_t e = y.shape()[1];
    require(e % heads_ == 0, "params.heads: expected a number that divides {}, got {}", e, heads_);
    return named(permute(reshape(y, {1, x.shape()[0], heads_, e / heads_}), {0, 2, 1, 3}), name);
  };
  const Tensor q = projected("q", self ? rows : use("q"), "W_q");
  const Tensor k = projected("k", rows, "W_k"), v = projected("v", of_values, "W_v");
  const Tensor e =
      named(scale(matmul_nt(q, k), 1 / std::sqrt(static_cast<double>(q.shape().back()))), "e");
  Mask mask = std::find(keep_.begin(), keep_.end(), 0) != keep_.end() ? Mask::keep(keep_) : Mask{};
  if (causal_) mask = mask & Mask::causal();
  const Tensor a = named(soft(e, mask, !mask.keeps_all()), "a");  // [1, N, T, n]
  const Tensor c = named(matmul(a, v), "c");
  const int64_t t = c.shape()[2], width = heads_ * c.shape()[3];
  Tensor o = reshape(permute(c, {0, 2, 1, 3}), {t, width});
  if (leaves_.contains("W_o")) o = linear(o, use("W_o"), {});
  if (residual_) o = o + rows;
  (void)named(o, "o");
  return self ? slice(o, 0, position_of_row_, position_of_row_ + 1) : o;
}

// From the context [1, m] to what is differentiated.
Outcome Case::ending(const Tensor& c, const Tensor& e) const {
  if (target_ < 0) {
    require(cotangent_.shape() == c.shape(), "cotangent: expected {} numbers, got {}",
            c.shape().back(), cotangent_.shape().back());
    require(hard_.is_null() || hard_.at("kind") != "reinforce",
            "hard: reinforce needs a loss, so output and target");
    return {c, cotangent_};
  }
  const Tensor z = named(matmul_nt(c, use("U")), "z");  // [1, V]
  const Tensor p = named(softmax(z), "p");
  const Tensor loss = named(neg(log(select(p, 1, target_))), "L");  // [1]
  const Tensor one = Tensor::full({1}, 1, dtype_);
  if (hard_.is_null() || hard_.at("kind") != "reinforce") return {loss, one};
  const bool masked = std::find(keep_.begin(), keep_.end(), 0) != keep_.end();
  const Mask mask = masked ? Mask::keep(keep_) : Mask{};
  const Tensor chosen = Tensor::ids(
      std::vector{whole_number(hard_.at("chosen"), "hard.chosen", 0, kMostPosition)}, {1});
  const Tensor chance = named(log_probability(e, mask, chosen), "ln_a");
  const Tensor reward = detach(loss) - Tensor::full({1}, hard_.value("baseline", 0.0), dtype_);
  return {named(loss + named(reward * chance, "R"), "S"), one};
}

Outcome Case::forward() const {
  if (mechanism_ == "multi_head" || mechanism_ == "self") return ending(heads(), {});
  const auto [c, e] = context();
  return ending(c, e);
}

Json estimator_of(const std::string& kind) {
  const std::map<std::string, const char*> labels{
      {"argmax", "none: no gradient goes through the choice"},
      {"reinforce", "unbiased"},
      {"straight_through", "biased"},
      {"gumbel", "exact for the relaxed weights, biased for the hard choice"}};
  return {{"kind", kind}, {"label", labels.at(kind)}};
}

void Case::mark_inputs(Recording& recording) const {
  for (const char* name : {"q", "K", "V", "H", "X"})
    if (const auto it = leaves_.find(name); it != leaves_.end()) recording.input(it->second);
}

Trace record_case(const Json& json, const std::set<std::string>& decompose) {
  const Case example(json, decompose, Case::dtype_of_file(json));
  Tape tape;
  Recording recording(tape);
  example.mark_inputs(recording);
  const Outcome end = example.forward();
  Trace t = trace_of(recording.backward(end.y, end.cotangent));
  t.meta = meta_of(Case::dtype_of_file(json));
  if (json.contains("title")) t.meta["title"] = json["title"];
  t.run = {{"case", json}};
  if (json.contains("hard")) t.run["estimator"] = estimator_of(json["hard"]["kind"]);
  if (!decompose.empty()) t.run["decompose"] = decompose;
  return t;
}

}  // namespace heed::microscope
