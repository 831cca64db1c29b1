// Operations of network layers that are no arithmetic of their own: lookup, dropout, normalisation.
#include <array>
#include <cmath>
#include <cstring>

#include "autograd/detail/elementwise.h"
#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

using elementwise::accumulate;

// ---- embedding ----

struct Embedding_ {
  static constexpr OpInfo info{.name = "embedding",
                               .inputs = {"weight"},
                               .forward = "y[i] = weight[ids[i]]",
                               .backward = {"dweight[ids[i]] += dy[i]"}};
  Saved ids;  // i64
  void saved(SavedVisitor& see) const { see("ids", ids); }
  void backward(GradFlow& flow) const { flow.add_rows(0, ids, flow.dy()); }
};

Tensor embedding(const Tensor& weight, const Tensor& ids_in) {
  require_defined("embedding", "weight", weight);
  require_defined("embedding", "ids", ids_in);
  require(weight.rank() == 2, "embedding: expected weight [V, E], got {}", weight.shape());
  require(ids_in.dtype() == i64, "embedding: expected i64 ids, got {}", name_of(ids_in.dtype()));
  const Tensor ids = dense(ids_in), w = dense(weight);
  const int64_t v = w.shape()[0], e = w.shape()[1];
  Tensor y = Tensor::empty(ids.shape().inserted(ids.rank(), e), w.dtype());
  dispatch(w.dtype(), "embedding", [&]<class T>() {
    T* out = y.mutable_data<T>();
    for (int64_t i = 0; i < ids.numel(); ++i) {
      const int64_t id = ids.data<int64_t>()[i];
      require(0 <= id && id < v,
              "embedding: expected ids in [0, {}) for weight {}, got {} at position {} of ids {}",
              v, w.shape(), id, i, ids.shape());
      std::memcpy(out + i * e, w.data<T>() + id * e, static_cast<size_t>(e) * sizeof(T));
    }
  });
  return record(Embedding_{ids}, y, weight);
}

// ---- dropout ----

struct Dropout_ {
  static constexpr OpInfo info{.name = "dropout",
                               .inputs = {"x"},
                               .forward = "y = x * m, m = 0 with probability p, else 1 / (1 - p)",
                               .backward = {"dx += m * dy"}};
  Buffer kept;  // m, a byte per element: 1, or 0 where m is 0
  Shape shape;
  DType dtype;
  double p;
  double factor;  // m where it is not 0

  void put_times_m(const Tensor& x, Tensor& y) const {  // y may be x
    const auto* bytes = reinterpret_cast<const uint8_t*>(kept.data());
    dispatch(dtype, "dropout", [&]<class T>() {
      vscale_kept(shape.numel(), bytes, T(factor), x.data<T>(), y.mutable_data<T>());
    });
  }
  void saved(SavedVisitor& see) const {
    if (!see.looks()) return;
    Tensor m = Tensor::full(shape, 1, dtype);
    put_times_m(m, m);
    see("m", m);
  }
  void attributes(AttributeVisitor& see) const { see("p", p); }
  void backward(GradFlow& flow) const {
    Tensor& dx = flow.over_dy();
    Tensor room;
    put_times_m(dense(flow.dy(), room), dx);
    flow.add(0, std::move(dx));
  }
};

Tensor dropout(Tensor x, double p, uint64_t key) {
  require_defined("dropout", "x", x);
  require(p >= 0 && p < 1, "dropout: expected a probability in [0, 1), got {}", p);
  Tensor y = handed_over(x) ? x : Tensor::empty(x.shape(), x.dtype());
  const Tensor in = dense(x);
  const Buffer kept(static_cast<size_t>(x.numel()));
  // 16 random bits for each element; the factor is that of the probability that they can have.
  const auto limit = static_cast<uint16_t>(std::min(std::round(p * 0x1p16), 0x1p16 - 1));
  const double factor = 1 / (1 - limit * 0x1p-16);
  dispatch(x.dtype(), "dropout", [&]<class T>() {
    auto* bytes = reinterpret_cast<uint8_t*>(kept.data());
    const T* from = in.data<T>();
    T* to = y.mutable_data<T>();
    std::array<uint32_t, 512> words;  // of the stream `key`: each decides about two elements
    constexpr auto kChunk = static_cast<int64_t>(2 * words.size());
    for (int64_t start = 0; start < in.numel(); start += kChunk) {
      const int64_t n = std::min(kChunk, in.numel() - start);
      vector_table().philox(key, static_cast<uint64_t>(start / 8), (n + 7) / 8, words.data());
      vdropout(n, words.data(), limit, T(factor), from + start, bytes + start, to + start);
    }
  });
  return record(Dropout_{kept, x.shape(), x.dtype(), p, factor}, y, x);
}

// ---- layer_norm ----

struct LayerNorm_ {
  static constexpr OpInfo info{
      .name = "layer_norm",
      .inputs = {"x", "gain", "bias"},
      .forward = "y = n * gain + bias, n = (x - mean x) / sqrt(var x + eps)",
      .backward = {"dx += (g - mean g - n * mean(g * n)) / sqrt(var x + eps), g = gain * dy",
                   "dgain += sum over rows of dy * n", "dbias += sum over rows of dy"}};
  Saved n;        // normalised x
  Saved inverse;  // 1 / sqrt(var + eps), per row
  Saved gain;
  double eps;
  void saved(SavedVisitor& see) const { see("n", n), see("inverse", inverse), see("gain", gain); }
  void attributes(AttributeVisitor& see) const { see("eps", eps); }

  void backward(GradFlow& flow) const {
    Tensor room;
    const Tensor& dy = dense(flow.dy(), room);
    const int64_t d = n->shape().back(), rows = d == 0 ? 0 : n->numel() / d;
    flow.add(2, dy);
    dispatch(dy.dtype(), "layer_norm", [&]<class T>() {
      const T *norm = n->data<T>(), *dyp = dy.data<T>(), *w = gain->data<T>();
      if (flow.wants(1)) vadd_products(rows, d, dyp, norm, flow.dx(1).mutable_data<T>());
      if (!flow.wants(0)) return;
      Tensor& dx = flow.over_dy();
      vlayer_norm_backward(rows, d, norm, inverse->data<T>(), w, dyp, dx.mutable_data<T>());
      flow.add(0, std::move(dx));
    });
  }
};

Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps) {
  require_defined("layer_norm", "x", x);
  require(x.rank() >= 1 && x.shape().back() > 0,
          "layer_norm: expected a last axis with elements, got {}", x.shape());
  const int64_t d = x.shape().back(), rows = x.numel() / d;
  require_shape("layer_norm", "gain", gain, {d});
  require_shape("layer_norm", "bias", bias, {d});
  require_same_dtype("layer_norm", x, gain);
  require_same_dtype("layer_norm", x, bias);
  const Tensor in = dense(x), w = dense(gain), b = dense(bias);
  Tensor n = Tensor::empty(x.shape(), x.dtype()), y = Tensor::empty(x.shape(), x.dtype());
  Tensor inverse = Tensor::empty({rows}, x.dtype());
  dispatch(x.dtype(), "layer_norm", [&]<class T>() {
    vlayer_norm(rows, d, in.data<T>(), w.data<T>(), b.data<T>(), static_cast<T>(eps),
                n.mutable_data<T>(), y.mutable_data<T>(), inverse.mutable_data<T>());
  });
  return record(LayerNorm_{n, inverse, w, eps}, y, x, gain, bias);
}

}  // namespace heed
