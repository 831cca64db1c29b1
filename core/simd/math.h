// exp, tanh and sigmoid for f32 as branch-free code that a compiler turns into vector instructions
// of whatever width it is allowed. Included only by core/simd/kernels.cpp, which is compiled once
// per instruction set; hence everything here has internal linkage.
#pragma once
#include <bit>
#include <cstdint>

namespace {

// x = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 in two parts (Cody & Waite).
struct Reduced {
  int32_t n;
  float r;
};
inline Reduced reduce(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341f + kMagic;
  const float n = shifted - kMagic;
  const float r = x - n * 0.693359375f;
  return {std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kMagic),
          r - n * -2.12194440e-4f};
}
// e^r = 1 + r + r^2 (kExp[0] + kExp[1] r + ...), minimax, as in Cephes expf.
constexpr float kExp[] = {5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f,
                          8.3334519073e-3f, 1.3981999507e-3f, 1.9875691500e-4f};

// e^x, with 2^n in two factors so that results near the ends of the range (subnormal, infinite)
// come out right. Error <= 2 ulp; NaN stays NaN.
inline float exp_of(float x) {
  constexpr float kLow = -104.0f, kHigh = 89.0f;  // beyond: 0 and infinity
  x = x < kLow ? kLow : x;
  x = x > kHigh ? kHigh : x;
  const auto [n, r] = reduce(x);
  float p = kExp[5];
  for (int i = 4; i >= 0; --i) p = p * r + kExp[i];
  p = p * r * r + r + 1.0f;
  const int32_t half = n >> 1;
  const float a = std::bit_cast<float>((half + 127) << 23);
  const float b = std::bit_cast<float>((n - half + 127) << 23);
  return p * a * b;
}

// tanh x, computed for |x| and given the sign of x (so that -0 stays -0), as e / (e + 2) with e =
// e^(2|x|) - 1: the same reduction and polynomial, e = 2^n (e^r - 1) + (2^n - 1), which near 0 is
// e^r - 1 and loses nothing there. Beyond 10 it is 1. The polynomial goes in two halves, so that a
// single vector of numbers waits less for itself. Error <= 3 ulp.
inline float tanh_of(float x) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const float a = std::bit_cast<float>(bits & ~kSign);
  const auto [n, r] = reduce(2.0f * (a > 10.0f ? 10.0f : a));
  const float r2 = r * r;
  const float high = kExp[5] * r + kExp[4], middle = kExp[3] * r + kExp[2];
  const float low = kExp[1] * r + kExp[0];
  const float p = (high * r2 + middle) * r2 + low;
  const float two_n = std::bit_cast<float>((n + 127) << 23);
  const float e = two_n * (p * r2 + r) + (two_n - 1.0f);
  const float y = e / (e + 2.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(y) | (bits & kSign));
}

// 1 / (1 + e^-x). Error <= 3 ulp down to -88; below, where the result is under 1e-38, it falls to 0
// a little early.
inline float sigmoid_of(float x) {
  return 1.0f / (1.0f + exp_of(-x));
}

}  // namespace
