#include "optim/rmsprop.h"

#include <algorithm>
#include <cmath>

namespace heed {
namespace {

std::vector<std::string> slot_names(const RmspropOptions& options) {
  std::vector<std::string> names{"square"};
  if (options.centered) names.emplace_back("mean");
  if (options.momentum > 0) names.emplace_back("velocity");
  return names;
}

}  // namespace

Rmsprop::Rmsprop(const Parameters& parameters, const RmspropOptions& options)
    : Optimizer("rmsprop", parameters, options.rate, options.frozen, options.all_used,
                slot_names(options)),
      options_(options) {
  detail::require_option("rmsprop", "alpha", options.alpha, 1);
  detail::require_option("rmsprop", "momentum", options.momentum, 1);
  require(options.eps > 0, "rmsprop: expected eps > 0, got {}", options.eps);
  detail::require_option("rmsprop", "weight_decay", options.weight_decay);
}

void Rmsprop::update(Item& item, const Tensor& gradient, Range range) {
  Tensor& weight = item.parameter.value;
  dispatch(weight.dtype(), "rmsprop", [&]<class T>() {
    const auto eta = static_cast<T>(rate), alpha = static_cast<T>(options_.alpha),
               rest = static_cast<T>(1 - options_.alpha), eps = static_cast<T>(options_.eps),
               mu = static_cast<T>(options_.momentum),
               lambda = static_cast<T>(options_.weight_decay);
    const T* g = gradient.data<T>();
    T* w = weight.mutable_data<T>();
    T* s = item.slots[0].mutable_data<T>();
    T* a = options_.centered ? item.slots[1].mutable_data<T>() : nullptr;
    T* u = mu > 0 ? item.slots.back().mutable_data<T>() : nullptr;
    for (int64_t i = range.begin; i < range.end; ++i) {
      const T d = g[i] + lambda * w[i];
      s[i] = alpha * s[i] + rest * d * d;
      T variance = s[i];
      if (a) {
        a[i] = alpha * a[i] + rest * d;
        variance = std::max(variance - a[i] * a[i], T(0));  // rounding may leave -1e-20
      }
      T change = d / (std::sqrt(variance) + eps);
      if (u) change = u[i] = mu * u[i] + change;
      w[i] -= eta * change;
    }
  });
}

}  // namespace heed
