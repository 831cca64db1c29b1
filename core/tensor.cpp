#include "core/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/loops.h"
#include "core/rng.h"

namespace heed {
namespace {

template <class T>
void fill(Tensor& x, T value) {
  std::fill_n(x.mutable_data<T>(), x.numel(), value);
}

template <class To, class From>
Tensor cast_to(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), dtype_of<To>);
  To* out = y.mutable_data<To>();
  const From* in = x.data<From>();
  const RowLoop<1> loop(x.shape(), {&x.strides()});
  const int64_t n = loop.inner(), step = loop.inner_step(0);
  loop.run([&](const auto& at) {
    for (int64_t i = 0; i < n; ++i) *out++ = static_cast<To>(in[at[0] + i * step]);
  });
  return y;
}

template <class To>
Tensor cast_any(const Tensor& x) {
  if (x.dtype() == f32) return cast_to<To, float>(x);
  if (x.dtype() == f64) return cast_to<To, double>(x);
  return cast_to<To, int64_t>(x);
}

}  // namespace

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor t = empty(shape, dtype);
  std::memset(t.data_, 0, static_cast<size_t>(shape.numel()) * size_of(dtype));
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor t = empty(shape, dtype);
  if (dtype == f32) fill(t, static_cast<float>(value));
  if (dtype == f64) fill(t, value);
  if (dtype == i64) fill(t, static_cast<int64_t>(value));
  return t;
}

Tensor Tensor::of(std::initializer_list<double> values, DType dtype) {
  const Tensor t =
      from<double>(std::span(values.begin(), values.size()), {static_cast<int64_t>(values.size())});
  return cast(t, dtype);
}

Tensor Tensor::of(std::initializer_list<std::initializer_list<double>> rows, DType dtype) {
  std::vector<double> all;
  const size_t width = rows.size() == 0 ? 0 : rows.begin()->size();
  for (const auto& row : rows) {
    require(row.size() == width, "Tensor::of: expected rows of equal length, got {} and {}", width,
            row.size());
    all.insert(all.end(), row.begin(), row.end());
  }
  const Shape shape{static_cast<int64_t>(rows.size()), static_cast<int64_t>(width)};
  return cast(from<double>(all, shape), dtype);
}

Tensor Tensor::scalar(double value, DType dtype) {
  return full({}, value, dtype);
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  require(static_cast<int64_t>(values.size()) == shape.numel(),
          "Tensor::from: expected {} numbers for shape {}, got {}", shape.numel(), shape,
          values.size());
  Tensor t = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.mutable_data<T>());
  return t;
}
template Tensor Tensor::from<float>(std::span<const float>, const Shape&);
template Tensor Tensor::from<double>(std::span<const double>, const Shape&);
template Tensor Tensor::from<int64_t>(std::span<const int64_t>, const Shape&);

namespace {
// Every number from draw(), in order: the same ones in every dtype, but for rounding.
template <class Draw>
Tensor drawn(std::string_view op, const Shape& shape, DType dtype, Draw draw) {
  Tensor t = Tensor::empty(shape, dtype);
  dispatch(dtype, op, [&]<class T>() {
    T* to = t.mutable_data<T>();
    for (int64_t i = 0; i < t.numel(); ++i) to[i] = static_cast<T>(draw());
  });
  return t;
}
}  // namespace

Tensor Tensor::uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype) {
  return drawn("uniform", shape, dtype, [&] { return rng.uniform(low, high); });
}

Tensor Tensor::normal(const Shape& shape, double mean, double deviation, Rng& rng, DType dtype) {
  return drawn("normal", shape, dtype, [&] { return mean + deviation * rng.normal(); });
}

int64_t Tensor::size(int axis) const {
  return shape_[wrap_axis("size", axis, rank())];
}

void Tensor::wrong_type(DType wanted) const {
  require(defined(), "tensor: expected a tensor, got an empty handle (Tensor{{}})");
  detail::throw_argument(fmt::format("tensor: expected dtype {}, got {} of shape {}",
                                     name_of(wanted), name_of(dtype_), to_text(shape_)));
}

double Tensor::item() const {
  require_defined("item", "the tensor", *this);
  require(numel() == 1, "item: expected one element, got shape {}", shape_);
  return element(0);
}

double Tensor::at(std::initializer_list<int64_t> index) const {
  require_defined("at", "the tensor", *this);
  require(static_cast<int>(index.size()) == rank(), "at: expected {} indices for shape {}, got {}",
          rank(), shape_, index.size());
  int64_t offset = 0;
  int a = 0;
  for (const int64_t i : index) {
    require(i >= 0 && i < shape_[a], "at: expected index {} of shape {} in [0, {}), got {}", a,
            shape_, shape_[a], i);
    offset += i * stride(a++);
  }
  return element(offset);
}

double Tensor::element(int64_t offset) const {
  if (dtype_ == f32) return static_cast<double>(data<float>()[offset]);
  if (dtype_ == f64) return data<double>()[offset];
  return static_cast<double>(data<int64_t>()[offset]);
}

std::vector<double> Tensor::to_vector() const {
  const Tensor d = cast_any<double>(*this);
  return {d.data<double>(), d.data<double>() + numel()};
}

std::vector<int64_t> Tensor::to_ids() const {
  require(dtype_ == i64, "to_ids: expected i64, got {}", name_of(dtype_));
  const Tensor d = heed::dense(*this);
  return {d.data<int64_t>(), d.data<int64_t>() + numel()};
}

Tensor Tensor::view(const Shape& shape, const Strides& strides, int64_t offset) const {
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = strides;
  t.data_ += offset * static_cast<int64_t>(size_of(dtype_));
  t.set_ref({});
  int64_t step = 1;
  t.dense_ = true;
  for (int a = shape.rank() - 1; a >= 0; --a) {
    if (shape[a] != 1 && t.stride(a) != step) t.dense_ = false;
    step *= shape[a];
  }
  return t;
}

Tensor Tensor::with_ref(TapeRef ref) const& {
  Tensor t = *this;
  t.set_ref(ref);
  return t;
}
Tensor Tensor::with_ref(TapeRef ref) && {
  set_ref(ref);
  return std::move(*this);
}

Tensor detail::empty_in_other_order(const Shape& shape, const Tensor& like) {
  const int last = shape.rank() - 1;  // stays the innermost one
  Strides strides{};
  for (int axis = 0; axis <= last; ++axis) {
    int64_t step = 1;  // as many elements as the axes that lie inside this one have
    for (int other = 0; other <= last && axis != last; ++other) {
      const int64_t s = like.stride(axis), o = like.stride(other);
      if (other == last || o < s || (o == s && other > axis)) step *= shape[other];
    }
    strides[static_cast<size_t>(axis)] = static_cast<Strides::value_type>(step);
  }
  return Tensor::empty(shape, like.dtype()).view(shape, strides);
}

Tensor dense(const Tensor& x) {
  return x.dense() ? x : clone(x);
}

Tensor clone(const Tensor& x) {
  if (x.dtype() == f32) return cast_to<float, float>(x);
  if (x.dtype() == f64) return cast_to<double, double>(x);
  return cast_to<int64_t, int64_t>(x);
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (dtype == f32) return cast_any<float>(x);
  if (dtype == f64) return cast_any<double>(x);
  return cast_any<int64_t>(x);
}

std::string to_text(const Tensor& x, int64_t most) {
  if (!x.defined()) return "tensor (none)";
  std::string text = fmt::format("tensor {} {}", name_of(x.dtype()), to_text(x.shape()));
  if (most == 0) return text;
  text += " {";
  const auto v = x.to_vector();
  const int64_t row = x.rank() == 0 ? 1 : std::max<int64_t>(1, x.shape().back());
  for (int64_t i = 0; i < std::min<int64_t>(most, x.numel()); ++i) {
    if (i > 0) text += i % row == 0 ? "; " : ", ";
    text += fmt::format("{:.6g}", v[static_cast<size_t>(i)]);
  }
  return text + (x.numel() > most ? ", ...}" : "}");
}

void require_shape(std::string_view op, std::string_view name, const Tensor& x,
                   const Shape& expected) {
  require_defined(op, name, x);
  require(x.shape() == expected, "{}: expected {} of shape {}, got {}", op, name, expected,
          x.shape());
}

}  // namespace heed
