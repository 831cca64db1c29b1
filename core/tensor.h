// The tensor: a value that describes a block of memory (or a part of one). Copying a Tensor shares
// the memory; nothing in the public interface changes a tensor in place except `mutable_data`.
// core/ knows no gradients: `TapeRef` is a label that autograd/ writes and reads.
#pragma once
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace heed {

class Rng;

/// Who recorded a tensor: the tape's serial number and the slot on it. Opaque to core/.
struct TapeRef {
  static constexpr uint32_t kNone = 0, kLeaf = UINT32_MAX;
  uint32_t tape = kNone;
  int32_t slot = -1;  // for a leaf: its own number
  bool operator==(const TapeRef&) const = default;
};

/// An array of f32, f64 or i64 with up to `kMaxRank` axes. The innermost axis is contiguous; outer
/// axes may be strided, so a step of [B, T, D] or a head of [B, T, n*d] is a view and not a copy.
class Tensor {
 public:
  /// Holds nothing: `defined()` is false, as of one whose memory was taken, or is still to come.
  /// Use `Tensor::of`, `zeros`, ... to make one.
  Tensor() = default;
  /// The memory that `buffer` begins with, dense.
  Tensor(Buffer buffer, const Shape& shape, DType dtype);

  /// Uninitialised memory of this shape.
  static Tensor empty(const Shape& shape, DType dtype = f32);
  /// Of this shape, dense, without memory: `defined()` is false until there is some (`put`).
  static Tensor unallocated(const Shape& shape, DType dtype);
  static Tensor zeros(const Shape& shape, DType dtype = f32);
  static Tensor full(const Shape& shape, double value, DType dtype = f32);
  /// From literal numbers: of({1, 2, 3}), of({{1, 2}, {3, 4}}); every row of equal length.
  static Tensor of(std::initializer_list<double> values, DType dtype = f32);
  static Tensor of(std::initializer_list<std::initializer_list<double>> rows, DType dtype = f32);
  static Tensor scalar(double value, DType dtype = f32);
  /// From numbers in row-major order; throws std::invalid_argument unless there are numel of them.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  /// Token ids, row-major.
  static Tensor ids(std::span<const int64_t> values, const Shape& shape) {
    return from<int64_t>(values, shape);
  }
  /// Independent uniform numbers in [low, high), or normal numbers.
  static Tensor uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype = f32);
  static Tensor normal(const Shape& shape, double mean, double deviation, Rng& rng,
                       DType dtype = f32);

  bool defined() const { return static_cast<bool>(buffer_); }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t size(int axis) const;  // negative axes count from the end
  int64_t numel() const { return shape_.numel(); }
  const Strides& strides() const { return strides_; }
  int64_t stride(int axis) const { return strides_[static_cast<size_t>(axis)]; }
  /// Row-major without gaps.
  bool dense() const { return dense_; }

  /// The first element. Throws std::invalid_argument when T is not the tensor's dtype.
  template <class T>
  const T* data() const {
    check_type(dtype_of<T>);
    return reinterpret_cast<const T*>(data_);
  }
  /// For writing; counts as a change of the memory (a saved tensor notices).
  template <class T>
  T* mutable_data() {
    check_type(dtype_of<T>);
    buffer_.changed();
    return reinterpret_cast<T*>(data_);
  }
  const Buffer& buffer() const { return buffer_; }
  /// Its memory, handed over; this then has none.
  Buffer take() && { return std::move(buffer_); }
  /// Its memory from now on, which its first element begins.
  void put(Buffer buffer) {
    buffer_ = std::move(buffer);
    data_ = buffer_.data();
  }
  const std::byte* bytes() const { return data_; }
  /// A copy, for whoever knows that no other thread reads this handle meanwhile (Buffer::again).
  Tensor again() { return {buffer_.again(), *this}; }

  /// The only element as a double. Throws std::invalid_argument unless numel() == 1.
  double item() const;
  /// One element as a double, with bounds checked.
  double at(std::initializer_list<int64_t> index) const;
  /// All elements in row-major order.
  std::vector<double> to_vector() const;
  std::vector<int64_t> to_ids() const;

  /// This memory with other sizes and steps, unchecked: for ops that make views. An op whose result
  /// has an innermost axis that is not contiguous returns a copy of it instead.
  Tensor view(const Shape& shape, const Strides& strides, int64_t offset = 0) const;

  TapeRef ref() const { return std::bit_cast<TapeRef>(ref_); }
  Tensor with_ref(TapeRef ref) const&;
  Tensor with_ref(TapeRef ref) &&;
  void set_ref(TapeRef ref) { ref_ = std::bit_cast<uint64_t>(ref); }

 private:
  void check_type(DType wanted) const {
    if (wanted != dtype_ || !defined()) [[unlikely]]
      wrong_type(wanted);
  }
  [[noreturn]] void wrong_type(DType wanted) const;
  double element(int64_t offset) const;

  Tensor(Buffer buffer, const Tensor& like)
      : buffer_(std::move(buffer)),
        data_(like.data_),
        shape_(like.shape_),
        ref_(like.ref_),
        strides_(like.strides_),
        dtype_(like.dtype_),
        dense_(like.dense_) {}
  enum class Memory { none, uninitialised };
  [[gnu::always_inline]] Tensor(const Shape& shape, DType dtype, Memory memory)
      : shape_(shape), dtype_(dtype) {
    const auto count = static_cast<size_t>(set_dense_strides(shape, strides_));
    if (memory == Memory::uninitialised) put(Buffer(count * size_of(dtype)));
  }

  Buffer buffer_;
  std::byte* data_ = nullptr;
  Shape shape_;
  // A TapeRef in one word, for a tensor is often moved right after this was set: what is read in
  // one piece and was written in two waits until both have left the store buffer.
  uint64_t ref_ = std::bit_cast<uint64_t>(TapeRef{});
  Strides strides_{};
  DType dtype_ = f32;
  bool dense_ = true;
};

/// Several tensors: states, parts, weights of each layer.
using Tensors = List<Tensor>;

inline Tensor Tensor::empty(const Shape& shape, DType dtype) {
  return {shape, dtype, Memory::uninitialised};
}
inline Tensor Tensor::unallocated(const Shape& shape, DType dtype) {
  return {shape, dtype, Memory::none};
}

inline Tensor::Tensor(Buffer buffer, const Shape& shape, DType dtype)
    : buffer_(std::move(buffer)), data_(buffer_.data()), shape_(shape), dtype_(dtype) {
  set_dense_strides(shape, strides_);
}

namespace detail {
Tensor empty_in_other_order(const Shape& shape, const Tensor& like);
}
/// Uninitialised, of `like`'s dtype, without gaps, and its axes lie in memory in the order of those
/// of `like`, which has as many: what is computed from heads side by side lies side by side as
/// well.
inline Tensor empty_in_order(const Shape& shape, const Tensor& like) {
  return like.dense() ? Tensor::empty(shape, like.dtype())
                      : detail::empty_in_other_order(shape, like);
}
/// A copy in memory of its own.
Tensor clone(const Tensor& x);
/// The same numbers, dense: `x` itself when it already is.
Tensor dense(const Tensor& x);
/// The same without a new handle where `x` is dense; else the copy is put into `room`.
inline const Tensor& dense(const Tensor& x, Tensor& room) {
  return x.dense() ? x : room = clone(x);
}
/// The same numbers in another dtype (a copy; `x` itself when it has that dtype).
Tensor cast(const Tensor& x, DType dtype);

/// "tensor f32 [2, 3] {1, 2, 3; 4, 5, 6}", at most `most` numbers; with 0, "tensor f32 [2, 3]".
std::string to_text(const Tensor& x, int64_t most = 32);

/// Throws std::invalid_argument "op: expected name of shape [..], got [..]" unless it fits.
void require_shape(std::string_view op, std::string_view name, const Tensor& x,
                   const Shape& expected);
/// Throws std::invalid_argument unless both have the same dtype.
inline void require_same_dtype(std::string_view op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) [[unlikely]]
    require(false, "{}: expected one dtype, got {} {} and {} {}", op, name_of(a.dtype()), a.shape(),
            name_of(b.dtype()), b.shape());
}
/// Throws std::invalid_argument when `x` is undefined.
inline void require_defined(std::string_view op, std::string_view name, const Tensor& x) {
  require(x.defined(), "{}: expected a tensor as {}, got an empty handle (Tensor{{}})", op, name);
}

}  // namespace heed

/// dtype and shape, for error texts: "{}" with a Tensor.
template <>
struct fmt::formatter<heed::Tensor> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const heed::Tensor& x, Context& context) const {
    return fmt::formatter<std::string>::format(heed::to_text(x, 0), context);
  }
};
