// Adam's update of some weights (optim/adam.h has the formula). Included only by
// core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here has
// internal linkage.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "core/simd/gemm.h"

namespace {

using heed::simd::AdamStep;

// Past the caches, where the CPU has a store for that; p is a multiple of a vector's size.
inline void store_past_caches(float* p, Vec y) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, y);
#elif defined(__AVX2__)
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

// to = from, as far as possible past the caches.
inline void copy_past_caches(int64_t n, const float* from, float* to) {
  int64_t i = 0;
  for (; i < n && reinterpret_cast<uintptr_t>(to + i) % sizeof(Vec) != 0; ++i) to[i] = from[i];
  for (; i + kLane <= n; i += kLane) store_past_caches(to + i, load(from + i));
  for (; i < n; ++i) to[i] = from[i];
}

// The new weights are written when a part of them is complete, which ends where a line of the cache
// does: in one way or the other, but computed by the same instructions, so that they are the same.
void adam_all(int64_t n, float* w, float* m, float* v, const float* g, const AdamStep& step) {
  const AdamStep s = step;  // a copy that no store below can reach
  constexpr int64_t kPart = 512, kLine = 64 / sizeof(float);
  float after[kPart];
  for (int64_t begin = 0, end; begin < n; begin = end) {
    const auto place = static_cast<int64_t>(reinterpret_cast<uintptr_t>(w + begin) / sizeof(float));
    end = least(n, begin + kPart - place % kLine);
    for (int64_t i = begin; i < end; ++i) {
      const float d = g[i] + s.l2 * w[i];
      m[i] = s.beta1 * m[i] + s.rest1 * d;
      v[i] = s.beta2 * v[i] + s.rest2 * d * d;
      after[i - begin] =
          w[i] - (s.rate * m[i] / (std::sqrt(v[i]) * s.scale_v + s.eps) + s.decay * w[i]);
    }
    if (s.past_caches)
      copy_past_caches(end - begin, after, w + begin);
    else
      std::memcpy(w + begin, after, sizeof(float) * static_cast<size_t>(end - begin));
  }
  if (s.past_caches) end_of_stores_past_caches();
}

}  // namespace
