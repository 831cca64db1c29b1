#include "optim/adam.h"

#include <cmath>

#include "core/vector_math.h"

namespace heed {
namespace {

template <class Options>
void check(std::string_view name, const Options& o) {
  detail::require_option(name, "beta1", o.beta1, 1);
  detail::require_option(name, "beta2", o.beta2, 1);
  require(o.eps > 0, "{}: expected eps > 0, got {}", name, o.eps);
  detail::require_option(name, "weight_decay", o.weight_decay);
}

/// The numbers of an update in double, named as in simd::AdamStep.
struct Step {
  double beta1, rest1, beta2, rest2, rate, scale_v, eps, l2, decay;
};

template <class Options>
Step make_step(const Options& o, int64_t t, double rate, double l2, double decay) {
  const auto n = static_cast<double>(t);
  return {.beta1 = o.beta1,
          .rest1 = 1 - o.beta1,
          .beta2 = o.beta2,
          .rest2 = 1 - o.beta2,
          .rate = rate / (1 - std::pow(o.beta1, n)),
          .scale_v = 1 / std::sqrt(1 - std::pow(o.beta2, n)),
          .eps = o.eps,
          .l2 = l2,
          .decay = decay};
}

void apply(int64_t n, float* w, float* m, float* v, const float* g, const Step& s) {
  const auto f = [](double x) { return static_cast<float>(x); };
  vector_table().adam(n, w, m, v, g,
                      {f(s.beta1), f(s.rest1), f(s.beta2), f(s.rest2), f(s.rate), f(s.scale_v),
                       f(s.eps), f(s.l2), f(s.decay)});
}

void apply(int64_t n, double* w, double* m, double* v, const double* g, const Step& s) {
  for (int64_t i = 0; i < n; ++i) {
    const double d = g[i] + s.l2 * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * d;
    v[i] = s.beta2 * v[i] + s.rest2 * d * d;
    w[i] -= s.rate * m[i] / (std::sqrt(v[i]) * s.scale_v + s.eps) + s.decay * w[i];
  }
}

void apply(Tensor& weight, std::vector<Tensor>& slots, const Tensor& gradient, const Step& s) {
  dispatch(weight.dtype(), "adam", [&]<class T>() {
    apply(weight.numel(), weight.mutable_data<T>(), slots[0].mutable_data<T>(),
          slots[1].mutable_data<T>(), gradient.data<T>(), s);
  });
}

}  // namespace

Adam::Adam(const Parameters& parameters, const AdamOptions& options)
    : Optimizer("adam", parameters, options.rate, options.frozen, options.all_used, {"m", "v"}),
      options_(options) {
  check("adam", options);
}

void Adam::update(Item& item, const Tensor& gradient) {
  apply(item.parameter.value, item.slots, gradient,
        make_step(options_, item.updates, rate, options_.weight_decay, 0));
}

AdamW::AdamW(const Parameters& parameters, const AdamWOptions& options)
    : Optimizer("adamw", parameters, options.rate, options.frozen, options.all_used, {"m", "v"}),
      options_(options) {
  check("adamw", options);
}

void AdamW::update(Item& item, const Tensor& gradient) {
  apply(item.parameter.value, item.slots, gradient,
        make_step(options_, item.updates, rate, 0, rate * options_.weight_decay));
}

}  // namespace heed
