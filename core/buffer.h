// Memory of tensors: 64-byte aligned, reference counted, taken from and returned to a pool per
// thread, so that a training step like one before asks the system for nothing.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace heed {

struct Chunk;  // what blocks are cut from; see buffer.cpp

/// The header in front of a block of memory. The data begins 64 bytes after it.
struct alignas(64) BufferHeader {
  std::atomic<uint32_t> refs{1};
  std::atomic<uint32_t> version{0};  // counts in-place changes; see Saved in autograd/op.h
  uint32_t size_class = 0;
  size_t bytes = 0;              // of the whole block, this header too
  Chunk* chunk = nullptr;        // null: the block is by itself
  BufferHeader* next = nullptr;  // in a free list
  std::byte* data() { return reinterpret_cast<std::byte*>(this) + sizeof(BufferHeader); }
};

/// A block of at least `bytes` bytes, uninitialised, from this thread's pool. Throws
/// std::bad_alloc.
BufferHeader* take_block(size_t bytes);
/// Gives a block that nobody uses any more to this thread's pool.
void give_block(BufferHeader* head);

/// Shared ownership of one block.
class Buffer {
 public:
  Buffer() = default;
  /// Uninitialised memory of at least `bytes`. Throws std::bad_alloc.
  explicit Buffer(size_t bytes) : head_(take_block(bytes)) {}
  Buffer(const Buffer& o) : head_(o.head_) {
    if (head_) head_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& o) noexcept : head_(std::exchange(o.head_, nullptr)) {}
  Buffer& operator=(Buffer o) noexcept {
    std::swap(head_, o.head_);
    return *this;
  }
  ~Buffer() {
    if (!head_) return;
    // The only owner needs no atomic subtraction: nobody is left who could copy this meanwhile.
    if (unique() || head_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) give_block(head_);
  }

  /// A further handle, for whoever knows that no other thread reads this one meanwhile: if it is
  /// the only one it needs no atomic addition.
  Buffer again() {
    if (!head_ || !unique()) return *this;
    head_->refs.store(2, std::memory_order_relaxed);
    Buffer b;
    b.head_ = head_;
    return b;
  }

  explicit operator bool() const { return head_ != nullptr; }
  std::byte* data() const { return head_->data(); }
  bool unique() const { return head_->refs.load(std::memory_order_acquire) == 1; }
  uint32_t version() const { return head_->version.load(std::memory_order_relaxed); }
  // Not an atomic addition: two threads that change one block at once race for its numbers anyway.
  void changed() const { head_->version.store(version() + 1, std::memory_order_relaxed); }
  bool same_as(const Buffer& o) const { return head_ == o.head_; }

 private:
  BufferHeader* head_ = nullptr;
};

/// Lets containers take their memory from the pool.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): containers do
  T* allocate(size_t count) { return reinterpret_cast<T*>(take_block(count * sizeof(T))->data()); }
  void deallocate(T* memory, size_t) { give_block(reinterpret_cast<BufferHeader*>(memory) - 1); }
  bool operator==(const PoolAllocator&) const { return true; }
};
/// A vector for the lists that every training step makes anew.
template <class T>
using List = std::vector<T, PoolAllocator<T>>;

/// What this thread's pool has done so far.
struct PoolStats {
  uint64_t requests = 0;     // buffers handed out
  uint64_t allocations = 0;  // of these, for which it held nothing that fits
};
PoolStats pool_stats();
/// The bytes that this thread's pool holds and nobody uses.
uint64_t pool_bytes_held();

/// Whether blocks that were given back are handed out again. Not under AddressSanitizer, so that it
/// sees every stale access.
bool pool_reuses();

/// Returns what nobody uses of this thread's pool to the system.
void trim_pool();

}  // namespace heed
