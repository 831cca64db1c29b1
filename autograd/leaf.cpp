#include "autograd/leaf.h"

#include <algorithm>
#include <atomic>

#include "core/kernels.h"

namespace heed {
namespace {

// to += from for the whole rows among [begin, end).
void add_elements(const Gradients::Entry& to, const Gradients::Entry& from, int64_t begin,
                  int64_t end) {
  from.each_used(begin, end, [&](int64_t first, int64_t last) {
    Tensor sum = to.elements(first, last);
    add_into(sum, from.elements(first, last));
  });
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

// Where the elements of `e` are to be added; null where there was nothing for its leaf, and `e` is
// now here as it is.
Gradients::Entry* Gradients::prepare(const Entry& e) {
  const int32_t at = index_.find(e.leaf);
  if (at < 0) {
    index_.insert(e.leaf, static_cast<int32_t>(entries_.size()));
    entries_.push_back(e);
    return nullptr;
  }
  Entry& sum = entries_[static_cast<size_t>(at)];
  if (!sum.value.buffer().unique() || !sum.value.dense()) sum.value = clone(sum.value);
  const Buffer used = std::exchange(sum.rows, {});
  if (!used || !e.rows) return &sum;
  const auto count = static_cast<size_t>(e.value.shape()[0]);
  sum.rows = Buffer(count);  // `used` may be shared
  for (size_t r = 0; r < count; ++r) sum.rows.data()[r] = used.data()[r] | e.rows.data()[r];
  return &sum;
}

void Gradients::add(int32_t leaf, const Tensor& value, const Buffer& rows) {
  const Entry e{leaf, dense(value), rows};
  if (const Entry* sum = prepare(e)) add_elements(*sum, e, 0, value.numel());
}

void Gradients::add(const Gradients& other, const ForEach& each) {
  List<Entry> added(entries_.size());  // to each entry here; without a value: nothing
  for (const Entry& e : other.entries_)
    if (const Entry* sum = prepare(e))
      added[static_cast<size_t>(sum - entries_.data())] = {e.leaf, dense(e.value), e.rows};
  const List<Piece> all = pieces();
  const auto add_piece = [&](int64_t i) {
    const auto& [at, begin, end] = all[static_cast<size_t>(i)];
    if (at < added.size() && added[at].value.defined())
      add_elements(entries_[at], added[at], begin, end);
  };
  each(std::ssize(all), std::cref(add_piece));
}

List<Gradients::Piece> Gradients::pieces() const {
  List<Piece> all;
  all.reserve(4 * entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Tensor& x = entries_[i].value;
    const int64_t n = x.numel(), row = x.rank() > 1 && n > 0 ? n / x.shape()[0] : 1;
    const int64_t step = std::max<int64_t>(kPiece / row, 1) * row;
    for (int64_t begin = 0; begin < n; begin += step)
      all.push_back({i, begin, std::min(n, begin + step)});
  }
  return all;
}

}  // namespace heed
