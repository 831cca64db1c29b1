#include "autograd/leaf.h"

#include <atomic>

#include "core/kernels.h"

namespace heed {

Tensor leaf(const Tensor& x) {
  static std::atomic<int32_t> next{0};
  require_defined("leaf", "x", x);
  require(x.dtype() != i64, "leaf: expected f32 or f64, got i64 (ids carry no gradient)");
  return x.with_ref({TapeRef::kLeaf, next.fetch_add(1, std::memory_order_relaxed)});
}

const Tensor* Gradients::find(const Tensor& leaf) const {
  if (!is_leaf(leaf)) return nullptr;
  const int32_t at = index_.find(leaf.ref().slot);
  return at < 0 ? nullptr : &entries_[static_cast<size_t>(at)].value;
}

void Gradients::add(int32_t leaf, const Tensor& value) {
  const int32_t at = index_.find(leaf);
  if (at < 0) {
    index_.insert(leaf, static_cast<int32_t>(entries_.size()));
    entries_.push_back({leaf, value});
    return;
  }
  Tensor& sum = entries_[static_cast<size_t>(at)].value;
  if (!sum.buffer().unique()) sum = clone(sum);
  add_into(sum, value);
}

void Gradients::add(const Gradients& other) {
  for (const Entry& e : other.entries_) add(e.leaf, e.value);
}

}  // namespace heed
