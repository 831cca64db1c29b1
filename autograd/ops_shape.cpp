// Operations that move elements about. Where the innermost axis stays contiguous the result is a
// view of the same memory; its backward adds into the same view of dx.
#include <algorithm>
#include <functional>
#include <numeric>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/loops.h"

namespace heed {
namespace {

// x with its axes reordered; a copy where the innermost axis would not be contiguous.
Tensor reorder(const Tensor& x, const std::vector<int>& order) {
  std::array<int64_t, kMaxRank> sizes{};
  Strides strides{};
  for (size_t i = 0; i < order.size(); ++i) {
    sizes[i] = x.shape()[order[i]];
    strides[i] = x.stride(order[i]);
  }
  const Shape shape(std::span<const int64_t>(sizes.data(), order.size()));
  const bool contiguous = order.empty() || shape.back() <= 1 || strides[order.size() - 1] == 1;
  if (contiguous) return x.view(shape, strides);
  Tensor y = Tensor::empty(shape, x.dtype());
  const RowLoop<2> loop(shape, {&y.strides(), &strides});
  const int64_t n = loop.inner(), step = loop.inner_step(1);
  dispatch(x.dtype(), "permute", [&]<class T>() {
    T* out = y.mutable_data<T>();
    const T* in = x.data<T>();
    loop.run([&](const auto& at) {
      for (int64_t j = 0; j < n; ++j) out[at[0] + j] = in[at[1] + j * step];
    });
  });
  return y;
}

// Positions [begin, end) of an axis, as a view.
Tensor part_of(const Tensor& x, int axis, int64_t begin, int64_t end) {
  return x.view(x.shape().with(axis, end - begin), x.strides(), begin * x.stride(axis));
}

Tensor drop_axis(const Tensor& x, int axis) {
  Strides s{};
  for (int a = 0, k = 0; a < x.rank(); ++a)
    if (a != axis) s[static_cast<size_t>(k++)] = x.stride(a);
  return x.view(x.shape().without(axis), s);
}

}  // namespace

// ---- permute, transpose ----

struct Permute {
  static constexpr OpInfo info{.name = "permute",
                               .inputs = {"x"},
                               .forward = "axis i of y = axis order[i] of x",
                               .backward = {"dx += dy with its axes put back"}};
  std::vector<int> order;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    std::vector<int> back(order.size());
    for (size_t i = 0; i < order.size(); ++i)
      back[static_cast<size_t>(order[i])] = static_cast<int>(i);
    flow.add(0, reorder(flow.dy(), back));
  }
};

Tensor permute(const Tensor& x, std::vector<int> order) {
  require_defined("permute", "x", x);
  for (int& a : order) a = wrap_axis("permute", a, x.rank());
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool each_once = static_cast<int>(order.size()) == x.rank();
  for (size_t i = 0; each_once && i < sorted.size(); ++i)
    each_once = sorted[i] == static_cast<int>(i);
  require(each_once, "permute: expected each of the {} axes of {} once", x.rank(), x.shape());
  const Tensor y = reorder(x, order);
  return record(Permute{std::move(order)}, y, x);
}

Tensor transpose(const Tensor& x) {
  require_defined("transpose", "x", x);
  require(x.rank() >= 2, "transpose: expected at least two axes, got {}", x.shape());
  std::vector<int> order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permute(x, std::move(order));
}

// ---- reshape ----

struct Reshape {
  static constexpr OpInfo info{.name = "reshape",
                               .inputs = {"x"},
                               .forward = "y = x with other sizes, row-major order",
                               .backward = {"dx += dy with x's sizes"}};
  Shape from;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    flow.add(0, dense(flow.dy()).view(from, dense_strides(from)));
  }
};

Tensor reshape(const Tensor& x, std::vector<int64_t> sizes) {
  require_defined("reshape", "x", x);
  int64_t known = 1;
  auto open = sizes.end();
  for (auto it = sizes.begin(); it != sizes.end(); ++it) {
    if (*it == -1) {
      require(open == sizes.end(), "reshape: expected at most one size of -1");
      open = it;
    } else {
      known *= *it;
    }
  }
  if (open != sizes.end()) *open = known == 0 ? 0 : x.numel() / known;
  const Shape shape{std::span<const int64_t>(sizes)};
  require(shape.numel() == x.numel(), "reshape: {} has {} elements, {} would have {}", x.shape(),
          x.numel(), shape, shape.numel());
  return record(Reshape{x.shape()}, dense(x).view(shape, dense_strides(shape)), x);
}

// ---- slice, select, split ----

struct Slice {
  static constexpr OpInfo info{.name = "slice",
                               .inputs = {"x"},
                               .forward = "y = positions [begin, end) of an axis of x",
                               .backward = {"dx[begin:end] += dy"}};
  int axis;
  int64_t begin, end;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    Tensor part = part_of(flow.dx(0), axis, begin, end);
    add_into(part, flow.dy());
  }
};

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  require_defined("slice", "x", x);
  axis = wrap_axis("slice", axis, x.rank());
  require(0 <= begin && begin <= end && end <= x.shape()[axis],
          "slice: expected 0 <= begin <= end <= {} on axis {} of {}, got [{}, {})", x.shape()[axis],
          axis, x.shape(), begin, end);
  return record(Slice{axis, begin, end}, part_of(x, axis, begin, end), x);
}

std::vector<Tensor> split(const Tensor& x, int axis, int64_t parts) {
  require_defined("split", "x", x);
  axis = wrap_axis("split", axis, x.rank());
  const int64_t size = x.shape()[axis];
  require(parts >= 1 && size % parts == 0,
          "split: expected a number of parts that divides {}, axis {} of {}, got {}", size, axis,
          x.shape(), parts);
  std::vector<Tensor> all;
  for (int64_t p = 0; p < parts; ++p)
    all.push_back(slice(x, axis, p * size / parts, (p + 1) * size / parts));
  return all;
}

struct Select {
  static constexpr OpInfo info{.name = "select",
                               .inputs = {"x"},
                               .forward = "y = position `index` of an axis of x",
                               .backward = {"dx[index] += dy"}};
  int axis;
  int64_t index;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    Tensor part = drop_axis(part_of(flow.dx(0), axis, index, index + 1), axis);
    add_into(part, flow.dy());
  }
};

Tensor select(const Tensor& x, int axis, int64_t index) {
  require_defined("select", "x", x);
  axis = wrap_axis("select", axis, x.rank());
  require(0 <= index && index < x.shape()[axis],
          "select: expected an index in [0, {}) on axis {} of {}, got {}", x.shape()[axis], axis,
          x.shape(), index);
  Tensor y = drop_axis(part_of(x, axis, index, index + 1), axis);
  // Without the innermost axis what remains has none that is contiguous: take a copy.
  if (axis == x.rank() - 1) y = clone(y);
  return record(Select{axis, index}, y, x);
}

// ---- concat, stack ----

struct Concat {
  static constexpr OpInfo info{.name = "concat",
                               .inputs = {"parts"},
                               .forward = "y = the parts, one after the other along an axis",
                               .backward = {"dpart += its positions of dy"},
                               .variadic = true};
  int axis;
  std::vector<int64_t> sizes;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    int64_t at = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      flow.add(static_cast<int>(i), part_of(flow.dy(), axis, at, at + sizes[i]));
      at += sizes[i];
    }
  }
};

Tensor concat(std::span<const Tensor> parts, int axis) {
  require(!parts.empty(), "concat: expected at least one tensor");
  for (const Tensor& p : parts) require_defined("concat", "a part", p);
  const Tensor& first = parts[0];
  axis = wrap_axis("concat", axis, first.rank());
  Concat op{axis, {}};
  int64_t total = 0;
  for (const Tensor& p : parts) {
    require_same_dtype("concat", first, p);
    require(p.rank() == first.rank() && p.shape().with(axis, 0) == first.shape().with(axis, 0),
            "concat: expected shapes that agree but for axis {}, got {} and {}", axis,
            first.shape(), p.shape());
    op.sizes.push_back(p.shape()[axis]);
    total += p.shape()[axis];
  }
  Tensor y = Tensor::empty(first.shape().with(axis, total), first.dtype());
  int64_t at = 0;
  for (const Tensor& p : parts) {
    Tensor place = part_of(y, axis, at, at + p.shape()[axis]);
    copy_into(place, p);
    at += p.shape()[axis];
  }
  std::vector<const Tensor*> in;
  for (const Tensor& p : parts) in.push_back(&p);
  record_all(std::move(op), std::span(&y, 1), in);
  return y;
}

Tensor stack(std::span<const Tensor> parts, int axis) {
  require(!parts.empty(), "stack: expected at least one tensor");
  std::vector<Tensor> with_axis;
  for (const Tensor& p : parts) {
    require_defined("stack", "a part", p);
    require(p.shape() == parts[0].shape(), "stack: expected equal shapes, got {} and {}",
            parts[0].shape(), p.shape());
    const int at = wrap_axis("stack", axis, p.rank() + 1);
    const Shape shape = p.shape().inserted(at, 1);
    with_axis.push_back(reshape(p, {shape.sizes().begin(), shape.sizes().end()}));
  }
  return concat(with_axis, axis);
}

}  // namespace heed
