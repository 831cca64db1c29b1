// Compiled once per instruction set with -DHEED_SIMD=<name>; defines heed::simd::<name>. Plain
// loops: the flags of this file, and of this file only, decide how wide they run.
#include <cmath>

#include "core/simd/gemm.h"
#include "core/simd/math.h"
#include "core/simd/table.h"

#ifndef HEED_SIMD
#define HEED_SIMD baseline
#endif
#define HEED_TEXT2(x) #x
#define HEED_TEXT(x) HEED_TEXT2(x)

namespace heed::simd {
namespace {

void exp_all(int64_t n, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = exp_of(x[i]);
}
void tanh_all(int64_t n, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = tanh_of(x[i]);
}
void sigmoid_all(int64_t n, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = sigmoid_of(x[i]);
}

// Reductions keep kLanes partial results, which vectorises without reordering a sum behind the
// caller's back: the order is fixed and part of the result.
constexpr int64_t kLanes = 16;

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
  for (int64_t i = 0; i < n; ++i) y[i] = exp_of(x[i] - m);
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
                      adam_all};

}  // namespace heed::simd
