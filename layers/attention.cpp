#include "layers/attention.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/scope.h"

namespace heed {
namespace {

constexpr std::array<std::pair<Score, std::string_view>, 7> kNames{
    {{Score::additive, "additive"},
     {Score::dot, "dot"},
     {Score::scaled_dot, "scaled_dot"},
     {Score::general, "general"},
     {Score::concat, "concat"},
     {Score::cosine, "cosine"},
     {Score::location, "location"}}};

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
  const Tensor u = noted(tanh(reshape(query, {b, t, 1, a}) + reshape(keys, {b, 1, s, a})), "u");
  const Tensor e = matmul_nt(u, reshape(v, {1, a}));  // [B, T, S, 1]
  return query.rank() == 3 ? reshape(e, {b, t, s}) : reshape(e, {b, s});
}

// Refuses a sentence with a kept position that the location score has no row for.
void check_longest(const Mask& mask, const Shape& scores, int64_t longest) {
  const int64_t n = scores.back(), rows = n == 0 ? 0 : scores.numel() / n;
  for (int64_t r = 0; n > longest && r < rows; ++r) {
    const Mask::Row row = mask.row(scores, r);
    int64_t length = n;
    while (length > 0 && !row[length - 1]) --length;
    require(length <= longest,
            "attention: the location score was made for sentences of at most {} positions, "
            "sentence {} has {}; make it with a larger `longest`",
            longest, r / (rows / scores[0]), length);
  }
}

// (W q)[s], and 0 for padding beyond the last row of W.
Tensor location_scores(const Tensor& query, const Tensor& weight, const Memory& m) {
  const int64_t s = m.projected.shape()[1], known = std::min(s, weight.shape()[0]);
  const Shape shape = query.shape().with(query.rank() - 1, s);
  check_longest(m.mask, shape, known);
  const Tensor e = linear(query, slice(weight, 0, 0, known), {});
  if (s == known) return e;
  return concat({e, Tensor::zeros(shape.with(shape.rank() - 1, s - known), e.dtype())}, -1);
}

// The weights of a hard choice; says in `out` what it chose.
Tensor hard_weights(const AttentionOptions& o, const Tensor& scores, const Mask& mask,
                    const AttentionCall& call, Attended& out) {
  const int64_t step = call.step.value_or(0);
  if (o.hard == Hard::gumbel && call.rng)
    return gumbel_softmax(scores, mask, call.temperature.value_or(o.temperature),
                          call.rng->next_key(), step);
  const bool draws = call.rng && o.hard != Hard::argmax;
  const bool learns = o.hard == Hard::straight_through;  // through the weights
  if (!learns) note_choice(scores, draws ? "sample" : "argmax");
  const Tensor a = softmax(learns ? scores : detach(scores), mask);
  out.chosen = draws ? drawn_positions(a, call.rng->next_key(), step) : best_positions(a);
  if (draws && o.hard == Hard::reinforce) {
    out.log_probability = log_probability(scores, mask, out.chosen);
    out.entropy = entropy(scores, mask);
  }
  const Tensor chosen = one_hot(out.chosen, scores.shape().back(), scores.dtype());
  return learns ? straight_through(a, chosen) : chosen;
}

void check(const AttentionOptions& o) {
  require(o.query > 0 && o.key > 0, "attention: expected query and key sizes >= 1, got {} and {}",
          o.query, o.key);
  require(o.width >= 0, "attention: expected a width >= 0, got {}", o.width);
  const bool multiplies =
      o.score == Score::dot || o.score == Score::scaled_dot || o.score == Score::cosine;
  require(!multiplies || o.query == o.key,
          "attention: the {} score needs queries and keys of one size, got {} and {}; use the "
          "general score for different sizes",
          name_of(o.score), o.query, o.key);
  require(o.score != Score::location || o.longest > 0,
          "attention: the location score needs `longest`, the most source positions, >= 1, got {}",
          o.longest);
  require(o.window == Window::global || o.reach > 0,
          "attention: the window {} needs a `reach` D >= 1 (it is [p - D, p + D]), got {}",
          name_of(o.window), o.reach);
  require(o.window != Window::local_p || o.hard == Hard::none,
          "attention: local_p and a hard choice ({}) do not go together: the weights of local_p do "
          "not sum to 1, so they are no distribution to choose from; use local_m or global",
          name_of(o.hard));
  require(o.temperature > 0, "attention: expected a temperature > 0, got {}", o.temperature);
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
  check(o);
  const int64_t a = o.width > 0 ? o.width : o.query;
  switch (o.score) {
    case Score::additive:
      query = Linear({.in = o.query, .out = a, .bias = false}, rng);
      key = Linear({.in = o.key, .out = a}, rng);
      v = init::fan({a}, a, rng);
      break;
    case Score::concat:
      weight = init::fan({a, o.query + o.key}, o.query + o.key, rng);
      v = init::fan({a}, a, rng);
      break;
    case Score::general:
      weight = init::fan({o.query, o.key}, o.key, rng);
      break;
    case Score::location:
      weight = init::fan({o.longest, o.query}, o.query, rng);
      break;
    case Score::cosine:
      beta = init::constant({1}, std::sqrt(static_cast<double>(o.key)));
      break;
    case Score::dot:
    case Score::scaled_dot:
      break;
  }
  if (o.window == Window::local_p) position = PositionPredictor(o.query, rng);
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
  Memory m{keys, held, mask};
  if (options.score == Score::additive) m.projected = key(keys);
  if (options.score == Score::general) m.projected = linear(keys, weight, {});
  if (options.score == Score::concat)
    m.projected = linear(keys, slice(weight, 1, options.query, options.query + options.key), {});
  if (options.score == Score::cosine) m.projected = unit(keys);
  if (options.window == Window::local_p) {
    const auto lengths = mask.lengths_of("attention: local_p needs the length of each sentence",
                                         keys.shape()[0], keys.shape()[1]);
    m.lengths = cast(Tensor::ids(lengths, {keys.shape()[0]}), keys.dtype());
  }
  return m;
}

Tensor Attention::scores(const Tensor& q, const Memory& m) const {
  require(q.defined() && (q.rank() == 2 || q.rank() == 3) && q.shape().back() == options.query,
          "attention: expected a query [B, {}] or [B, T, {}], got {}", options.query, options.query,
          q);
  require(q.shape()[0] == m.projected.shape()[0],
          "attention: expected a query for each of the {} memories, got {}", m.projected.shape()[0],
          q.shape());
  const auto additive = [&](const Tensor& projected) {
    return options.fused ? additive_score(projected, m.projected, v)
                         : composed_additive(projected, m.projected, v);
  };
  switch (options.score) {
    case Score::additive:
      return additive(query(q));
    case Score::concat:
      return additive(linear(q, slice(weight, 1, 0, options.query), {}));
    case Score::scaled_dot:
      return scale(products(q, m.projected), 1 / std::sqrt(static_cast<double>(options.key)));
    case Score::cosine:
      return products(unit(q), m.projected) * beta;
    case Score::location:
      return location_scores(q, weight, m);
    default:
      return products(q, m.projected);
  }
}

Attended Attention::operator()(const Tensor& q, const Memory& m, const AttentionCall& call) const {
  const Scope scope("attention");
  const Tensor e = noted(scores(q, m), "e");
  require(call.step.value_or(0) >= 0, "attention: expected a step >= 0, got {}", *call.step);
  require(options.window != Window::local_m || call.step || q.rank() == 3,
          "attention: local_m looks round the target position; say which one a single query "
          "stands at (AttentionCall::step)");
  Attended out;
  Mask mask = m.mask;
  if (options.window != Window::global) {
    out.position = options.window == Window::local_p
                       ? noted(position(q, m.lengths), "p")
                       : monotone_positions(e.shape(), call.step.value_or(0), e.dtype());
    mask = in_window(m.mask, e.shape(), out.position, options.reach);
  }
  Tensor a =
      options.hard == Hard::none ? softmax(e, mask) : hard_weights(options, e, mask, call, out);
  (void)noted(a, "a");
  if (options.window == Window::local_p)
    a = noted(a * gaussian(out.position, e.shape().back(), static_cast<double>(options.reach) / 2),
              "w");
  out.weights = a;
  if (q.rank() == 3) {
    out.context = noted(matmul(a, m.values), "c");
  } else {
    const int64_t b = a.shape()[0], s = a.shape()[1];
    const Tensor c = matmul(reshape(a, {b, 1, s}), m.values);  // [B, 1, V]
    out.context = noted(reshape(c, {b, m.values.shape()[2]}), "c");
  }
  return out;
}

void Attention::visit(Visitor& see) {
  see("query", query);
  see("key", key);
  see("v", v);
  see("weight", weight);
  see("beta", beta);
  see("position", position);
}

}  // namespace heed
