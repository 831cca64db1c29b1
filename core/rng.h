// Random numbers from a counter: number i of a stream is a pure function of (key, i), so a dropout
// mask depends on the position of an element and not on the thread or the order that drew it.
// Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
// No `rand`, no `random_device`: a run owns one Rng and prints its seed.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace heed {

/// Four random words: block `counter` of the stream `key`.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter);

/// A stream of random numbers. Copies continue independently from the same place.
class Rng {
 public:
  explicit Rng(uint64_t seed) : key_(seed) {}

  /// An independent stream for a purpose ("init", "shuffle", ...) or a number (epoch, worker).
  /// Does not advance this one.
  [[nodiscard]] Rng fork(std::string_view purpose) const;
  [[nodiscard]] Rng fork(uint64_t number) const;

  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, ..., n-1}, without modulo bias; n >= 1 (throws std::invalid_argument).
  uint64_t below(uint64_t n);
  /// Standard normal (Box & Muller 1958).
  double normal();

  /// Fisher-Yates shuffle.
  template <class T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  /// A key for numbers that depend on position only (`uniform_at`); advances this stream.
  uint64_t next_key() { return next_u64(); }

  /// Where the stream stands: all that is needed to go on later from here (see `restore`).
  struct State {
    uint64_t key, counter;
    uint32_t used;
  };
  [[nodiscard]] State state() const { return {key_, counter_, used_}; }
  static Rng restore(const State& s);

 private:
  uint64_t key_;
  uint64_t counter_ = 0;             // next block
  std::array<uint32_t, 4> block_{};  // current block
  uint32_t used_ = 4;                // words of it already handed out
};

/// Number `index` of the stream `key`, uniform in [0, 1): the same from every thread.
double uniform_at(uint64_t key, uint64_t index);

}  // namespace heed
