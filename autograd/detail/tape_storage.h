// What a Tape owns, in one place so that it can be reused. Private to autograd/.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/tape.h"

namespace heed {

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
  size_t chunk = 0, used = 0;

  ~TapeStorage() { clear(); }
  void* allocate(size_t bytes, size_t align) {
    used = (used + align - 1) & ~(align - 1);  // a power of two
    if (chunk == chunks.size() || used + bytes > kChunk) {
      if (chunk < chunks.size()) ++chunk;
      if (chunk == chunks.size()) chunks.push_back(std::make_unique<Chunk>());
      used = 0;
    }
    void* place = chunks[chunk]->bytes + used;
    used += bytes;
    return place;
  }
  void clear();
};

}  // namespace heed
