#include "core/buffer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace heed {

// What blocks are cut from. Afterwards they are on their own: each goes back to the pool of
// whatever thread, and the chunk to the system when the last of its parts did.
struct alignas(64) Chunk {
  uint64_t number = 0;            // of all chunks, in the order of their making
  size_t bytes = 0;               // this header too
  std::atomic<int64_t> parts{1};  // blocks and spans not yet gone back to the system
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

// Smaller blocks are kept by size class and found at once. Larger ones are cut to size from spans
// of free memory, which grow together again: sentences of other lengths ask for blocks of other
// sizes.
constexpr size_t kLarge = size_t{1} << 15, kMost = size_t{1} << 38;

// One class up to 64 bytes, then eight per power of two: at most an eighth of a block is slack.
constexpr uint32_t kClasses = 8 * 9 + 1, kNoClass = kClasses;

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

size_t whole_lines(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

constexpr size_t kChunk = size_t{32} << 20;  // or a multiple, for a block that is larger

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

Chunk* new_chunk(size_t bytes) {
  void* memory = ::operator new(bytes, kAligned);
  prefer_huge_pages(memory, bytes);
  static std::atomic<uint64_t> made{0};
  return new (memory) Chunk{.number = made.fetch_add(1, std::memory_order_relaxed), .bytes = bytes};
}
void leave(Chunk* chunk) {
  if (chunk->parts.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(chunk, kAligned);
}
void to_system(Chunk* chunk, void* part, size_t bytes) {
  if (chunk->parts.load(std::memory_order_relaxed) > 1) empty_pages(part, bytes);  // others stay
  leave(chunk);
}
// Not inlined, like what follows for large and new blocks, so that taking and giving a small block
// does not pay for their registers.
[[gnu::noinline]] void to_system(BufferHeader* head) {
  if (head->chunk)
    to_system(head->chunk, head, head->bytes);
  else
    ::operator delete(head, kAligned);
}

// Plain data that needs no construction, so that using it costs no more than a static's address.
struct Pool {
  std::array<BufferHeader*, kClasses> free{};
  Chunk* chunk = nullptr;  // of which next to end may be cut into small blocks
  std::byte *next = nullptr, *end = nullptr;
  PoolStats stats;
  bool guarded = false;  // this thread's end will trim it
  bool gone = false;     // buffers may outlive it (statics); they then go straight to the system
};
constinit thread_local Pool pool;

// A part of a chunk that is free. No two of one thread are neighbours.
struct Span {
  uint64_t number;  // of the chunk
  std::byte* at;
  size_t bytes;
  Chunk* chunk;
  std::byte* end() const { return at + bytes; }
  bool whole() const { return bytes == chunk->bytes - sizeof(Chunk); }
  bool operator<(const Span& o) const { return std::tie(number, at) < std::tie(o.number, o.at); }
};

struct Guard {
  std::vector<Span> spans;  // by chunk, and inside it by address
  void wake() { pool.guarded = true; }
  void trim() {
    for (BufferHeader*& list : pool.free)
      while (list) to_system(std::exchange(list, list->next));
    for (const Span& s : std::exchange(spans, {})) to_system(s.chunk, s.at, s.bytes);
  }
  ~Guard() {
    trim();
    if (pool.chunk) leave(std::exchange(pool.chunk, nullptr));
    pool.gone = true;
  }
};
thread_local Guard guard;

constexpr size_t kLeastSpan = sizeof(BufferHeader) + kLarge + 64;  // the smallest large block

// A block that is by itself: where nothing is reused, or when this thread's pool is gone.
BufferHeader* lone_block(size_t bytes) {
  return new (::operator new(sizeof(BufferHeader) + bytes, kAligned))
      BufferHeader{.size_class = kNoClass};
}

[[gnu::noinline]] BufferHeader* new_small_block(size_t bytes, uint32_t size_class) {
  ++pool.stats.allocations;
  if (!kReuse || pool.gone) return lone_block(bytes);
  const size_t size = sizeof(BufferHeader) + whole_lines(bytes_of(size_class));
  if (static_cast<size_t>(pool.end - pool.next) < size) {
    Chunk* chunk = new_chunk(kChunk);
    if (!pool.guarded) guard.wake();
    if (pool.chunk) leave(pool.chunk);
    pool.chunk = chunk;
    pool.next = reinterpret_cast<std::byte*>(chunk + 1);
    pool.end = reinterpret_cast<std::byte*>(chunk) + kChunk;
  }
  pool.chunk->parts.fetch_add(1, std::memory_order_relaxed);
  return new (std::exchange(pool.next, pool.next + size))
      BufferHeader{.size_class = size_class, .bytes = size, .chunk = pool.chunk};
}

// From the first span that is large enough, of the oldest chunk: those further on stay whole.
[[gnu::noinline]] BufferHeader* take_large(size_t bytes) {
  if (bytes > kMost) throw std::bad_alloc();
  if (!kReuse || pool.gone) {
    ++pool.stats.allocations;
    return lone_block(bytes);
  }
  const size_t size = sizeof(BufferHeader) + whole_lines(bytes);
  std::vector<Span>& spans = guard.spans;
  auto s = std::ranges::find_if(spans, [=](const Span& free) { return free.bytes >= size; });
  if (s == spans.end()) {
    ++pool.stats.allocations;
    // Chunks that are free as a whole are too small, or one would have fitted. They go first, or
    // blocks that grow and grow would leave all of their sizes behind.
    std::erase_if(spans, [](const Span& free) {
      const bool whole = free.whole();
      if (whole) leave(free.chunk);
      return whole;
    });
    spans.reserve(spans.size() + 1);  // first: if it throws, no chunk is lost
    Chunk* chunk = new_chunk((sizeof(Chunk) + size + kChunk - 1) / kChunk * kChunk);
    const Span whole{chunk->number, reinterpret_cast<std::byte*>(chunk + 1),
                     chunk->bytes - sizeof(Chunk), chunk};
    s = spans.insert(std::upper_bound(spans.begin(), spans.end(), whole), whole);
  }
  Span cut = *s;  // the rest goes with it if it is too small for another
  if (s->bytes - size >= kLeastSpan) {
    cut.chunk->parts.fetch_add(1, std::memory_order_relaxed);
    cut.bytes = size;
    s->at += size;
    s->bytes -= size;
  } else {
    spans.erase(s);
  }
  return new (cut.at) BufferHeader{.size_class = kNoClass, .bytes = cut.bytes, .chunk = cut.chunk};
}

[[gnu::noinline]] void give_large(BufferHeader* head) {
  if (!head->chunk) return to_system(head);
  const Span span{head->chunk->number, reinterpret_cast<std::byte*>(head), head->bytes,
                  head->chunk};
  std::vector<Span>& spans = guard.spans;
  auto after = std::upper_bound(spans.begin(), spans.end(), span);
  // Between chunks lies the beginning of one, so neighbours are of one chunk.
  const bool joins_after = after != spans.end() && span.end() == after->at;
  const bool joins_before = after != spans.begin() && std::prev(after)->end() == span.at;
  span.chunk->parts.fetch_sub(joins_after + joins_before, std::memory_order_relaxed);
  if (joins_before) {
    std::prev(after)->bytes += span.bytes + (joins_after ? after->bytes : 0);
    if (joins_after) spans.erase(after);
  } else if (joins_after) {
    after->at = span.at;
    after->bytes += span.bytes;
  } else {
    try {
      spans.insert(after, span);
    } catch (const std::bad_alloc&) {  // of the list; a destructor must not throw
      to_system(head);
    }
  }
}

}  // namespace

BufferHeader* take_block(size_t bytes) {
  ++pool.stats.requests;
  if (bytes > kLarge) return take_large(bytes);
  const uint32_t c = class_of(bytes);
  if (!pool.free[c]) return new_small_block(bytes, c);
  BufferHeader* head = std::exchange(pool.free[c], pool.free[c]->next);
  head->refs.store(1, std::memory_order_relaxed);
  head->version.store(0, std::memory_order_relaxed);
  return head;
}

void give_block(BufferHeader* head) {
  if (!kReuse || pool.gone) return to_system(head);
  if (!pool.guarded) guard.wake();
  if (head->size_class == kNoClass) return give_large(head);
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
    for (; head; head = head->next) bytes += head->bytes;
  if (!pool.gone)
    for (const Span& s : guard.spans) bytes += s.bytes;
  return bytes;
}

void trim_pool() {
  if (!pool.gone) guard.trim();
}

}  // namespace heed
