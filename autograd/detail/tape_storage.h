// What a Tape owns, in one place so that it can be reused. Private to autograd/.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/tape.h"

namespace heed {

// Appends, and leaves making room to a call of its own: what is put in its place here is short.
template <class T>
[[gnu::noinline, gnu::cold]] void make_room(std::vector<T>& v) {
  v.reserve(std::max<size_t>(64, 2 * v.size()));
}
template <class T, class... Args>
[[gnu::always_inline]] inline T& append_to(std::vector<T>& v, Args&&... args) {
  if (v.size() == v.capacity()) [[unlikely]]
    make_room(v);
  if (v.size() == v.capacity()) __builtin_unreachable();  // or room would be made here once more
  return v.emplace_back(std::forward<Args>(args)...);
}

struct TapeStorage {
  static constexpr size_t kChunk = size_t{1} << 16;
  struct alignas(64) Chunk {
    std::byte bytes[kChunk];
  };

  std::vector<Node> nodes;
  std::vector<int32_t> edges;
  std::vector<Slot> slots;
  LeafMap leaves;                                  // leaf -> slot
  std::unordered_map<int32_t, std::string> names;  // slot -> name, only where somebody gave one
  std::vector<std::unique_ptr<Chunk>> chunks;      // op structs
  size_t chunk = 0;                                // the one in use
  std::byte *next = nullptr, *end = nullptr;       // what is left of it

  ~TapeStorage() { clear(); }
  void* allocate(size_t bytes, size_t align) {  // a power of two
    for (;;) {
      const size_t gap = -reinterpret_cast<uintptr_t>(next) & (align - 1);
      if (gap + bytes <= static_cast<size_t>(end - next)) [[likely]] {
        void* place = next + gap;
        next += gap + bytes;
        return place;
      }
      another_chunk();
    }
  }
  // Asks for the lines that the next op will write to, a node, a slot and a struct or two of
  // tensors. A count of owners that others may change waits until everything before it is written,
  // and would wait for these lines too. (g++ takes a function that only prefetches for one without
  // effect, unless it is inlined early.)
  [[gnu::always_inline]] inline void fetch_ahead() const {
    const auto* slot = reinterpret_cast<const std::byte*>(slots.data() + slots.size());
    __builtin_prefetch(nodes.data() + nodes.size() + 1, 1);
    __builtin_prefetch(slot + 64, 1), __builtin_prefetch(slot + 128, 1);
    __builtin_prefetch(next + 64, 1), __builtin_prefetch(next + 128, 1);
    __builtin_prefetch(next + 192, 1);
  }
  void another_chunk();
  void clear();
};

}  // namespace heed
