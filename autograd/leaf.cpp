#include "autograd/leaf.h"

#include <atomic>

#include "core/kernels.h"

namespace heed {
namespace {

Tensor row_of(const Tensor& table, int64_t row) {
  const Shape shape{table.shape()[1]};
  return table.view(shape, dense_strides(shape), row * table.shape()[1]);
}

}  // namespace

Tensor leaf(const Tensor& x) {
  static std::atomic<int32_t> next{0};
  require_defined("leaf", "x", x);
  require(x.dtype() != i64, "leaf: expected f32 or f64, got i64 (ids carry no gradient)");
  return x.with_ref({TapeRef::kLeaf, next.fetch_add(1, std::memory_order_relaxed)});
}

const Gradients::Entry* Gradients::entry(const Tensor& leaf) const {
  if (!is_leaf(leaf)) return nullptr;
  const int32_t at = index_.find(leaf.ref().slot);
  return at < 0 ? nullptr : &entries_[static_cast<size_t>(at)];
}

const Tensor* Gradients::find(const Tensor& leaf) const {
  const Entry* e = entry(leaf);
  return e ? &e->value : nullptr;
}

void Gradients::add(int32_t leaf, const Tensor& value, const Buffer& rows) {
  const int32_t at = index_.find(leaf);
  if (at < 0) {
    index_.insert(leaf, static_cast<int32_t>(entries_.size()));
    entries_.push_back({leaf, value, rows});
    return;
  }
  Entry& sum = entries_[static_cast<size_t>(at)];
  if (!sum.value.buffer().unique()) sum.value = clone(sum.value);
  const Buffer used = std::exchange(sum.rows, {});
  if (!used || !rows) return add_into(sum.value, value);
  const auto count = static_cast<size_t>(value.shape()[0]);
  sum.rows = Buffer(count);  // `used` may be shared
  for (size_t r = 0; r < count; ++r) {
    sum.rows.data()[r] = used.data()[r] | rows.data()[r];
    if (rows.data()[r] == std::byte{0}) continue;
    const auto row = static_cast<int64_t>(r);
    Tensor to = row_of(sum.value, row);
    add_into(to, row_of(value, row));
  }
}

void Gradients::add(const Gradients& other) {
  for (const Entry& e : other.entries_) add(e.leaf, e.value, e.rows);
}

}  // namespace heed
