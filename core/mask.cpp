#include "core/mask.h"

#include <algorithm>

#include "core/error.h"

namespace heed {

namespace {
auto shared(List<int64_t> lengths) {
  return std::allocate_shared<const List<int64_t>>(PoolAllocator<std::byte>(), std::move(lengths));
}
}  // namespace

Mask Mask::lengths(std::span<const int64_t> lengths) {
  for (size_t b = 0; b < lengths.size(); ++b)
    require(lengths[b] >= 0, "Mask::lengths: expected lengths >= 0, got {} at {}", lengths[b], b);
  Mask m;
  m.lengths_ = shared({lengths.begin(), lengths.end()});
  return m;
}

Mask Mask::keep(std::vector<uint8_t> keep) {
  const auto n = static_cast<int64_t>(keep.size());
  return Mask::keep(std::move(keep), {n});
}

Mask Mask::keep(std::vector<uint8_t> keep, const Shape& shape) {
  require(static_cast<int64_t>(keep.size()) == shape.numel() && shape.rank() >= 1,
          "Mask::keep: expected {} values for shape {}, got {}", shape.numel(), shape, keep.size());
  Mask m;
  m.keep_ = std::make_shared<const std::vector<uint8_t>>(std::move(keep));
  m.keep_shape_ = shape;
  return m;
}

Mask Mask::causal(int64_t offset) {
  Mask m;
  m.causal_ = true;
  m.causal_offset_ = offset;
  return m;
}

Mask Mask::operator&(const Mask& o) const {
  Mask m = *this;
  if (o.lengths_) {
    if (m.lengths_) {
      require(m.lengths_->size() == o.lengths_->size(),
              "Mask &: expected lengths for one batch, got {} and {}", m.lengths_->size(),
              o.lengths_->size());
      auto least = *m.lengths_;
      for (size_t b = 0; b < least.size(); ++b) least[b] = std::min(least[b], (*o.lengths_)[b]);
      m.lengths_ = shared(std::move(least));
    } else {
      m.lengths_ = o.lengths_;
    }
  }
  if (o.keep_) {
    if (m.keep_) {
      require(m.keep_shape_ == o.keep_shape_,
              "Mask &: expected keep masks of one shape, got {}, {}", m.keep_shape_, o.keep_shape_);
      auto both = *m.keep_;
      for (size_t i = 0; i < both.size(); ++i) both[i] = both[i] != 0 && (*o.keep_)[i] != 0;
      m.keep_ = std::make_shared<const std::vector<uint8_t>>(std::move(both));
    } else {
      m.keep_ = o.keep_;
      m.keep_shape_ = o.keep_shape_;
    }
  }
  if (o.causal_) {
    m.causal_offset_ = m.causal_ ? std::min(m.causal_offset_, o.causal_offset_) : o.causal_offset_;
    m.causal_ = true;
  }
  return m;
}

List<int64_t> Mask::lengths_of(std::string_view op, int64_t batch, int64_t n) const {
  require(!keep_ && !causal_,
          "{}: expected a mask made by Mask::lengths (only whole prefixes have a length)", op);
  if (!lengths_) return List<int64_t>(static_cast<size_t>(batch), n);
  check_lengths(op, batch, n);
  return *lengths_;
}

void Mask::check_lengths(std::string_view op, int64_t batch, int64_t n) const {
  require(static_cast<int64_t>(lengths_->size()) == batch,
          "{}: expected {} lengths, one per sentence of the batch, got {}", op, batch,
          lengths_->size());
  for (const int64_t l : *lengths_)
    require(l <= n, "{}: expected lengths <= {} (the padded length), got {}", op, n, l);
}

void Mask::check(std::string_view op, const Shape& shape) const {
  if (keeps_all()) return;
  require(shape.rank() >= 1, "{}: a mask needs an axis to mask, got a scalar", op);
  const int64_t n = shape.back();
  if (lengths_) {
    require(shape.rank() >= 2, "{}: Mask::lengths needs [batch, ..., n], got {}", op, shape);
    check_lengths(op, shape[0], n);
  }
  if (causal_)
    require(shape.rank() >= 2, "{}: Mask::causal needs [..., target, source], got {}", op, shape);
  if (keep_) {
    const Shape& k = keep_shape_;
    const bool fits = k == shape || (k.rank() == 1 && k[0] == n) ||
                      (k.rank() == 2 && shape.rank() >= 2 && k[0] == shape[0] && k[1] == n);
    require(fits, "{}: expected a keep mask of shape [{}], [batch, {}] or {}, got {}", op, n, n,
            shape, k);
  }
}

Mask::Row Mask::row(const Shape& shape, int64_t row) const {
  const int64_t n = shape.back();
  Row r{n, nullptr};
  if (keeps_all()) return r;
  int64_t rows = 1;  // also of an empty axis
  for (int a = 0; a + 1 < shape.rank(); ++a) rows *= shape[a];
  const int64_t per_batch = shape.rank() >= 2 && shape[0] > 0 ? rows / shape[0] : 1;
  const int64_t batch = per_batch > 0 ? row / per_batch : 0;
  if (lengths_) r.limit = std::min(r.limit, (*lengths_)[static_cast<size_t>(batch)]);
  if (causal_) {
    const int64_t target = row % shape.back(1);
    r.limit = std::clamp<int64_t>(target + causal_offset_ + 1, 0, r.limit);
  }
  if (keep_) {
    const int64_t at = keep_shape_.rank() == 1 ? 0 : keep_shape_ == shape ? row : batch;
    r.keep = keep_->data() + at * n;
  }
  return r;
}

List<int64_t> Mask::limits(const Shape& shape) const {
  List<int64_t> all;
  const int64_t n = shape.back(), rows = n == 0 ? 0 : shape.numel() / n;
  if ((!lengths_ && !causal_) || rows == 0) return all;
  all.reserve(static_cast<size_t>(rows));
  const int64_t batches = shape[0], targets = shape.back(1);
  int64_t target = 0;  // of a row, counted on: there are thousands, and a division takes long
  for (int64_t batch = 0; batch < batches; ++batch) {
    const int64_t length = lengths_ ? std::min(n, (*lengths_)[static_cast<size_t>(batch)]) : n;
    for (int64_t r = 0; r < rows / batches; ++r) {
      all.push_back(causal_ ? std::clamp<int64_t>(target + causal_offset_ + 1, 0, length) : length);
      if (++target == targets) target = 0;
    }
  }
  return all;
}

}  // namespace heed
