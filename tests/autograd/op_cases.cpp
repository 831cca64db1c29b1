#include "tests/autograd/op_cases.h"

#include "core/kernels.h"

namespace heed::test {

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    add_elementwise_cases(all);
    add_product_cases(all);
    add_shape_cases(all);
    add_reduction_cases(all);
    add_network_cases(all);
    add_recurrence_cases(all);
    return all;
  }();
  return cases;
}

namespace {
Tensor rounded(const Tensor& x) {
  return cast(cast(x, f32), f64);
}
}  // namespace

Tensor Numbers::normal(const Shape& shape, double deviation) {
  return rounded(Tensor::normal(shape, 0, deviation, rng_, f64));
}

Tensor Numbers::uniform(const Shape& shape, double low, double high) {
  return rounded(Tensor::uniform(shape, low, high, rng_, f64));
}

Tensor Numbers::apart(const Shape& shape) {
  std::vector<double> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i)  // -0.03, 0.03, -0.09, 0.09, ...
    v[i] = (static_cast<double>(i / 2) * 0.06 + 0.03) * (i % 2 == 0 ? -1 : 1);
  rng_.shuffle(std::span(v));
  return rounded(Tensor::from<double>(v, shape));
}

// ---- join ----

namespace {

struct Join {
  static constexpr OpInfo info{.name = "join",
                               .inputs = {"parts"},
                               .forward = "y = all elements of the parts",
                               .backward = {"dpart += its elements of dy"},
                               .variadic = true};
  std::vector<int64_t> sizes;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    int64_t at = 0;
    for (size_t p = 0; p < sizes.size(); ++p) {
      const int i = static_cast<int>(p);
      if (flow.wants(i))
        dispatch(flow.dy().dtype(), "join", [&]<class T>() {
          T* to = flow.dx(i).mutable_data<T>();
          for (int64_t j = 0; j < sizes[p]; ++j) to[j] += flow.dy().data<T>()[at + j];
        });
      at += sizes[p];
    }
  }
};

struct Trap {
  static constexpr OpInfo info{.name = "trap",
                               .inputs = {"x"},
                               .forward = "y = 0",
                               .backward = {"dx += k"},
                               .variadic = true};
  Tensors k;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    for (size_t i = 0; i < k.size(); ++i)
      if (flow.wants(static_cast<int>(i)))
        dispatch(k[i].dtype(), "trap", [&]<class T>() {
          T* to = flow.dx(static_cast<int>(i)).mutable_data<T>();
          for (int64_t j = 0; j < k[i].numel(); ++j) to[j] += k[i].data<T>()[j];
        });
  }
};

struct Hand {
  static constexpr OpInfo info{.name = "hand",
                               .inputs = {"y"},
                               .forward = "z = 0",
                               .backward = {"dy += c"},
                               .variadic = true};
  Tensors c;
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    for (size_t i = 0; i < c.size(); ++i) flow.add(static_cast<int>(i), c[i]);
  }
};

}  // namespace

Tensor join(const Tensors& parts) {
  std::vector<int64_t> sizes;
  int64_t total = 0;
  for (const Tensor& p : parts) {
    sizes.push_back(p.numel());
    total += p.numel();
  }
  Tensor y = Tensor::empty({total}, parts[0].dtype());
  std::vector<const Tensor*> in;
  int64_t at = 0;
  for (const Tensor& p : parts) {
    Tensor place = y.view(p.shape(), dense_strides(p.shape()), at);
    copy_into(place, p);
    at += p.numel();
    in.push_back(&p);
  }
  record_all(Join{sizes}, std::span(&y, 1), in);
  return y;
}

Tensor trap(const Tensor& y, const Tensor& c, const Tensors& x, const Tensors& k) {
  Trap op{{c}};
  std::vector<const Tensor*> in{&y};
  for (const Tensor& t : x) in.push_back(&t);
  for (const Tensor& t : k) op.k.push_back(t);
  Tensor zero = Tensor::zeros({}, y.dtype());
  record_all(std::move(op), std::span(&zero, 1), in);
  return zero;
}

Tensor hand(const Tensors& y, const Tensors& c) {
  std::vector<const Tensor*> in;
  for (const Tensor& t : y) in.push_back(&t);
  Tensor zero = Tensor::zeros({}, y[0].dtype());
  record_all(Hand{c}, std::span(&zero, 1), in);
  return zero;
}

Tensor stored(const Tensor& x, Layout layout) {
  const Shape& shape = x.shape();
  if (layout == Layout::padded && x.rank() >= 1) {
    const Shape wide = shape.with(x.rank() - 1, shape.back() + 3);
    Tensor y = Tensor::full(wide, 77, x.dtype()).view(shape, dense_strides(wide), 2);
    copy_into(y, x);
    return y;
  }
  if (layout == Layout::swapped && x.rank() >= 3) {
    const Shape other = shape.with(0, shape[1]).with(1, shape[0]);
    Strides strides = dense_strides(other);
    std::swap(strides[0], strides[1]);
    Tensor y = Tensor::empty(other, x.dtype()).view(shape, strides);
    copy_into(y, x);
    return y;
  }
  return clone(x);
}

}  // namespace heed::test
