// Cross-entropy over the last axis, softmax included: one pass over the logits and no second copy
// of them (backward recomputes the probabilities from the logits and one number per row).
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

struct CrossEntropy {
  static constexpr OpInfo info{
      .name = "cross_entropy",
      .inputs = {"logits"},
      .forward = "L = logsumexp(z) - (1 - eps) z[target] - eps mean(z), per counted token",
      .backward = {"dz += (softmax(z) - (1 - eps) onehot(target) - eps / V) * dL"}};
  Saved logits;      // [..., V]
  Saved targets;     // i64 [...]
  Saved normaliser;  // logsumexp of each row
  CrossEntropyOptions options;
  int64_t count;

  void saved(SavedVisitor& see) const {
    see("logits", logits), see("targets", targets), see("normaliser", normaliser);
  }
  void attributes(AttributeVisitor& see) const {
    constexpr const char* kNames[] = {"per_token", "sum", "mean"};
    see("reduction", kNames[static_cast<int>(options.reduction)]);
    see("count", count), see("ignore", options.ignore);
    see("label_smoothing", options.label_smoothing);
  }

  void backward(GradFlow& flow) const {
    if (!flow.wants(0)) return;
    const Tensor dy = dense(flow.dy());
    const bool alone = logits->buffer().unique();  // then their memory becomes their gradient's
    const Tensor& z = *logits;
    Tensor dz = alone ? z : Tensor::empty(z.shape(), z.dtype());
    const int64_t v = z.shape().back(), rows = targets->numel();
    dispatch(z.dtype(), "cross_entropy", [&]<class T>() {
      const T eps = static_cast<T>(options.label_smoothing), share = eps / static_cast<T>(v);
      for (int64_t r = 0; r < rows; ++r) {
        T* d = dz.mutable_data<T>() + r * v;
        const int64_t target = targets->data<int64_t>()[r];
        if (target == options.ignore) {
          std::fill_n(d, v, T(0));
          continue;
        }
        T g = dy.data<T>()[options.reduction == Reduction::per_token ? r : 0];
        if (options.reduction == Reduction::mean) g /= static_cast<T>(count);
        vcross_entropy_backward(v, z.data<T>() + r * v, normaliser->data<T>()[r], share, g, d);
        d[target] -= (1 - eps) * g;
      }
    });
    flow.add(0, dz);
  }
};

int64_t counted(const Tensor& targets, int64_t ignore) {
  int64_t n = 0;
  const Tensor t = dense(targets);
  for (int64_t i = 0; i < t.numel(); ++i) n += t.data<int64_t>()[i] != ignore;
  return n;
}

namespace {

void check_targets(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& o) {
  require_defined("cross_entropy", "logits", logits);
  require_defined("cross_entropy", "targets", targets);
  require(targets.dtype() == i64, "cross_entropy: expected i64 targets, got {}",
          name_of(targets.dtype()));
  require(logits.rank() >= 1 && targets.shape() == logits.shape().without(logits.rank() - 1),
          "cross_entropy: expected targets {} for logits {}, got {}",
          logits.rank() >= 1 ? logits.shape().without(logits.rank() - 1) : Shape{}, logits.shape(),
          targets.shape());
  require(o.label_smoothing >= 0 && o.label_smoothing < 1,
          "cross_entropy: expected label smoothing in [0, 1), got {}", o.label_smoothing);
  const int64_t v = logits.shape().back();
  for (int64_t r = 0; r < targets.numel(); ++r) {
    const int64_t t = targets.data<int64_t>()[r];
    require(t == o.ignore || (0 <= t && t < v),
            "cross_entropy: expected targets in [0, {}) or {} (ignored), got {} at position {}", v,
            o.ignore, t, r);
  }
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets_in,
                     const CrossEntropyOptions& options) {
  const Tensor targets = targets_in.defined() ? dense(targets_in) : targets_in;
  check_targets(logits, targets, options);
  const Tensor z = dense(logits);
  const int64_t v = z.shape().back(), rows = targets.numel();
  const int64_t count = counted(targets, options.ignore);
  Tensor losses = Tensor::zeros(targets.shape(), z.dtype());
  Tensor normaliser = Tensor::zeros({rows}, z.dtype());
  double total = 0;
  dispatch(z.dtype(), "cross_entropy", [&]<class T>() {
    const T eps = static_cast<T>(options.label_smoothing);
    T *out = losses.mutable_data<T>(), *base = normaliser.mutable_data<T>();
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t target = targets.data<int64_t>()[r];
      if (target == options.ignore) continue;
      const T* row = z.data<T>() + r * v;
      T top;
      const T sum = vexp_sum(v, row, &top);
      base[r] = top + std::log(sum);
      out[r] = base[r] - (1 - eps) * row[target];
      if (eps > 0) out[r] -= eps * (vsum(v, row) / static_cast<T>(v));
      total += static_cast<double>(out[r]);
    }
  });
  Tensor y = losses;
  if (options.reduction != Reduction::per_token) {
    if (options.reduction == Reduction::mean && count > 0) total /= static_cast<double>(count);
    y = Tensor::scalar(total, z.dtype());
  }
  return record(CrossEntropy{z, targets, normaliser, options, count}, y, logits);
}

}  // namespace heed
