// Which positions of the innermost axis take part: a type of its own, never a bare bool tensor, so
// that "true means masked" and "true means keep" cannot be confused.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "core/shape.h"

namespace heed {

/// A mask over the last axis of a tensor [B, ..., n]. Combine with `&`: a position is kept when
/// both keep it. The default keeps everything.
///
///     Mask::lengths({5, 4, 0})     // row b of the batch keeps its first lengths[b] positions
///     Mask::causal()               // query t (axis -2) keeps positions 0..t
///     Mask::keep({1, 1, 0})        // these positions, the same for every row
///     Mask::keep(bits, {B, S})     // per batch row
class Mask {
 public:
  Mask() = default;

  /// Sentence b keeps positions [0, lengths[b]); 0 keeps none. Negative lengths throw
  /// std::invalid_argument.
  [[nodiscard]] static Mask lengths(std::span<const int64_t> lengths);
  [[nodiscard]] static Mask lengths(std::initializer_list<int64_t> lengths) {
    return Mask::lengths(std::span(lengths.begin(), lengths.size()));
  }
  /// Position j is kept when keep[j] is not 0. `shape` is [n], [B, n], or the full shape of the
  /// tensor; the one-argument form means [n].
  [[nodiscard]] static Mask keep(std::vector<uint8_t> keep);
  [[nodiscard]] static Mask keep(std::vector<uint8_t> keep, const Shape& shape);
  /// Target position t (axis -2) may see source positions s <= t + `offset`.
  [[nodiscard]] static Mask causal(int64_t offset = 0);

  [[nodiscard]] Mask operator&(const Mask& other) const;

  /// True when nothing is masked whatever the tensor.
  bool keeps_all() const { return !lengths_ && !keep_ && !causal_; }
  /// The lengths, one per batch row. Throws std::invalid_argument naming `op` when the mask says
  /// anything else, or says it for another batch or a shorter axis than its longest sentence. A
  /// mask that keeps everything gives n for every row.
  List<int64_t> lengths_of(std::string_view op, int64_t batch, int64_t n) const;

  /// Throws std::invalid_argument naming `op` and both shapes unless the mask fits this tensor.
  void check(std::string_view op, const Shape& shape) const;

  /// What one innermost row keeps: positions [0, limit), and of these only where keep[j] != 0
  /// (keep may be null). `row` counts the rows of `shape` in row-major order; check() came first.
  struct Row {
    int64_t limit;
    const uint8_t* keep;
    bool operator[](int64_t j) const { return j < limit && (!keep || keep[j] != 0); }
  };
  Row row(const Shape& shape, int64_t row) const;

  /// Whether each row keeps its first positions, [0, limit), whatever the tensor.
  bool keeps_first() const { return !keep_; }
  /// The limits of all rows of `shape`, in order; empty where all is kept. check() came first.
  List<int64_t> limits(const Shape& shape) const;

 private:
  void check_lengths(std::string_view op, int64_t batch, int64_t n) const;

  std::shared_ptr<const List<int64_t>> lengths_;
  std::shared_ptr<const std::vector<uint8_t>> keep_;
  Shape keep_shape_;
  bool causal_ = false;
  int64_t causal_offset_ = 0;
};

}  // namespace heed
