#include "core/rng.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace heed {
namespace {

// SplitMix64 finaliser (Steele, Lea & Flood 2014): spreads nearby keys over all 64 bits.
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;  // multipliers of the paper
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  std::array<uint32_t, 4> c{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0,
                            0};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMul0 * c[0], p1 = kMul1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return c;
}

Rng Rng::fork(std::string_view purpose) const {
  uint64_t h = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char ch : purpose) h = (h ^ static_cast<unsigned char>(ch)) * 0x100000001b3ULL;
  return fork(h);
}

Rng Rng::fork(uint64_t number) const {
  return Rng(mix(mix(key_) ^ mix(number + 1)));
}

uint32_t Rng::next_u32() {
  if (used_ == 4) {
    block_ = philox(key_, counter_++);
    used_ = 0;
  }
  return block_[used_++];
}

uint64_t Rng::next_u64() {
  const uint64_t low = next_u32();
  return low | static_cast<uint64_t>(next_u32()) << 32;
}

double Rng::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

uint64_t Rng::below(uint64_t n) {
  require(n >= 1, "Rng::below: expected n >= 1, got {}", n);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;  // reject the incomplete last stretch
  uint64_t x = next_u64();
  while (x >= limit) x = next_u64();
  return x % n;
}

double Rng::normal() {
  const double u = 1.0 - uniform();  // (0, 1]: log is finite
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
}

Rng Rng::restore(const State& s) {
  Rng r(s.key);
  r.counter_ = s.counter;
  r.used_ = s.used;
  if (s.used < 4) r.block_ = philox(s.key, s.counter - 1);
  return r;
}

double uniform_at(uint64_t key, uint64_t index) {
  const auto w = philox(key, index / 2);
  const size_t at = index % 2 * 2;
  const uint64_t bits = w[at] | static_cast<uint64_t>(w[at + 1]) << 32;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace heed
