// The program's own operator new, which counts its calls, whoever makes them: claims about
// allocations are about all of them. A file by itself: a compiler that sees both these bodies and
// their use takes the pairs of new and free for a mistake.
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/bench/measure.h"

namespace {

std::atomic<uint64_t> calls{0};

void* counted(void* memory) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) {
  return counted(std::malloc(bytes > 0 ? bytes : 1));
}
void* operator new(size_t bytes, std::align_val_t align) {
  const auto a = static_cast<size_t>(align);
  return counted(std::aligned_alloc(a, (bytes / a + 1) * a));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

uint64_t heed::bench::allocations() {
  return calls.load(std::memory_order_relaxed);
}
