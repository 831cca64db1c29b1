// Independent pieces of one job, for whoever may have threads to share them out to.
#pragma once
#include <cstdint>
#include <functional>

namespace heed {

/// Calls f(0) ... f(count - 1), each once, in any order and on any threads, and returns when all
/// have ended. No piece may depend on another. In what every step does, pass std::cref of a lambda
/// that captures more than two references: std::function would take memory for a copy of it.
struct ForEach : std::function<void(int64_t count, const std::function<void(int64_t piece)>& f)> {
  using function::function;
  bool several_threads = false;  // whether pieces are shared out to more than the calling one
};

/// On this thread, one after the other.
inline void one_by_one(int64_t count, const std::function<void(int64_t piece)>& f) {
  for (int64_t i = 0; i < count; ++i) f(i);
}

}  // namespace heed
