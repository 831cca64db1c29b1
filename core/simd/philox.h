// Philox 4x32-10 (see core/rng.h) for many blocks at once: one block in each 64-bit lane. Included
// only by core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here
// has internal linkage.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "core/simd/riffle.h"

namespace {

#if defined(__AVX512F__)
constexpr int kBlocks = 8;
#elif defined(__AVX2__)
constexpr int kBlocks = 4;
#else
constexpr int kBlocks = 2;
#endif

typedef uint64_t Words __attribute__((vector_size(sizeof(uint64_t) * kBlocks)));

// The low halves of a and b multiplied: 64 bits. By name, because g++ 12 multiplies whole lanes.
inline Words product_of_low(Words a, Words b) {
#if defined(__AVX512F__)
  // With a mask of ones: g++ 12 takes part of the header's plain form for uninitialised.
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// Blocks at a time. A round waits for the multiplications of the one before, so several groups of
// lanes take turns.
#if defined(__AVX512F__)
constexpr int kGroups = 4;
#else
constexpr int kGroups = 2;  // there are half as many registers
#endif
constexpr int kTogether = kGroups * kBlocks;

template <size_t... I>
Words count_up(uint64_t first, std::index_sequence<I...>) {
  return (Words{} + first) + Words{I...};
}

// Words 0 and 1 of a group's blocks are the halves of the lanes of `front`, words 2 and 3 of
// `back`.
inline void philox_blocks(uint64_t key, uint64_t first, Words front[kGroups], Words back[kGroups]) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57, kLow = 0xffffffff;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  // The lower halves hold the words a, b, c, d; the upper ones are whatever was left there, which
  // the multiplications do not read.
  Words a[kGroups], b[kGroups], c[kGroups] = {}, d[kGroups] = {};
  for (int g = 0; g < kGroups; ++g) {
    a[g] =
        count_up(first + static_cast<uint64_t>(g * kBlocks), std::make_index_sequence<kBlocks>{});
    b[g] = a[g] >> 32;
  }
#pragma GCC unroll 10  // so that a word may be in another register in every round
  for (int round = 0; round < 10; ++round) {
    for (int g = 0; g < kGroups; ++g) {
      const Words p0 = product_of_low(a[g], Words{} + kMul0);
      const Words p1 = product_of_low(c[g], Words{} + kMul1);
      a[g] = (p1 >> 32) ^ b[g] ^ k0;
      b[g] = p1;
      c[g] = (p0 >> 32) ^ d[g] ^ k1;
      d[g] = p0;
    }
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  for (int g = 0; g < kGroups; ++g) {
    front[g] = (a[g] & kLow) | b[g] << 32;
    back[g] = (c[g] & kLow) | d[g] << 32;
  }
}

static_assert(std::endian::native == std::endian::little, "word 0 is the lower half of a lane");

void philox_all(uint64_t key, uint64_t first, int64_t count, uint32_t* words) {
  for (int64_t i = 0; i < count; i += kTogether) {
    Words front[kGroups], back[kGroups];
    philox_blocks(key, first + static_cast<uint64_t>(i), front, back);
    uint32_t rest[4 * kTogether];
    uint32_t* to = count - i < kTogether ? rest : words + 4 * i;
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {  // a block's words are one of front and one of back
      Words low, high;
      riffle(front[g], back[g], low, high, std::make_index_sequence<kBlocks>{});
      std::memcpy(to + 4 * kBlocks * g, &low, sizeof low);
      std::memcpy(to + 4 * kBlocks * g + 2 * kBlocks, &high, sizeof high);
    }
    if (to == rest)
      std::memcpy(words + 4 * i, rest, 4 * sizeof(uint32_t) * static_cast<size_t>(count - i));
  }
}

}  // namespace
