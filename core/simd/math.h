// exp, tanh and sigmoid for f32 as branch-free code that a compiler turns into vector instructions
// of whatever width it is allowed. Included only by core/simd/kernels.cpp, which is compiled once
// per instruction set; hence everything here has internal linkage.
#pragma once
#include <bit>
#include <cstdint>

namespace {

// e^x. Range reduction x = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 in two parts (Cody & Waite), then
// a degree-6 polynomial (minimax, as in Cephes expf), then 2^n in two factors so that results near
// the ends of the range (subnormal, infinite) come out right. Error <= 2 ulp; NaN stays NaN.
inline float exp_of(float x) {
  constexpr float kLow = -104.0f, kHigh = 89.0f;  // beyond: 0 and infinity
  x = x < kLow ? kLow : x;
  x = x > kHigh ? kHigh : x;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341f + kMagic;
  const float n = shifted - kMagic;
  const int32_t k = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kMagic);
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t half = k >> 1;
  const float a = std::bit_cast<float>((half + 127) << 23);
  const float b = std::bit_cast<float>((k - half + 127) << 23);
  return p * a * b;
}

// tanh x, computed for |x| and given the sign of x (so that -0 stays -0). Near 0 an odd polynomial
// (Cephes tanhf), elsewhere 1 - 2 / (e^(2|x|) + 1); both are computed and one is chosen. Error <= 3
// ulp.
inline float tanh_of(float x) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const float a = std::bit_cast<float>(bits & ~kSign);
  const float far = 1.0f - 2.0f / (exp_of(2.0f * (a > 10.0f ? 10.0f : a)) + 1.0f);
  const float z = a * a;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * a + a;
  const float y = a < 0.625f ? near : far;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(y) | (bits & kSign));
}

// 1 / (1 + e^-x). Error <= 3 ulp down to -88; below, where the result is under 1e-38, it falls to 0
// a little early.
inline float sigmoid_of(float x) {
  return 1.0f / (1.0f + exp_of(-x));
}

}  // namespace
