#include "layers/multi_head.h"

#include <cmath>

#include "core/scope.h"

namespace heed {
namespace {

// [B, S, N, d] as [B, N, S, d] and back: views, because d stays innermost.
Tensor swapped(const Tensor& x) {
  return permute(x, {0, 2, 1, 3});
}

bool packed(const MultiHead& f) {
  return f.in_proj_weight.defined();
}

// The projections [from, to) of q, k, v, side by side as heads: [B, S, (to - from) N, d].
Tensor projected(const MultiHead& f, const Tensor& x, int64_t from, int64_t to) {
  const int64_t e = f.options.query, n = f.options.heads;
  const Tensor* const apart[] = {&f.q_proj_weight, &f.k_proj_weight, &f.v_proj_weight};
  const Tensor weight = packed(f) ? slice(f.in_proj_weight, 0, from * e, to * e) : *apart[from];
  const Tensor bias =
      f.in_proj_bias.defined() ? slice(f.in_proj_bias, 0, from * e, to * e) : Tensor{};
  return reshape(linear(x, weight, bias), {x.shape()[0], x.shape()[1], (to - from) * n, e / n});
}

void require_heads(const MultiHead& f, std::string_view name, const HeadMemory& m,
                   std::string_view asker, const Tensor& x) {
  const int64_t b = x.shape()[0], n = f.options.heads, d = f.options.query / n;
  const bool fits = m.keys.defined() && m.keys.rank() == 4 && m.keys.shape() == m.values.shape() &&
                    m.keys.shape().with(1, 0) == Shape({b, 0, n, d});
  require(fits, "multi_head: expected {} [{}, S, {}, {}] for {} {}, got {}", name, b, n, d, asker,
          x.shape(), m.keys);
}

// Every head of queries q [B, T, N, d].
MultiHeadOutput attend(const MultiHead& f, const Tensor& q, const HeadMemory& m, const Mask& mask,
                       Rng* rng) {
  const int64_t b = q.shape()[0], t = q.shape()[1], n = q.shape()[2], d = q.shape()[3];
  const Mask kept = m.mask & mask;
  kept.check("multi_head", {b, n, t, m.keys.shape()[1]});
  const Tensor products = matmul_nt(swapped(noted(q, "q")), swapped(m.keys));
  const Tensor e = noted(scale(products, 1 / std::sqrt(static_cast<double>(d))), "e");
  const Tensor weights = noted(softmax(e, kept), "a");  // [B, N, T, S]
  const Tensor used = Dropout{f.options.dropout}(weights, rng);
  const Tensor heads = swapped(noted(matmul(used, swapped(m.values)), "c"));  // [B, T, N, d]
  return {f.out_proj(reshape(heads, {b, t, n * d})), weights};
}

}  // namespace

MultiHead::MultiHead(const MultiHeadOptions& o, Rng& rng) : options(o) {
  const int64_t e = o.query;
  if (o.key == 0) options.key = e;
  if (o.value == 0) options.value = e;
  require(e > 0 && options.key > 0 && options.value > 0,
          "multi_head: expected sizes of query, key and value >= 1, got {}, {}, {}", e, options.key,
          options.value);
  require(o.heads > 0 && e % o.heads == 0,
          "multi_head: expected a number of heads that divides the size {}, got {}", e, o.heads);
  require(o.dropout >= 0 && o.dropout < 1, "multi_head: expected dropout in [0, 1), got {}",
          o.dropout);
  if (options.key == e && options.value == e) {
    in_proj_weight = init::xavier_uniform({3 * e, e}, rng);
  } else {
    q_proj_weight = init::xavier_uniform({e, e}, rng);
    k_proj_weight = init::xavier_uniform({e, options.key}, rng);
    v_proj_weight = init::xavier_uniform({e, options.value}, rng);
  }
  out_proj = Linear({.in = e, .out = e, .bias = false}, rng);
  if (o.bias) {
    in_proj_bias = init::zeros({3 * e});
    out_proj.bias = init::zeros({e});
  }
}

void MultiHead::visit(Visitor& see) {
  see("in_proj_weight", in_proj_weight);
  see("q_proj_weight", q_proj_weight);
  see("k_proj_weight", k_proj_weight);
  see("v_proj_weight", v_proj_weight);
  see("in_proj_bias", in_proj_bias);
  see("out_proj", out_proj);
}

HeadMemory MultiHead::memory(const Tensor& keys, const Mask& mask, const Tensor& values) const {
  require(keys.defined() && keys.rank() == 3 && keys.shape()[2] == options.key,
          "multi_head: expected keys [B, S, {}], got {}", options.key, keys);
  const int64_t b = keys.shape()[0], s = keys.shape()[1];
  const Tensor& held = values.defined() ? values : keys;
  require(held.shape() == Shape({b, s, options.value}),
          "multi_head: expected values [{}, {}, {}] for keys {}, got {}", b, s, options.value,
          keys.shape(), held.shape());
  mask.check("multi_head", {b, s});
  const Scope scope("multi_head");
  if (packed(*this) && !values.defined()) {
    const Tensors both = split(projected(*this, keys, 1, 3), 2, 2);
    return {noted(both[0], "k"), noted(both[1], "v"), mask};
  }
  return {noted(projected(*this, keys, 1, 2), "k"), noted(projected(*this, held, 2, 3), "v"), mask};
}

MultiHeadOutput MultiHead::operator()(const Tensor& query, const HeadMemory& m, const Mask& mask,
                                      Rng* rng) const {
  require(query.defined() && query.rank() == 3 && query.shape()[2] == options.query,
          "multi_head: expected queries [B, T, {}], got {}", options.query, query);
  require_heads(*this, "a memory", m, "queries", query);
  const Scope scope("multi_head");
  return attend(*this, projected(*this, query, 0, 1), m, mask, rng);
}

SelfAttended MultiHead::self(const Tensor& x, const Mask& mask, Rng* rng,
                             const HeadMemory& past) const {
  require(packed(*this),
          "multi_head: self-attention needs keys and values of the size {}, got {} and {}",
          options.query, options.key, options.value);
  require(x.defined() && x.rank() == 3 && x.shape()[2] == options.query,
          "multi_head: expected x [B, T, {}], got {}", options.query, x);
  if (past.keys.defined()) require_heads(*this, "a past", past, "x", x);
  const Scope scope("multi_head");
  const Tensors qkv = split(projected(*this, x, 0, 3), 2, 3);  // each [B, T, N, d]
  HeadMemory m{noted(qkv[1], "k"), noted(qkv[2], "v"), past.mask};
  if (past.keys.defined()) {
    m.keys = concat({past.keys, m.keys}, 1);
    m.values = concat({past.values, m.values}, 1);
  }
  auto [y, weights] = attend(*this, qkv[0], m, mask, rng);
  return {y, weights, m};
}

}  // namespace heed
