// Leaves: the tensors one differentiates with respect to (parameters, and inputs under study), and
// a small table from leaves to whatever is kept per leaf.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "core/for_each.h"
#include "core/tensor.h"

namespace heed {

/// `x` as a leaf: ops that use it are recorded while a tape is active, and the tape keeps its
/// gradient. Copies of the result are the same leaf. Throws std::invalid_argument for ids.
Tensor leaf(const Tensor& x);

/// Whether gradients flow to this handle: a leaf, or computed from one under a tape.
inline bool requires_grad(const Tensor& x) {
  return x.ref().tape != TapeRef::kNone;
}
inline bool is_leaf(const Tensor& x) {
  return x.ref().tape == TapeRef::kLeaf;
}

/// Open-addressing table from leaf number to a non-negative index.
class LeafMap {
 public:
  LeafMap() : cells_(16, {-1, -1}) {}
  int32_t find(int32_t leaf) const {
    for (size_t i = home(leaf);; i = (i + 1) & (cells_.size() - 1)) {
      if (cells_[i].first == leaf) return cells_[i].second;
      if (cells_[i].first < 0) return -1;
    }
  }
  void insert(int32_t leaf, int32_t index) {
    if (++used_ * 2 > cells_.size()) grow();
    put(leaf, index);
  }
  void clear() {
    if (used_ == 0) return;
    cells_.assign(cells_.size(), {-1, -1});
    used_ = 0;
  }

 private:
  size_t home(int32_t leaf) const {
    return (static_cast<uint32_t>(leaf) * 2654435769u >> 8) & (cells_.size() - 1);
  }
  void put(int32_t leaf, int32_t index) {
    size_t i = home(leaf);
    while (cells_[i].first >= 0) i = (i + 1) & (cells_.size() - 1);
    cells_[i] = {leaf, index};
  }
  void grow() {
    auto old = std::move(cells_);
    cells_.assign(old.size() * 2, {-1, -1});
    for (const auto& [leaf, index] : old)
      if (leaf >= 0) put(leaf, index);
  }
  List<std::pair<int32_t, int32_t>> cells_;
  size_t used_ = 0;
};

/// The gradients of leaves, taken off a tape: what clipping and optimisers work on, and what the
/// shards of a batch add up. Entries may share memory with each other and with the tape: replace a
/// value, do not write into it.
class Gradients {
 public:
  struct Entry {
    int32_t leaf;
    Tensor value;   // dense
    Buffer rows{};  // of a table [V, E] of which few rows were looked up: a byte for each of the V,
                    // 0 where the whole row of value is 0; empty: any row may be used
    bool uses(int64_t row) const { return !rows || rows.data()[row] != std::byte{0}; }
    /// Elements [begin, end), as a vector that shares their memory.
    Tensor elements(int64_t begin, int64_t end) const {
      const Shape shape{end - begin};
      return value.view(shape, dense_strides(shape), begin);
    }
    /// Calls f(begin, end) for the elements of the used rows among those of [begin, end), which are
    /// whole rows.
    template <class F>
    void each_used(int64_t begin, int64_t end, F f) const {
      if (begin == end) return;
      if (!rows) return f(begin, end);
      const int64_t width = value.shape()[1], last = end / width;
      for (int64_t from = begin / width, to = from; from < last; from = to + 1) {
        for (to = from; to < last && uses(to);) ++to;
        if (to > from) f(from * width, to * width);
      }
    }
  };
  /// Elements [begin, end) of an entry: whole rows. What every pass over all gradients does at a
  /// time, always in this order, so that a thread is given what the last pass left in its caches.
  struct Piece {
    size_t entry;
    int64_t begin, end;
  };
  /// About as many elements as a piece has: worth handing over, and the same whatever the number of
  /// threads, so that a sum over pieces is too.
  static constexpr int64_t kPiece = int64_t{1} << 13;
  List<Piece> pieces() const;
  /// The gradient of this leaf, or null when none arrived (which is not the same as zero).
  const Tensor* find(const Tensor& leaf) const;
  const Entry* entry(const Tensor& leaf) const;
  /// Adds `value` to what is here for the leaf.
  void add(int32_t leaf, const Tensor& value, const Buffer& rows = {});
  /// Adds every gradient of `other`, in its order.
  void add(const Gradients& other, const ForEach& each = one_by_one);
  List<Entry>& entries() { return entries_; }
  const List<Entry>& entries() const { return entries_; }

 private:
  Entry* prepare(const Entry& e);
  List<Entry> entries_;
  LeafMap index_;
};

}  // namespace heed
