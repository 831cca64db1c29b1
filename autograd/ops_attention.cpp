// What the scores of attention are made of, beyond matrix products: the additive score as one
// operation (the sum of query and key, its tanh and the product with v never leave its loop), and
// the direction of a vector for the cosine.
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

struct AdditiveScore {
  static constexpr OpInfo info{
      .name = "additive_score",
      .inputs = {"query", "keys", "v"},
      .forward = "e[t,s] = v . u[t,s], u[t,s] = tanh(query[t] + keys[s])",
      .backward = {"dquery[t] += sum_s r[t,s], r[t,s] = de[t,s] * v * (1 - u[t,s]^2)",
                   "dkeys[s] += sum_t r[t,s]", "dv += sum_ts de[t,s] * u[t,s]"}};
  Saved u;  // [B, T, S, A]
  Saved v;  // [A]
  void saved(SavedVisitor& see) const { see("u", u), see("v", v); }

  void backward(GradFlow& flow) const {
    const Tensor de = dense(flow.dy());
    const int64_t batch = u->shape()[0], t_max = u->shape()[1], s_max = u->shape()[2],
                  a = u->shape()[3];
    dispatch(de.dtype(), "additive_score", [&]<class T>() {
      const T *up = u->data<T>(), *vp = v->data<T>(), *dep = de.data<T>();
      // Row `row` of dx of an input; what nobody wants goes to a row that nobody reads.
      Tensor unread = Tensor::zeros({3, a}, de.dtype());
      T *const nowhere = unread.mutable_data<T>(), *dx[3];
      for (int i = 0; i < 3; ++i) dx[i] = flow.wants(i) ? flow.dx(i).mutable_data<T>() : nullptr;
      const auto at = [=](int i, int64_t row) { return dx[i] ? dx[i] + row * a : nowhere + i * a; };
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t t = 0; t < t_max; ++t)
          for (int64_t s = 0; s < s_max; ++s) {
            const int64_t k = (b * t_max + t) * s_max + s;
            if (dep[k] == 0) continue;  // masked positions cost nothing
            vadditive_score_backward(a, dep[k], vp, up + k * a, at(0, b * t_max + t),
                                     at(1, b * s_max + s), at(2, 0));
          }
    });
  }
};

Tensor additive_score(const Tensor& query, const Tensor& keys, const Tensor& v) {
  require_defined("additive_score", "query", query);
  require_defined("additive_score", "keys", keys);
  require_defined("additive_score", "v", v);
  require_same_dtype("additive_score", query, keys);
  require_same_dtype("additive_score", query, v);
  const bool step = query.rank() == 2;
  require(
      keys.rank() == 3 && (step || query.rank() == 3) && query.shape()[0] == keys.shape()[0] &&
          query.shape().back() == keys.shape()[2] && v.shape() == Shape{keys.shape()[2]},
      "additive_score: expected query [B, A] or [B, T, A], keys [B, S, A], v [A], got {}, {}, {}",
      query.shape(), keys.shape(), v.shape());
  const Tensor q = dense(query), k = dense(keys), w = dense(v);
  const int64_t batch = k.shape()[0], s_max = k.shape()[1], a = k.shape()[2];
  const int64_t t_max = step ? 1 : q.shape()[1];
  Tensor u = Tensor::empty({batch, t_max, s_max, a}, q.dtype());
  Tensor e = Tensor::empty(step ? Shape{batch, s_max} : Shape{batch, t_max, s_max}, q.dtype());
  dispatch(q.dtype(), "additive_score", [&]<class T>() {
    T *up = u.mutable_data<T>(), *ep = e.mutable_data<T>();
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < t_max; ++t) {
        const T* qr = q.data<T>() + (b * t_max + t) * a;
        T* block = up + (b * t_max + t) * s_max * a;  // [S, A]
        for (int64_t s = 0; s < s_max; ++s)
          ep[(b * t_max + t) * s_max + s] =
              vadditive_score(a, qr, k.data<T>() + (b * s_max + s) * a, w.data<T>(), block + s * a);
      }
  });
  return record(AdditiveScore{u, w}, e, query, keys, v);
}

struct Unit {
  static constexpr OpInfo info{
      .name = "unit",
      .inputs = {"x"},
      .forward = "y = x / |x|, 0 where x = 0",
      .backward = {"dx += (dy - (y . dy) y) / |x|, 0 where x = 0"}};  // orthogonal to x
  Saved y;                                                            // [..., n]
  Saved length;                                                       // [...]
  void saved(SavedVisitor& see) const { see("y", y), see("length", length); }
  void backward(GradFlow& flow) const {
    const Tensor dy = dense(flow.dy());
    Tensor& dx = flow.dx(0);
    const int64_t n = y->shape().back();
    dispatch(dy.dtype(), "unit", [&]<class T>() {
      T* to = dx.mutable_data<T>();
      const T *yp = y->data<T>(), *g = dy.data<T>(), *l = length->data<T>();
      for (int64_t r = 0; r < length->numel(); ++r, yp += n, g += n, to += n) {
        if (l[r] == 0) continue;
        const T along = vdot(n, yp, g);
        for (int64_t j = 0; j < n; ++j) to[j] += (g[j] - along * yp[j]) / l[r];
      }
    });
  }
};

Tensor unit(const Tensor& x) {
  require_defined("unit", "x", x);
  require(x.rank() >= 1, "unit: expected at least one axis, got a scalar");
  const Tensor in = dense(x);
  const int64_t n = x.shape().back();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  Tensor length = Tensor::empty(x.shape().without(x.rank() - 1), x.dtype());
  dispatch(x.dtype(), "unit", [&]<class T>() {
    const T* from = in.data<T>();
    T *to = y.mutable_data<T>(), *l = length.mutable_data<T>();
    for (int64_t r = 0; r < length.numel(); ++r, from += n, to += n) {
      T top = 0;  // taken out first, so that no square leaves the range of T
      for (int64_t j = 0; j < n; ++j) top = std::max(top, std::abs(from[j]));
      for (int64_t j = 0; j < n; ++j) to[j] = top == 0 ? T(0) : from[j] / top;
      const T rest = std::sqrt(vdot(n, to, to));
      for (int64_t j = 0; j < n; ++j) to[j] = top == 0 ? T(0) : to[j] / rest;
      l[r] = top * rest;
    }
  });
  return record(Unit{y, length}, y, x);
}

}  // namespace heed
