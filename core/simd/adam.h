// Adam's update of some weights (optim/adam.h has the formula). Included only by
// core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here has
// internal linkage.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "core/simd/gemm.h"

namespace {

using heed::simd::AdamStep;

// The new weight; m and v are updated.
inline float adam_of(float w, float g, float& m, float& v, const AdamStep& s) {
  const float d = g + s.l2 * w;
  m = s.beta1 * m + s.rest1 * d;
  v = s.beta2 * v + s.rest2 * d * d;
  return w - (s.rate * m / (std::sqrt(v) * s.scale_v + s.eps) + s.decay * w);
}

// Past the caches, where the CPU has a store for that; p is a multiple of a vector's size.
inline void store_past_caches(float* p, Vec y) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, y);
#elif defined(__AVX__)
  _mm256_stream_ps(p, y);
#elif defined(__SSE2__)
  _mm_stream_ps(p, y);
#else
  store(p, y);
#endif
}
// What was stored so is seen by other threads before whatever is stored after this.
inline void end_of_stores_past_caches() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

void adam_all(int64_t n, float* w, float* m, float* v, const float* g, const AdamStep& step) {
  const AdamStep s = step;  // a copy that no store below can reach
  if (!s.past_caches) {
    for (int64_t i = 0; i < n; ++i) w[i] = adam_of(w[i], g[i], m[i], v[i], s);
    return;
  }
  constexpr int64_t kPart = 512, kLine = 64 / sizeof(float);
  float after[kPart];
  const auto in_line = [&](int64_t i) {  // elements from the beginning of a cache line to w[i]
    return static_cast<int64_t>(reinterpret_cast<uintptr_t>(w + i) / sizeof(float)) % kLine;
  };
  for (int64_t begin = 0, end; begin < n; begin = end) {
    end = std::min(n, begin + kPart - in_line(begin));
    for (int64_t i = begin; i < end; ++i) after[i - begin] = adam_of(w[i], g[i], m[i], v[i], s);
    const float* from = after;
    int64_t i = begin;
    for (; i < end && in_line(i) != 0; ++i) w[i] = *from++;
    for (; i + kLane <= end; i += kLane, from += kLane) store_past_caches(w + i, load(from));
    for (; i < end; ++i) w[i] = *from++;
  }
  end_of_stores_past_caches();
}

}  // namespace
