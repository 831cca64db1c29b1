// The backward formulas of the mechanisms, as textbooks write them, against what the library's own
// operations leave in a trace; on numbers that are drawn. With g_j = dc . v_j, the sum over the
// weights G = sum a_j g_j, and delta_j = a_j (g_j - G), every score says what q, the keys and its
// parameters get. Nothing of the library computes the expected side.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/rng.h"
#include "tests/examples/microscope_cases.h"

namespace heed::microscope {
namespace {

using Rows = std::vector<Numbers>;
constexpr size_t kPositions = 4, kQuery = 3, kValue = 2, kWidth = 5;  // n, d = k, width of v, A

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
void add(Numbers& to, double factor, const Numbers& x) {
  for (size_t i = 0; i < x.size(); ++i) to[i] += factor * x[i];
}
void add_outer(Rows& to, double factor, const Numbers& a, const Numbers& b) {
  for (size_t i = 0; i < a.size(); ++i) add(to[i], factor * a[i], b);
}
Numbers times(const Rows& w, const Numbers& x) {  // w x
  Numbers y;
  for (const Numbers& row : w) y.push_back(dot(row, x));
  return y;
}
Numbers times_transposed(const Rows& w, const Numbers& x) {  // w^T x
  Numbers y(w[0].size(), 0.0);
  for (size_t i = 0; i < w.size(); ++i) add(y, x[i], w[i]);
  return y;
}
Rows zeros(const Rows& like) {
  Rows all = like;
  for (Numbers& row : all) row.assign(row.size(), 0.0);
  return all;
}
Numbers flat(const Rows& rows) {
  Numbers all;
  for (const Numbers& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// Drawn numbers of one mechanism, and the trace of them.
struct Drawn {
  Rng rng;
  Numbers q, dc;
  Rows k, v;
  Json params = Json::object();

  explicit Drawn(uint64_t seed) : rng(seed) {
    q = vector(kQuery), dc = vector(kValue);
    k = matrix(kPositions, kQuery), v = matrix(kPositions, kValue);
  }
  Numbers vector(size_t n) {
    Numbers all(n);
    for (double& x : all) x = rng.normal();
    return all;
  }
  Rows matrix(size_t rows, size_t cols) {
    Rows all(rows);
    for (Numbers& row : all) row = vector(cols);
    return all;
  }
  [[nodiscard]] Trace trace(const char* mechanism) const {
    return traced(Json{{"mechanism", mechanism},
                       {"query", q},
                       {"keys", k},
                       {"values", v},
                       {"params", params},
                       {"cotangent", dc}});
  }
  // softmax and context of the table: dv_j = a_j dc and delta.
  [[nodiscard]] Numbers delta(const Trace& t) const {
    const Numbers& a = at(t, "a").value;
    Numbers g, d;
    for (const Numbers& row : v) g.push_back(dot(dc, row));
    const double mean = dot(a, g);
    Rows dv = zeros(v);
    for (size_t j = 0; j < a.size(); ++j) {
      d.push_back(a[j] * (g[j] - mean));
      add(dv[j], a[j], dc);
    }
    expect_near(at(t, "a").grad, g, "g_j = dc . v_j");
    expect_near(at(t, "e").grad, d, "delta_j = a_j (g_j - G)");
    expect_near(at(t, "V").grad, flat(dv), "dv_j = a_j dc");
    return d;
  }
};

void expect_grads(const Trace& t, const char* what, const Numbers& dq, const Rows& dk) {
  expect_near(at(t, "q").grad, dq, std::string(what) + ": dq");
  expect_near(at(t, "K").grad, flat(dk), std::string(what) + ": dk");
}

constexpr uint64_t kSeeds[] = {1, 2, 3};

TEST(MicroscopeFormulas, Dot) {
  for (const uint64_t seed : kSeeds)
    for (const bool scaled : {false, true}) {
      const Drawn x(seed);
      const Trace t = x.trace(scaled ? "scaled_dot" : "dot");
      const Numbers delta = x.delta(t);
      const double s = scaled ? 1 / std::sqrt(static_cast<double>(kQuery)) : 1;
      Numbers dq(kQuery), e;
      Rows dk = zeros(x.k);
      for (size_t j = 0; j < kPositions; ++j) {
        e.push_back(s * dot(x.q, x.k[j]));
        add(dq, s * delta[j], x.k[j]);
        add(dk[j], s * delta[j], x.q);
      }
      // The scaled scores are called e.
      expect_near(at(t, "e").value, e, "e_j = q . k_j");
      expect_grads(t, scaled ? "scaled_dot" : "dot", dq, dk);
    }
}

TEST(MicroscopeFormulas, General) {
  for (const uint64_t seed : kSeeds) {
    Drawn x(seed);
    const Rows w = x.matrix(kQuery, kQuery);
    x.params["W"] = w;
    const Trace t = x.trace("general");
    const Numbers delta = x.delta(t);
    Numbers seen(kQuery), e;
    Rows dk = zeros(x.k), dw = zeros(w);
    for (size_t j = 0; j < kPositions; ++j) {
      e.push_back(dot(x.q, times(w, x.k[j])));
      add(seen, delta[j], x.k[j]);
      dk[j] = times_transposed(w, x.q);
      for (double& v : dk[j]) v *= delta[j];
      add_outer(dw, delta[j], x.q, x.k[j]);
    }
    expect_near(at(t, "e").value, e, "e_j = q . W k_j");
    expect_grads(t, "general", times(w, seen), dk);
    expect_near(at(t, "W").grad, flat(dw), "dW = sum delta_j q k_j^T");
  }
}

// Additive, and concat as the same with W = [W_q W_k] and no b.
TEST(MicroscopeFormulas, AdditiveAndConcat) {
  for (const uint64_t seed : kSeeds) {
    Drawn x(seed), joined(seed);
    const Rows w_q = x.matrix(kWidth, kQuery), w_k = x.matrix(kWidth, kQuery);
    const Numbers v = x.vector(kWidth), b = x.vector(kWidth);
    x.params = {{"W_q", w_q}, {"W_k", w_k}, {"v", v}, {"b", b}};
    Rows w = w_q;
    for (size_t i = 0; i < kWidth; ++i) w[i].insert(w[i].end(), w_k[i].begin(), w_k[i].end());
    joined.params = {{"W", w}, {"v", v}};
    for (const bool concat : {false, true}) {
      const Drawn& numbers = concat ? joined : x;
      const Trace t = numbers.trace(concat ? "concat" : "additive");
      const Numbers delta = numbers.delta(t);
      Numbers sum(kWidth), dv(kWidth), e;
      Rows dk, dw_k = zeros(w_k), dw_q = zeros(w_q);
      for (size_t j = 0; j < kPositions; ++j) {
        Numbers u = times(w_q, x.q), r(kWidth);
        add(u, 1, times(w_k, x.k[j]));
        if (!concat) add(u, 1, b);
        for (size_t i = 0; i < kWidth; ++i) {
          u[i] = std::tanh(u[i]);
          r[i] = delta[j] * v[i] * (1 - u[i] * u[i]);
        }
        e.push_back(dot(v, u));
        add(sum, 1, r);
        add(dv, delta[j], u);
        dk.push_back(times_transposed(w_k, r));
        add_outer(dw_k, 1, r, x.k[j]);
      }
      add_outer(dw_q, 1, sum, x.q);
      expect_near(at(t, "e").value, e, "e_j = v . u_j");
      expect_grads(t, concat ? "concat" : "additive", times_transposed(w_q, sum), dk);
      expect_near(at(t, "v").grad, dv, "dv = sum delta_j u_j");
      if (!concat) {
        expect_near(at(t, "b").grad, sum, "db = sum r_j");
        expect_near(at(t, "W_q").grad, flat(dw_q), "dW_q = (sum r_j) q^T");
        expect_near(at(t, "W_k").grad, flat(dw_k), "dW_k = sum r_j k_j^T");
      } else {
        for (size_t i = 0; i < kWidth; ++i)
          dw_q[i].insert(dw_q[i].end(), dw_k[i].begin(), dw_k[i].end());
        expect_near(at(t, "W").grad, flat(dw_q), "dW = [dW_q dW_k]");
      }
    }
  }
}

TEST(MicroscopeFormulas, Cosine) {
  for (const uint64_t seed : kSeeds) {
    Drawn x(seed);
    const double beta = 1.5 + x.rng.normal();
    x.params["beta"] = beta;
    const Trace t = x.trace("cosine");
    const Numbers delta = x.delta(t);
    const auto unit = [](Numbers v) {
      const double length = std::sqrt(dot(v, v));
      for (double& one : v) one /= length;
      return std::pair(v, length);
    };
    const auto [qu, ql] = unit(x.q);
    Numbers dq(kQuery), e;
    Rows dk = zeros(x.k);
    double dbeta = 0;
    for (size_t j = 0; j < kPositions; ++j) {
      const auto [ku, kl] = unit(x.k[j]);
      const double cosine = dot(qu, ku);
      e.push_back(beta * cosine);
      dbeta += delta[j] * cosine;
      add(dq, delta[j] * beta / ql, ku);
      add(dq, -delta[j] * beta / ql * cosine, qu);
      add(dk[j], delta[j] * beta / kl, qu);
      add(dk[j], -delta[j] * beta / kl * cosine, ku);
    }
    expect_near(at(t, "e").value, e, "e_j = beta q^ . k_j^");
    expect_grads(t, "cosine", dq, dk);
    expect_near(at(t, "beta").grad, {dbeta}, "dbeta");
    EXPECT_NEAR(dot(at(t, "q").grad, x.q), 0, 1e-12) << "dq is orthogonal to q";
  }
}

// p_t learned: w_s = a_s exp(-(s - p)^2 / (2 sigma^2)), sigma = D / 2, not renormalised.
TEST(MicroscopeFormulas, LocalP) {
  for (const uint64_t seed : kSeeds) {
    Drawn x(seed);
    const double p = 1.2 + 0.1 * x.rng.uniform(-1, 1), width = 6, sigma = width / 2;
    x.params = {{"p", p}, {"D", width}};
    const Trace t = x.trace("local_p");
    const Numbers& a = at(t, "a").value;
    double dp = 0, mean = 0;
    Numbers w, da, delta;
    for (size_t s = 0; s < kPositions; ++s) {
      const double away = static_cast<double>(s) - p;
      const double near = std::exp(-away * away / (2 * sigma * sigma));
      w.push_back(a[s] * near);
      const double dw = dot(x.dc, x.v[s]);
      da.push_back(dw * near);
      mean += a[s] * da.back();
      dp += dw * w.back() * away / (sigma * sigma);
    }
    for (size_t s = 0; s < kPositions; ++s) delta.push_back(a[s] * (da[s] - mean));
    expect_near(at(t, "w").value, w, "w_s");
    expect_near(at(t, "e").grad, delta, "delta_s by way of the Gaussian");
    expect_near(at(t, "p_t").grad, {dp}, "dp = sum dL/dw_s w_s (s - p) / sigma^2");
  }
}

// The last step of every model: dz = (p - y_eps) / N, of padding exactly 0.
TEST(MicroscopeFormulas, TheLossIsPMinusY) {
  Drawn x(4);
  const Trace t = traced(Json{{"mechanism", "dot"},
                              {"query", x.q},
                              {"keys", x.k},
                              {"output", x.matrix(5, kQuery)},
                              {"target", 3}});
  Numbers dz = at(t, "p").value;
  dz[3] -= 1;
  expect_near(at(t, "z").grad, dz, "dz = p - onehot(y)");
}

}  // namespace
}  // namespace heed::microscope
