#include "core/buffer.h"

#include <array>
#include <bit>
#include <new>
#include <vector>

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

struct Pool {
  std::array<std::vector<BufferHeader*>, kClasses> free;
  PoolStats stats;
  ~Pool();
  void trim() {
    for (auto& list : free) {
      for (BufferHeader* head : list) ::operator delete (head, std::align_val_t{64});
      list.clear();
    }
    stats.bytes_held = 0;
  }
};

// Buffers may outlive their thread's pool (statics); they then go straight to the system.
thread_local bool pool_gone = false;
Pool::~Pool() {
  trim();
  pool_gone = true;
}
thread_local Pool pool;

}  // namespace

Buffer::Buffer(size_t bytes) {
  if (bytes > (size_t{1} << 38)) throw std::bad_alloc();
  const uint32_t c = class_of(bytes);
  if (!pool_gone) {
    ++pool.stats.requests;
    if (auto& list = pool.free[c]; !list.empty()) {
      head_ = new (list.back()) BufferHeader;
      list.pop_back();
      pool.stats.bytes_held -= bytes_of(c);
      head_->size_class = c;
      return;
    }
    ++pool.stats.allocations;
  }
  // Under the sanitizer the block ends where the caller's request ends.
  const size_t payload = kReuse ? bytes_of(c) : bytes;
  void* memory = ::operator new (sizeof(BufferHeader) + payload, std::align_val_t{64});
  head_ = new (memory) BufferHeader;
  head_->size_class = c;
}

void Buffer::release(BufferHeader* head) {
  if (kReuse && !pool_gone) {
    pool.free[head->size_class].push_back(head);
    pool.stats.bytes_held += bytes_of(head->size_class);
  } else {
    ::operator delete (head, std::align_val_t{64});
  }
}

PoolStats pool_stats() {
  return pool_gone ? PoolStats{} : pool.stats;
}

void trim_pool() {
  if (!pool_gone) pool.trim();
}

}  // namespace heed
