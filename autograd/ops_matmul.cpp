// Matrix products: plain, with the second or the first factor transposed, batched, and the affine
// map of a layer. Transposes are flags of the product, so nothing is copied.
#include <algorithm>
#include <array>

#include "autograd/ops.h"
#include "core/blas.h"
#include "core/detail/flush_subnormals.h"
#include "core/kernels.h"

namespace heed {
namespace {

// The matrices of a tensor [..., r, c]: how far apart they are, and their rows' step. A tensor
// whose matrices have no leading dimension (a broadcast axis inside) is copied.
struct Batch {
  const Tensor* x;
  int64_t rows, cols, step;
  int64_t at = 0;  // elements from the first matrix to the one that it is the turn of
  explicit Batch(const Tensor& of) : x(&of) {
    const int r = of.rank() - 2;
    rows = of.shape()[r];
    cols = of.shape()[r + 1];
    if (rows > 1 && of.stride(r) < cols) x = &(copy = dense(of));
    step = rows > 1 ? x->stride(r) : cols;
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  template <class T>
  const T* data() const {
    return x->data<T>() + at;
  }
  // On to the next matrix; a plain matrix stands for all of them.
  void advance() {
    for (int a = x->rank() - 3; a >= 0; --a) {
      at += x->stride(a);
      if (++index[static_cast<size_t>(a)] < x->shape()[a]) return;
      at -= x->stride(a) * x->shape()[a];
      index[static_cast<size_t>(a)] = 0;
    }
  }
  // Asks for the matrix that it is the turn of, where it is small: a product of large ones does so
  // itself, and rows far apart are not foreseen by the CPU.
  template <class T>
  void fetch() const {
    constexpr int64_t kSmall = 16384 / sizeof(T), kLine = 64 / sizeof(T);
    if (x->rank() == 2 || rows * cols > kSmall) return;
    const T* row = data<T>();
    for (int64_t r = 0; r < rows; ++r, row += step)
      for (int64_t j = 0; j < cols; j += kLine) __builtin_prefetch(row + j);
  }

 private:
  std::array<int64_t, kMaxRank> index{};
  Tensor copy;  // what x is where it is not the tensor itself
};

Shape leading(const Shape& s) {
  return s.first(s.rank() - 2);
}

// c = op(a) op(b) as in product_into, where there may be more than two matrices, or rows without
// one step. Not inlined, so that two plain matrices do not pay for its registers.
[[gnu::noinline]] void product_of_batches(Tensor& c, bool ta, const Tensor& a, bool tb,
                                          const Tensor& b, bool add) {
  dispatch(c.dtype(), "matmul", [&]<class T>() {
    T* out = c.mutable_data<T>();
    if (!ta && b.rank() == 2 && c.rank() == a.rank()) {  // one product over all rows of the batch
      const Matrix ma = as_matrix(a);
      const Batch mb(b);
      const int64_t n = c.shape().back();
      gemm<T>({false, tb, ma.rows, n, ma.cols, ma.data<T>(), ma.step, mb.data<T>(), mb.step, out, n,
               add ? out : nullptr, n});
      return;
    }
    if (ta && c.rank() == 2 && a.rank() == b.rank()) {  // sum over the batch is part of the product
      const Matrix ma = as_matrix(a), mb = as_matrix(b);
      const int64_t m = c.shape()[0], n = c.shape()[1];
      gemm<T>({true, tb, m, n, ma.rows, ma.data<T>(), ma.step, mb.data<T>(), mb.step, out, n,
               add ? out : nullptr, n});
      return;
    }
    Batch ma(a), mb(b), mc(c);
    const int64_t k = ta ? ma.rows : ma.cols;
    const int64_t count = leading((a.rank() < b.rank() ? b : a).shape()).numel();
    if (count == 0 && !add) std::fill_n(out, c.numel(), T(0));  // an empty sum is 0
    // Once for all of them.
    const FlushSubnormals flush;
    for (int64_t i = 0; i < count; ++i) {
      const T *from_a = ma.data<T>(), *from_b = mb.data<T>();
      T* to = out + mc.at;
      ma.advance(), mb.advance(), mc.advance();
      if (i + 1 < count) ma.fetch<T>(), mb.fetch<T>(), mc.fetch<T>();  // while these are multiplied
      const bool on_top = add || (c.rank() == 2 && i > 0);
      gemm<T>({ta, tb, mc.rows, mc.cols, k, from_a, ma.step, from_b, mb.step, to, mc.step,
               on_top ? to : nullptr, mc.step});
    }
  });
}

// c = op(a) op(b), or that added to c, for every matrix of the batch. Where c is one matrix and a,
// b are batches the products are added up.
void product_into(Tensor& c, bool ta, const Tensor& a, bool tb, const Tensor& b, bool add) {
  const auto plain = [](const Tensor& x) { return x.rank() == 2 && x.stride(0) >= x.shape()[1]; };
  if (!plain(a) || !plain(b)) return product_of_batches(c, ta, a, tb, b, add);
  const int64_t m = c.shape()[0], n = c.shape()[1], k = a.shape()[ta ? 0 : 1];
  dispatch(c.dtype(), "matmul", [&]<class T>() {
    T* out = c.mutable_data<T>();
    gemm<T>({ta, tb, m, n, k, a.data<T>(), a.stride(0), b.data<T>(), b.stride(0), out, n,
             add ? out : nullptr, n});
  });
}

// dx of input i += op(a) op(b). A new one has the order of the axes of the input's value x, where
// that is kept; it is dense where one product covers all rows.
void add_product(GradFlow& flow, int i, const Tensor& x, bool ta, const Tensor& a, bool tb,
                 const Tensor& b) {
  if (!flow.wants(i)) return;
  if (flow.has_dx(i)) return product_into(flow.dx(i), ta, a, tb, b, true);
  if (b.rank() == 2 || !x.defined() || x.dense())
    return product_into(flow.first_dx(i), ta, a, tb, b, false);
  Tensor dx = empty_in_order(flow.shape(i), x);
  product_into(dx, ta, a, tb, b, false);
  flow.add(i, std::move(dx));
}

// Whether the second factor is one matrix, for all of the first one's, and wants a gradient.
bool wants_weight(const GradFlow& flow) {
  return flow.wants(1) && flow.shape(1).rank() == 2;
}

constexpr bool kPlain = false, kTransposed = true;

// The recorded product; each factor is kept for the gradient of the other one.
template <class Product, bool ta, bool tb>
Tensor product(const Tensor& a, const Tensor& b) {
  constexpr const std::string_view& op = Product::info.name;
  require_defined(op, "a", a);
  require_defined(op, "b", b);
  require_same_dtype(op, a, b);
  require(a.rank() >= 2 && b.rank() >= 2, "{}: expected at least two axes each, got {} and {}", op,
          a.shape(), b.shape());
  const int64_t m = a.shape().back(ta ? 0 : 1), ka = a.shape().back(ta ? 1 : 0);
  const int64_t n = b.shape().back(tb ? 1 : 0), kb = b.shape().back(tb ? 0 : 1);
  require(ka == kb, "{}: inner sizes differ: {} against {} in {} and {}", op, ka, kb, a.shape(),
          b.shape());
  require(b.rank() == 2 || leading(a.shape()) == leading(b.shape()),
          "{}: expected equal batch axes, or b with two axes; got {} and {}", op, a.shape(),
          b.shape());
  const Shape rows = ta ? a.shape().with(a.rank() - 2, m) : a.shape();
  const Shape shape = rows.with(a.rank() - 1, n);
  // A row of c is a sum of rows of b, and lies like them, unless b's are turned.
  const bool like_b = !tb && b.rank() == a.rank();
  Tensor c = like_b ? empty_in_order(shape, b) : Tensor::empty(shape, a.dtype());
  product_into(c, ta, a, tb, b, false);
  record_in_place([&] { return Product{{a, requires_grad(b)}, {b, requires_grad(a)}}; }, c, a, b);
  return c;
}

}  // namespace

struct MatMul {
  static constexpr OpInfo info{.name = "matmul",
                               .inputs = {"a", "b"},
                               .forward = "y = a b",
                               .backward = {"da += dy b^T", "db += a^T dy"}};
  Saved a, b;
  void saved(SavedVisitor& see) const { see("a", a), see("b", b); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    add_product(flow, 0, a, kPlain, dy, kTransposed, b);
    if (wants_weight(flow)) {
      flow.add_product(1, a, dy);
    } else {
      add_product(flow, 1, b, kTransposed, a, kPlain, dy);
    }
  }
};

Tensor matmul(const Tensor& a, const Tensor& b) {
  return product<MatMul, kPlain, kPlain>(a, b);
}

struct MatMulNT {
  static constexpr OpInfo info{.name = "matmul_nt",
                               .inputs = {"a", "b"},
                               .forward = "y = a b^T",
                               .backward = {"da += dy b", "db += dy^T a"}};
  Saved a, b;
  void saved(SavedVisitor& see) const { see("a", a), see("b", b); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    add_product(flow, 0, a, kPlain, dy, kPlain, b);
    if (wants_weight(flow)) {
      flow.add_product(1, dy, a);
    } else {
      add_product(flow, 1, b, kTransposed, dy, kPlain, a);
    }
  }
};

Tensor matmul_nt(const Tensor& a, const Tensor& b) {
  return product<MatMulNT, kPlain, kTransposed>(a, b);
}

struct MatMulTN {
  static constexpr OpInfo info{.name = "matmul_tn",
                               .inputs = {"a", "b"},
                               .forward = "y = a^T b",
                               .backward = {"da += b dy^T", "db += a dy"}};
  Saved a, b;
  void saved(SavedVisitor& see) const { see("a", a), see("b", b); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    add_product(flow, 0, a, kPlain, b, kTransposed, dy);
    add_product(flow, 1, b, kPlain, a, kPlain, dy);
  }
};

Tensor matmul_tn(const Tensor& a, const Tensor& b) {
  return product<MatMulTN, kTransposed, kPlain>(a, b);
}

struct Linear_ {
  static constexpr OpInfo info{
      .name = "linear",
      .inputs = {"x", "weight", "bias"},
      .forward = "y = x weight^T + bias",
      .backward = {"dx += dy weight", "dweight += dy^T x", "dbias += sum over rows of dy"}};
  Saved x, weight;
  void saved(SavedVisitor& see) const { see("x", x), see("weight", weight); }
  void backward(GradFlow& flow) const {
    const Tensor& dy = flow.dy();
    add_product(flow, 0, x, kPlain, dy, kPlain, weight);
    flow.add_affine(1, 2, dy, x);
  }
};

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require_defined("linear", "x", x);
  require_defined("linear", "weight", weight);
  require_same_dtype("linear", x, weight);
  require(weight.rank() == 2, "linear: expected weight [out, in], got {}", weight.shape());
  require(x.rank() >= 1 && x.shape().back() == weight.shape()[1],
          "linear: expected x [..., {}] for weight {}, got {}", weight.shape()[1], weight.shape(),
          x.shape());
  const int64_t out = weight.shape()[0];
  if (bias.defined()) {
    require_shape("linear", "bias", bias, {out});
    require_same_dtype("linear", x, bias);
  }
  const Shape shape = x.shape().with(x.rank() - 1, out);
  const Matrix rows = as_matrix(x), w = as_matrix(weight);
  const Tensor b = bias.defined() ? dense(bias) : bias;
  Tensor y = Tensor::empty(shape, x.dtype());
  dispatch(x.dtype(), "linear", [&]<class T>() {
    gemm<T>({false, true, rows.rows, out, rows.cols, rows.data<T>(), rows.step, w.data<T>(), w.step,
             y.mutable_data<T>(), out, b.defined() ? b.data<T>() : nullptr});
  });
  return record(Linear_{{x, requires_grad(weight)}, {weight, requires_grad(x)}}, y, x, weight,
                bias);
}

}  // namespace heed
