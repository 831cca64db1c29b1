#include "core/buffer.h"

#include <array>
#include <bit>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace heed {

// Blocks are cut from chunks, one after the other. Afterwards they are on their own: each goes back
// to the pool of whatever thread, and the chunk to the system when the last of them did.
struct alignas(64) Chunk {
  std::atomic<int64_t> blocks{1};  // not yet gone back to the system, and 1 while more may be cut
};

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

// Larger blocks are by themselves.
constexpr size_t kChunk = size_t{8} << 20, kMostOfChunk = size_t{2} << 20;

constexpr std::align_val_t kAligned{64};

#if defined(__linux__)
uintptr_t down(uintptr_t at, uintptr_t page) {
  return at / page * page;
}
uintptr_t up(uintptr_t at, uintptr_t page) {
  return down(at + page - 1, page);
}
// Asks for huge pages: a step walks through more memory than a CPU keeps the small pages of in
// mind. Where they are not this memory's alone the rest is mostly blocks too.
void prefer_huge_pages(void* memory, size_t bytes) {
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  const auto at = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = down(at, kHugePage), end = up(at + bytes, kHugePage);
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}
// The whole pages of this memory go to the system until they are written to again.
void empty_pages(void* memory, size_t bytes) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = up(at, page), end = down(at + bytes, page);
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}
#else
void prefer_huge_pages(void*, size_t) {}
void empty_pages(void*, size_t) {}
#endif

void leave(Chunk* chunk) {
  if (chunk->blocks.fetch_sub(1, std::memory_order_acq_rel) == 1)
    ::operator delete(chunk, kAligned);
}
// Not inlined, nor is from_system, so that taking and giving a block does not pay for their
// registers.
[[gnu::noinline]] void to_system(BufferHeader* head) {
  Chunk* chunk = head->chunk;
  if (!chunk) return ::operator delete(head, kAligned);
  // Others may use the rest of the chunk for long.
  if (chunk->blocks.load(std::memory_order_relaxed) > 1)
    empty_pages(head->data(), bytes_of(head->size_class));
  leave(chunk);
}

// Plain data that needs no construction, so that using it costs no more than a static's address.
struct Pool {
  std::array<BufferHeader*, kClasses> free{};
  Chunk* chunk = nullptr;  // of which next to end may be cut
  std::byte *next = nullptr, *end = nullptr;
  PoolStats stats;
  bool guarded = false;  // this thread's end will trim it
  bool gone = false;     // buffers may outlive it (statics); they then go straight to the system
};
constinit thread_local Pool pool;

void trim() {
  for (BufferHeader*& list : pool.free)
    while (list) to_system(std::exchange(list, list->next));
}

struct Guard {
  void wake() { pool.guarded = true; }
  ~Guard() {
    trim();
    if (pool.chunk) leave(std::exchange(pool.chunk, nullptr));
    pool.gone = true;
  }
};
thread_local Guard guard;

[[gnu::noinline]] BufferHeader* from_system(size_t bytes, uint32_t size_class) {
  if (bytes > (size_t{1} << 38)) throw std::bad_alloc();
  // Under the sanitizer the block ends where the caller's request ends.
  const size_t payload = kReuse ? (bytes_of(size_class) + 63) / 64 * 64 : bytes;
  const size_t size = sizeof(BufferHeader) + payload;
  if (!kReuse || pool.gone || size > kMostOfChunk) {
    void* block = ::operator new(size, kAligned);
    if (size > kMostOfChunk) prefer_huge_pages(block, size);
    return new (block) BufferHeader{.size_class = size_class};
  }
  if (static_cast<size_t>(pool.end - pool.next) < size) {
    void* memory = ::operator new(kChunk, kAligned);
    prefer_huge_pages(memory, kChunk);
    if (!pool.guarded) guard.wake();
    if (pool.chunk) leave(pool.chunk);
    pool.chunk = new (memory) Chunk;
    pool.next = static_cast<std::byte*>(memory) + sizeof(Chunk);
    pool.end = static_cast<std::byte*>(memory) + kChunk;
  }
  pool.chunk->blocks.fetch_add(1, std::memory_order_relaxed);
  return new (std::exchange(pool.next, pool.next + size))
      BufferHeader{.size_class = size_class, .chunk = pool.chunk};
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
    head->refs.store(1, std::memory_order_relaxed);
    head->version.store(0, std::memory_order_relaxed);
    return head;
  }
  ++pool.stats.allocations;
  return from_system(bytes, c);
}

void give_block(BufferHeader* head) {
  if (!kReuse || pool.gone) return to_system(head);
  if (!pool.guarded) guard.wake();
  head->next = std::exchange(pool.free[head->size_class], head);
}

bool pool_reuses() {
  return kReuse;
}

PoolStats pool_stats() {
  return pool.stats;
}

uint64_t pool_bytes_held() {
  uint64_t bytes = 0;
  for (const BufferHeader* head : pool.free)
    for (; head; head = head->next) bytes += bytes_of(head->size_class);
  return bytes;
}

void trim_pool() {
  trim();
}

}  // namespace heed
