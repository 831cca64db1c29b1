// Reductions over axes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/loops.h"
#include "core/vector_math.h"

namespace heed {
namespace {

// Which axes were reduced, as an op keeps them.
struct Axes {
  uint32_t bits;  // bit a: axis a
  bool keep;
  void operator()(AttributeVisitor& see) const {
    std::vector<int64_t> list;
    for (int a = 0; a < kMaxRank; ++a)
      if (bits >> a & 1) list.push_back(a);
    see("axes", list), see("keep", keep);
  }
};

// The reduced axes, checked; and x's shape with 1 in their place.
struct Reduced {
  List<int> axes;     // ascending
  Shape kept;         // size 1 where reduced
  int64_t count = 1;  // elements that go into one
  Reduced(std::string_view op, const Tensor& x, List<int> wanted) : axes(std::move(wanted)) {
    require_defined(op, "x", x);
    if (axes.empty())
      for (int a = 0; a < x.rank(); ++a) axes.push_back(a);
    for (int& a : axes) a = wrap_axis(op, a, x.rank());
    std::sort(axes.begin(), axes.end());
    require(std::adjacent_find(axes.begin(), axes.end()) == axes.end(),
            "{}: expected each axis once", op);
    kept = x.shape();
    for (const int a : axes) {
      count *= kept[a];
      kept = kept.with(a, 1);
    }
  }
  Axes with(bool keep) const {
    uint32_t bits = 0;
    for (const int a : axes) bits |= 1u << a;
    return {bits, keep};
  }
  Shape dropped() const {
    Shape s = kept;
    for (auto it = axes.rbegin(); it != axes.rend(); ++it) s = s.without(*it);
    return s;
  }
};

Tensor as_shape(const Tensor& x, const Shape& s) {
  return dense(x).view(s, dense_strides(s));
}

}  // namespace

struct Sum {
  static constexpr OpInfo info{.name = "sum",
                               .inputs = {"x"},
                               .forward = "y = sum of x over axes",
                               .backward = {"dx += dy, repeated over the axes"}};
  Shape kept;
  Axes axes;
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const { axes(see); }
  void backward(GradFlow& flow) const { add_into(flow.dx(0), as_shape(flow.dy(), kept)); }
};

Tensor sum(const Tensor& x, List<int> axes, bool keep) {
  const Reduced r("sum", x, std::move(axes));
  Tensor y = Tensor::zeros(r.kept, x.dtype());
  add_into(y, x);
  return record(Sum{r.kept, r.with(keep)}, keep ? y : as_shape(y, r.dropped()), x);
}

struct Mean {
  static constexpr OpInfo info{.name = "mean",
                               .inputs = {"x"},
                               .forward = "y = sum of x over axes / n",
                               .backward = {"dx += dy / n, repeated over the axes"}};
  Shape kept;
  int64_t count;
  Axes axes;
  void saved(SavedVisitor&) const {}
  void attributes(AttributeVisitor& see) const { axes(see); }
  void backward(GradFlow& flow) const {
    Tensor share = clone(as_shape(flow.dy(), kept));
    scale_in_place(share, 1.0 / static_cast<double>(count));
    add_into(flow.dx(0), share);
  }
};

Tensor mean(const Tensor& x, List<int> axes, bool keep) {
  const Reduced r("mean", x, std::move(axes));
  require(r.count > 0, "mean: expected something to average, got {}", x.shape());
  Tensor y = Tensor::zeros(r.kept, x.dtype());
  add_into(y, x);
  scale_in_place(y, 1.0 / static_cast<double>(r.count));
  return record(Mean{r.kept, r.count, r.with(keep)}, keep ? y : as_shape(y, r.dropped()), x);
}

struct Max {
  static constexpr OpInfo info{.name = "max",
                               .inputs = {"x"},
                               .forward = "y = largest x over axes, first one if equal",
                               .backward = {"dx[argmax] += dy"}};
  Saved argmax;  // flat index into x for every element of y
  Axes axes;
  void saved(SavedVisitor& see) const { see("argmax", argmax); }
  void attributes(AttributeVisitor& see) const { axes(see); }
  void backward(GradFlow& flow) const {
    const Tensor dy = dense(flow.dy());
    Tensor& dx = flow.dx(0);
    dispatch(dy.dtype(), "max", [&]<class T>() {
      T* to = dx.mutable_data<T>();
      for (int64_t i = 0; i < dy.numel(); ++i) to[argmax->data<int64_t>()[i]] += dy.data<T>()[i];
    });
  }
};

Tensor max(const Tensor& x, List<int> axes, bool keep) {
  const Reduced r("max", x, std::move(axes));
  require(r.count > 0, "max: expected at least one element to choose from, got {}", x.shape());
  Tensor y = Tensor::full(r.kept, -std::numeric_limits<double>::infinity(), x.dtype());
  Tensor at = Tensor::full(r.kept, -1, i64);
  const Strides sy = broadcast_strides(y, x.shape());
  const Strides sx = dense_strides(x.shape());
  const Tensor in = dense(x);
  const RowLoop<2> loop(x.shape(), {&sy, &sx});
  const int64_t n = loop.inner(), iy = loop.inner_step(0), ix = loop.inner_step(1);
  dispatch(x.dtype(), "max", [&]<class T>() {
    T* best = y.mutable_data<T>();
    int64_t* where = at.mutable_data<int64_t>();
    loop.run([&](const auto& o) {
      for (int64_t j = 0; j < n; ++j) {
        const int64_t to = o[0] + j * iy, from = o[1] + j * ix;
        const T v = in.data<T>()[from];
        if (where[to] >= 0 && !(v > best[to]) && !std::isnan(v)) continue;
        if (where[to] >= 0 && std::isnan(best[to])) continue;  // the first NaN stays
        best[to] = v;
        where[to] = from;
      }
    });
  });
  return record(Max{at, r.with(keep)}, keep ? y : as_shape(y, r.dropped()), x);
}

struct LogSumExp {
  static constexpr OpInfo info{.name = "logsumexp",
                               .inputs = {"x"},
                               .forward = "y = max x + ln sum exp(x - max x)",
                               .backward = {"dx += exp(x - y) * dy"}};
  Saved x, y;
  void saved(SavedVisitor& see) const { see("x", x), see("y", y); }
  void backward(GradFlow& flow) const {
    const Tensor in = dense(*x), dy = dense(flow.dy());
    Tensor& dx = flow.dx(0);
    const int64_t n = in.shape().back(), rows = dy.numel();
    dispatch(in.dtype(), "logsumexp", [&]<class T>() {
      T* to = dx.mutable_data<T>();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < n; ++j)
          to[r * n + j] += std::exp(in.data<T>()[r * n + j] - y->data<T>()[r]) * dy.data<T>()[r];
    });
  }
};

Tensor logsumexp(const Tensor& x) {
  require_defined("logsumexp", "x", x);
  require(x.rank() >= 1 && x.shape().back() > 0,
          "logsumexp: expected a last axis with elements, got {}", x.shape());
  const Tensor in = dense(x);
  const int64_t n = x.shape().back();
  Tensor y = Tensor::empty(x.shape().without(x.rank() - 1), x.dtype());
  dispatch(x.dtype(), "logsumexp", [&]<class T>() {
    T* out = y.mutable_data<T>();
    for (int64_t r = 0; r < y.numel(); ++r) {
      T top;
      const T total = vexp_sum(n, in.data<T>() + r * n, &top);
      out[r] = top + std::log(total);
    }
  });
  return record(LogSumExp{x, y}, y, x);
}

}  // namespace heed
