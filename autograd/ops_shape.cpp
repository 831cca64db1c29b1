// Operations that move elements about. Where the innermost axis stays contiguous the result is a
// view of the same memory; its backward adds into the same view of dx.
#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/loops.h"

namespace heed {
namespace {

using Order = std::array<int, kMaxRank>;

// x with its axes reordered; a copy where the innermost axis would not be contiguous.
Tensor reorder(const Tensor& x, const Order& order) {
  const auto rank = static_cast<size_t>(x.rank());
  std::array<int64_t, kMaxRank> sizes{};
  Strides strides{};
  for (size_t i = 0; i < rank; ++i) {
    sizes[i] = x.shape()[order[i]];
    strides[i] = x.strides()[static_cast<size_t>(order[i])];
  }
  const Shape shape(std::span<const int64_t>(sizes.data(), rank));
  const bool contiguous = rank == 0 || shape.back() <= 1 || strides[rank - 1] == 1;
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
    if (a != axis) s[static_cast<size_t>(k++)] = x.strides()[static_cast<size_t>(a)];
  return x.view(x.shape().without(axis), s);
}

}  // namespace

// ---- permute, transpose ----

struct Permute {
  static constexpr OpInfo info{.name = "permute",
                               .inputs = {"x"},
                               .forward = "axis i of y = axis order[i] of x",
                               .backward = {"dx += dy with its axes put back"}};
  Order order;
  int rank;
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const {
    see("order", std::vector<int64_t>(order.begin(), order.begin() + rank));
  }
  void backward(GradFlow& flow) const {
    Order back{};
    for (int i = 0; i < flow.dy().rank(); ++i)
      back[static_cast<size_t>(order[static_cast<size_t>(i)])] = i;
    flow.add(0, reorder(flow.dy(), back));
  }
};

Tensor permute(const Tensor& x, std::span<const int> wanted) {
  require_defined("permute", "x", x);
  Order order{};
  std::array<bool, kMaxRank> seen{};
  bool each_once = static_cast<int>(wanted.size()) == x.rank();
  for (size_t i = 0; i < wanted.size() && each_once; ++i) {
    order[i] = wrap_axis("permute", wanted[i], x.rank());
    each_once = !std::exchange(seen[static_cast<size_t>(order[i])], true);
  }
  require(each_once, "permute: expected each of the {} axes of {} once", x.rank(), x.shape());
  return record(Permute{order, x.rank()}, reorder(x, order), x);
}

Tensor transpose(const Tensor& x) {
  require_defined("transpose", "x", x);
  require(x.rank() >= 2, "transpose: expected at least two axes, got {}", x.shape());
  const auto rank = static_cast<size_t>(x.rank());
  Order order{};
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[rank - 1], order[rank - 2]);
  return permute(x, std::span(order).first(rank));
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

Tensor reshape(const Tensor& x, std::span<const int64_t> wanted) {
  require_defined("reshape", "x", x);
  require(wanted.size() <= kMaxRank, "reshape: expected at most {} axes, got {}", kMaxRank,
          wanted.size());
  std::array<int64_t, kMaxRank> sizes{};
  int64_t known = 1, *open = nullptr;
  for (size_t i = 0; i < wanted.size(); ++i) {
    sizes[i] = wanted[i];
    if (wanted[i] == -1) {
      require(!open, "reshape: expected at most one size of -1");
      open = &sizes[i];
    } else {
      known *= wanted[i];
    }
  }
  if (open) *open = known == 0 ? 0 : x.numel() / known;
  return reshape(x, Shape(std::span<const int64_t>(sizes.data(), wanted.size())));
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  require_defined("reshape", "x", x);
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
  void attributes(AttributeVisitor& see) const {
    see("axis", axis), see("begin", begin), see("end", end);
  }
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

struct Split {
  static constexpr OpInfo info{.name = "split",
                               .inputs = {"x"},
                               .forward = "y[p] = part p of an axis of x, parts of equal size",
                               .backward = {"dx += the dy[p], one after the other"}};
  int axis;
  int parts;
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const { see("axis", axis), see("parts", parts); }
  void backward(GradFlow& flow) const {
    if (!flow.wants(0)) return;
    const Shape& shape = flow.shape(0);
    const int64_t size = shape[axis] / parts;
    const bool first = !flow.has_dx(0);  // then the parts are copied, and not added to zeros
    Tensor& dx = first ? flow.first_dx(0) : flow.dx(0);
    for (int p = 0; p < parts; ++p) {
      Tensor part = part_of(dx, axis, p * size, (p + 1) * size);
      if (first) {
        copy_into(part, flow.dy(p));
      } else if (flow.has_dy(p)) {
        add_into(part, flow.dy(p));
      }
    }
  }
};

Tensors split(const Tensor& x, int axis, int64_t parts) {
  require_defined("split", "x", x);
  axis = wrap_axis("split", axis, x.rank());
  const int64_t size = x.shape()[axis];
  require(parts >= 1 && size % parts == 0,
          "split: expected a number of parts that divides {}, axis {} of {}, got {}", size, axis,
          x.shape(), parts);
  Tensors all;
  all.reserve(static_cast<size_t>(parts));
  for (int64_t p = 0; p < parts; ++p)
    all.push_back(part_of(x, axis, p * size / parts, (p + 1) * size / parts));
  const Tensor* const in[] = {&x};
  record_all(Split{axis, static_cast<int>(parts)}, all, in);
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
  void attributes(AttributeVisitor& see) const { see("axis", axis), see("index", index); }
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
  Tensor ends;  // i64: of the parts, along the axis
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const { see("axis", axis); }
  void backward(GradFlow& flow) const {
    int64_t begin = 0;
    for (int i = 0; i < ends.shape()[0]; ++i) {
      const int64_t end = ends.data<int64_t>()[i];
      flow.add(i, part_of(flow.dy(), axis, begin, end));
      begin = end;
    }
  }
};

Tensor concat(std::span<const Tensor> parts, int axis) {
  require(!parts.empty(), "concat: expected at least one tensor");
  for (const Tensor& p : parts) require_defined("concat", "a part", p);
  const Tensor& first = parts[0];
  axis = wrap_axis("concat", axis, first.rank());
  const auto count = static_cast<int64_t>(parts.size());
  Tensor ends = Tensor::empty({count}, i64);
  Buffer inputs(parts.size() * sizeof(const Tensor*));
  const std::span in(reinterpret_cast<const Tensor**>(inputs.data()), parts.size());
  int64_t total = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Tensor& p = parts[i];
    require_same_dtype("concat", first, p);
    require(p.rank() == first.rank() && p.shape().with(axis, 0) == first.shape().with(axis, 0),
            "concat: expected shapes that agree but for axis {}, got {} and {}", axis,
            first.shape(), p.shape());
    ends.mutable_data<int64_t>()[i] = total += p.shape()[axis];
    in[i] = &p;
  }
  Tensor y = Tensor::empty(first.shape().with(axis, total), first.dtype());
  int64_t at = 0;
  for (const Tensor& p : parts) {
    Tensor place = part_of(y, axis, at, at + p.shape()[axis]);
    copy_into(place, p);
    at += p.shape()[axis];
  }
  record_all(Concat{axis, ends}, std::span(&y, 1), in);
  return y;
}

Tensor stack(std::span<const Tensor> parts, int axis) {
  require(!parts.empty(), "stack: expected at least one tensor");
  Tensors with_axis;
  for (const Tensor& p : parts) {
    require_defined("stack", "a part", p);
    require(p.shape() == parts[0].shape(), "stack: expected equal shapes, got {} and {}",
            parts[0].shape(), p.shape());
    const int at = wrap_axis("stack", axis, p.rank() + 1);
    with_axis.push_back(reshape(p, p.shape().inserted(at, 1)));
  }
  return concat(with_axis, axis);
}

}  // namespace heed
