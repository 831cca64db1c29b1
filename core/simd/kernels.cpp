// Compiled once per instruction set with -DHEED_SIMD=<name>; defines heed::simd::<name>. Plain
// loops: the flags of this file, and of this file only, decide how wide they run.
#include <cmath>

#include "core/simd/gemm.h"
#include "core/simd/math.h"
#include "core/simd/philox.h"
#include "core/simd/table.h"

#ifndef HEED_SIMD
#define HEED_SIMD baseline
#endif
#define HEED_TEXT2(x) #x
#define HEED_TEXT(x) HEED_TEXT2(x)

namespace heed::simd {
namespace {

constexpr int64_t kLanes = 16;

// y = f(x). The rest of a row, all of it where a row is short, goes through a full block too.
template <class F>
void map_all(int64_t n, const float* x, float* y, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) y[i + l] = f(x[i + l]);
  if (i == n) return;
  float rest[kLanes] = {};
  for (int64_t l = 0; i + l < n; ++l) rest[l] = x[i + l];
  for (float& v : rest) v = f(v);
  for (int64_t l = 0; i + l < n; ++l) y[i + l] = rest[l];
}

void exp_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, exp_of);
}
void tanh_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, tanh_of);
}
void sigmoid_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, sigmoid_of);
}

// Reductions keep kLanes partial results, which vectorises without reordering a sum behind the
// caller's back: the order is fixed and part of the result.

template <class F>
float reduce_sum(int64_t n, F term) {
  float lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lane[l] += term(i + l);
  float rest = 0;
  for (; i < n; ++i) rest += term(i);
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0] + rest;
}

float sum_all(int64_t n, const float* x) {
  return reduce_sum(n, [=](int64_t i) { return x[i]; });
}
float dot_all(int64_t n, const float* x, const float* y) {
  return reduce_sum(n, [=](int64_t i) { return x[i] * y[i]; });
}

float max_all(int64_t n, const float* x) {
  float lane[kLanes];
  for (float& l : lane) l = -INFINITY;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
  float m = -INFINITY;
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  for (const float l : lane) m = l > m ? l : m;
  return m;
}

float exp_sum_all(int64_t n, const float* x, float* y, float* max) {
  const float m = max_all(n, x);
  *max = m;
  map_all(n, x, y, [m](float v) { return exp_of(v - m); });
  return sum_all(n, y);
}

void axpy_all(int64_t n, float a, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

void adam_all(int64_t n, float* w, float* m, float* v, const float* g, const AdamStep& step) {
  const AdamStep s = step;  // a copy that no store below can reach
  for (int64_t i = 0; i < n; ++i) {
    const float d = g[i] + s.l2 * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * d;
    v[i] = s.beta2 * v[i] + s.rest2 * d * d;
    w[i] -= s.rate * m[i] / (std::sqrt(v[i]) * s.scale_v + s.eps) + s.decay * w[i];
  }
}

}  // namespace

extern const Table HEED_SIMD;
const Table HEED_SIMD{HEED_TEXT(HEED_SIMD),
                      kLane,
                      exp_all,
                      tanh_all,
                      sigmoid_all,
                      exp_sum_all,
                      sum_all,
                      dot_all,
                      axpy_all,
                      gemm_all,
                      adam_all,
                      philox_all};

}  // namespace heed::simd
