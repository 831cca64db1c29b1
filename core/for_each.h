// Independent pieces of one job, for whoever may have threads to share them out to.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>

namespace heed {

/// Calls f(0) ... f(count - 1), each once, in any order and on any threads, and returns when all
/// have ended. No piece may depend on another. In what every step does, pass std::cref of a lambda
/// that captures more than two references: std::function would take memory for a copy of it.
using ForEach = std::function<void(int64_t count, const std::function<void(int64_t piece)>& f)>;

/// On this thread, one after the other.
inline void one_by_one(int64_t count, const std::function<void(int64_t piece)>& f) {
  for (int64_t i = 0; i < count; ++i) f(i);
}

/// Elements of a piece: worth handing over, and the same whatever the number of threads, so that a
/// sum over pieces is too.
inline constexpr int64_t kPiece = int64_t{1} << 15;

/// Calls f(begin, end) for the pieces of [begin, end).
template <class F>
void cut(int64_t begin, int64_t end, F f) {
  for (; begin < end; begin += kPiece) f(begin, std::min(end, begin + kPiece));
}

}  // namespace heed
