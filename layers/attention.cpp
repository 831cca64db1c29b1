#include "layers/attention.h"

#include <array>
#include <cmath>

#include "core/scope.h"

namespace heed {
namespace {

constexpr std::array<std::pair<Score, std::string_view>, 4> kNames{
    {{Score::additive, "additive"},
     {Score::dot, "dot"},
     {Score::scaled_dot, "scaled_dot"},
     {Score::general, "general"}}};

// q . k for a query [B, Q] or [B, T, Q] and keys [B, S, Q].
Tensor products(const Tensor& query, const Tensor& keys) {
  if (query.rank() == 3) return matmul_nt(query, keys);
  const int64_t b = query.shape()[0];
  const Tensor e = matmul_nt(reshape(query, {b, 1, query.shape()[1]}), keys);
  return reshape(e, {b, keys.shape()[1]});
}

// v . tanh(q + k) from small ops: the twin of additive_score.
Tensor composed_additive(const Tensor& query, const Tensor& keys, const Tensor& v) {
  const int64_t b = keys.shape()[0], s = keys.shape()[1], a = keys.shape()[2];
  const int64_t t = query.rank() == 3 ? query.shape()[1] : 1;
  const Tensor u = tanh(reshape(query, {b, t, 1, a}) + reshape(keys, {b, 1, s, a}));
  const Tensor e = matmul_nt(u, reshape(v, {1, a}));  // [B, T, S, 1]
  return query.rank() == 3 ? reshape(e, {b, t, s}) : reshape(e, {b, s});
}

}  // namespace

std::string_view name_of(Score score) {
  for (const auto& [s, name] : kNames)
    if (s == score) return name;
  return "?";
}

std::optional<Score> score_named(std::string_view wanted) {
  for (const auto& [s, name] : kNames)
    if (name == wanted) return s;
  return std::nullopt;
}

Attention::Attention(const AttentionOptions& o, Rng& rng) : options(o) {
  require(o.query > 0 && o.key > 0, "attention: expected query and key sizes >= 1, got {} and {}",
          o.query, o.key);
  require(o.width >= 0, "attention: expected a width >= 0, got {}", o.width);
  switch (o.score) {
    case Score::additive: {
      const int64_t a = o.width > 0 ? o.width : o.query;
      query = Linear({.in = o.query, .out = a, .bias = false}, rng);
      key = Linear({.in = o.key, .out = a}, rng);
      v = init::fan({a}, a, rng);
      break;
    }
    case Score::general:
      weight = init::fan({o.query, o.key}, o.key, rng);
      break;
    case Score::dot:
    case Score::scaled_dot:
      require(o.query == o.key,
              "attention: the {} score needs queries and keys of one size, got {} and {}; use the "
              "general score for different sizes",
              name_of(o.score), o.query, o.key);
  }
}

Memory Attention::memory(const Tensor& keys, const Mask& mask, const Tensor& values) const {
  require(keys.defined() && keys.rank() == 3 && keys.shape()[2] == options.key,
          "attention: expected keys [B, S, {}], got {}", options.key, keys);
  const Tensor& held = values.defined() ? values : keys;
  require(
      held.rank() == 3 && held.shape()[0] == keys.shape()[0] && held.shape()[1] == keys.shape()[1],
      "attention: expected values [{}, {}, V] for keys {}, got {}", keys.shape()[0],
      keys.shape()[1], keys.shape(), held.shape());
  mask.check("attention", {keys.shape()[0], keys.shape()[1]});
  const Scope scope("attention");
  switch (options.score) {
    case Score::additive:
      return {key(keys), held, mask};
    case Score::general:
      return {linear(keys, weight, {}), held, mask};
    default:
      return {keys, held, mask};
  }
}

Tensor Attention::scores(const Tensor& q, const Memory& m) const {
  require(q.defined() && (q.rank() == 2 || q.rank() == 3) && q.shape().back() == options.query,
          "attention: expected a query [B, {}] or [B, T, {}], got {}", options.query, options.query,
          q);
  require(q.shape()[0] == m.projected.shape()[0],
          "attention: expected a query for each of the {} memories, got {}", m.projected.shape()[0],
          q.shape());
  switch (options.score) {
    case Score::additive:
      return options.fused ? additive_score(query(q), m.projected, v)
                           : composed_additive(query(q), m.projected, v);
    case Score::scaled_dot:
      return scale(products(q, m.projected), 1 / std::sqrt(static_cast<double>(options.key)));
    default:
      return products(q, m.projected);
  }
}

Attended Attention::operator()(const Tensor& q, const Memory& m) const {
  const Scope scope("attention");
  const Tensor a = softmax(scores(q, m), m.mask);
  if (q.rank() == 3) return {matmul(a, m.values), a};
  const int64_t b = a.shape()[0], s = a.shape()[1];
  const Tensor c = matmul(reshape(a, {b, 1, s}), m.values);  // [B, 1, V]
  return {reshape(c, {b, m.values.shape()[2]}), a};
}

void Attention::visit(Visitor& see) {
  if (options.score == Score::additive) {
    see("query", query);
    see("key", key);
    see("v", v);
  }
  see("weight", weight);
}

}  // namespace heed
