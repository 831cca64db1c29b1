#include "autograd/leaf.h"

#include <atomic>

#include "core/kernels.h"

namespace heed {
namespace {

// Elements [begin, end) of a dense tensor.
Tensor piece_of(const Tensor& x, int64_t begin, int64_t end) {
  const Shape shape{end - begin};
  return x.view(shape, dense_strides(shape), begin);
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
    const int64_t width = value.shape()[1], begin = static_cast<int64_t>(r) * width;
    Tensor to = piece_of(sum.value, begin, begin + width);
    add_into(to, piece_of(value, begin, begin + width));
  }
}

void Gradients::add(const Gradients& other, const ForEach& each) {
  struct Piece {
    size_t to, from;  // entries
    int64_t begin, end;
  };
  List<Piece> pieces;
  for (size_t from = 0; from < other.entries_.size(); ++from) {
    const Entry& e = other.entries_[from];
    const int32_t at = index_.find(e.leaf);
    if (at < 0 || (e.rows && entries_[static_cast<size_t>(at)].rows) || !e.value.dense()) {
      add(e.leaf, e.value, e.rows);
      continue;
    }
    Entry& sum = entries_[static_cast<size_t>(at)];
    if (!sum.value.buffer().unique() || !sum.value.dense()) sum.value = clone(sum.value);
    sum.rows = {};
    cut(0, e.value.numel(), [&](int64_t begin, int64_t end) {
      pieces.push_back({static_cast<size_t>(at), from, begin, end});
    });
  }
  const auto add_piece = [&](int64_t i) {
    const Piece& p = pieces[static_cast<size_t>(i)];
    Tensor to = piece_of(entries_[p.to].value, p.begin, p.end);
    add_into(to, piece_of(other.entries_[p.from].value, p.begin, p.end));
  };
  each(std::ssize(pieces), std::cref(add_piece));
}

}  // namespace heed
