#include "core/buffer.h"

#include <array>
#include <bit>
#include <new>
#include <utility>

namespace heed {
namespace {

// Under AddressSanitizer nothing is reused, so that a stale or out-of-range access is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kReuse = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kReuse = false;
#else
constexpr bool kReuse = true;
#endif
#else
constexpr bool kReuse = true;
#endif

// Eight classes per power of two from 64 bytes up: at most an eighth of a block is slack.
constexpr uint32_t kClasses = 8 * 40;

uint32_t class_of(size_t bytes) {
  if (bytes <= 64) return 0;
  const auto log = static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^log < bytes <= 2^(log + 1)
  const size_t eighth = size_t{1} << (log - 3);
  const size_t above = (bytes - (size_t{1} << log) + eighth - 1) / eighth;  // 1..8
  return static_cast<uint32_t>(log - 6) * 8 + static_cast<uint32_t>(above);
}

size_t bytes_of(uint32_t size_class) {
  const size_t power = size_t{64} << (size_class / 8);
  return power + power / 8 * (size_class % 8);
}

constexpr size_t kLarge = size_t{1} << 20;

// Plain data that needs no construction, so that using it costs no more than a static's address.
struct Pool {
  std::array<BufferHeader*, kClasses> free{};
  PoolStats stats;
  bool guarded = false;  // this thread's end will trim it
  bool gone = false;     // buffers may outlive it (statics); they then go straight to the system
};
constinit thread_local Pool pool;

void trim() {
  for (BufferHeader*& list : pool.free)
    while (list) {
      BufferHeader* head = std::exchange(list, list->next);
      ::operator delete (head, std::align_val_t{64});
    }
  pool.stats.bytes_held = 0;
}

struct Guard {
  void wake() { pool.guarded = true; }
  ~Guard() {
    trim();
    pool.gone = true;
  }
};
thread_local Guard guard;

BufferHeader* from_system(size_t bytes, uint32_t size_class) {
  if (bytes > (size_t{1} << 38)) throw std::bad_alloc();
  // Under the sanitizer the block ends where the caller's request ends.
  const size_t payload = kReuse ? bytes_of(size_class) : bytes;
  return new (::operator new (sizeof(BufferHeader) + payload, std::align_val_t{64}))
      BufferHeader{.size_class = size_class};
}

}  // namespace

BufferHeader* take_block(size_t bytes) {
  uint32_t c = class_of(bytes);
  ++pool.stats.requests;
  // A large block that is up to a quarter too large is better than one more of them.
  for (uint32_t k = 0; bytes >= kLarge && k <= 2 && c + k < kClasses; ++k)
    if (pool.free[c + k]) {
      c += k;
      break;
    }
  if (c < kClasses && pool.free[c]) {
    BufferHeader* head = std::exchange(pool.free[c], pool.free[c]->next);
    pool.stats.bytes_held -= bytes_of(c);
    return new (head) BufferHeader{.size_class = c};
  }
  ++pool.stats.allocations;
  return from_system(bytes, c);
}

void give_block(BufferHeader* head) {
  if (!kReuse || pool.gone) return ::operator delete (head, std::align_val_t{64});
  if (!pool.guarded) guard.wake();
  head->next = std::exchange(pool.free[head->size_class], head);
  pool.stats.bytes_held += bytes_of(head->size_class);
}

bool pool_reuses() {
  return kReuse;
}

PoolStats pool_stats() {
  return pool.stats;
}

void trim_pool() {
  trim();
}

}  // namespace heed
