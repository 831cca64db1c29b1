// Philox 4x32-10 (see core/rng.h) for many blocks at once: one block in each 64-bit lane. Included
// only by core/simd/kernels.cpp, which is compiled once per instruction set; hence everything here
// has internal linkage.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kBlocks = 8;
#elif defined(__AVX2__)
constexpr int kBlocks = 4;
#else
constexpr int kBlocks = 2;
#endif

typedef uint64_t Words __attribute__((vector_size(sizeof(uint64_t) * kBlocks)));

inline Words low_half(Words x) {
  return x & 0xffffffffu;
}

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
  return low_half(a) * low_half(b);
#endif
}

// Words 0 and 1 of each block in the halves of a lane of `front`, words 2 and 3 in `back`.
inline void philox_blocks(uint64_t key, uint64_t first, Words& front, Words& back) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  Words counter;
  for (int l = 0; l < kBlocks; ++l) counter[l] = first + static_cast<uint64_t>(l);
  Words a = low_half(counter), b = counter >> 32, c{}, d{};
  for (int round = 0; round < 10; ++round) {
    const Words p0 = product_of_low(a, Words{} + kMul0), p1 = product_of_low(c, Words{} + kMul1);
    a = (p1 >> 32) ^ b ^ k0;
    b = low_half(p1);
    c = (p0 >> 32) ^ d ^ k1;
    d = low_half(p0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  front = a | b << 32;
  back = c | d << 32;
}

static_assert(std::endian::native == std::endian::little, "word 0 is the lower half of a lane");

void philox_all(uint64_t key, uint64_t first, int64_t count, uint32_t* words) {
  for (int64_t i = 0; i < count; i += kBlocks) {
    Words front, back;
    philox_blocks(key, first + static_cast<uint64_t>(i), front, back);
    const int n = count - i < kBlocks ? static_cast<int>(count - i) : kBlocks;
    for (int l = 0; l < n; ++l) {
      const uint64_t block[] = {front[l], back[l]};
      std::memcpy(words + 4 * (i + l), block, sizeof block);
    }
  }
}

}  // namespace
