#include "optim/sgd.h"

namespace heed {

Sgd::Sgd(const Parameters& parameters, const SgdOptions& options)
    : Optimizer(
          "sgd", parameters, options.rate, options.frozen, options.all_used,
          options.momentum > 0 ? std::vector<std::string>{"velocity"} : std::vector<std::string>{}),
      options_(options) {
  detail::require_option("sgd", "momentum", options.momentum, 1);
  detail::require_option("sgd", "weight_decay", options.weight_decay);
  require(!options.nesterov || options.momentum > 0,
          "sgd: Nesterov's form needs momentum; set it, 0.9 for example");
}

void Sgd::update(Item& item, const Tensor& gradient, Range range) {
  Tensor& weight = item.parameter.value;
  dispatch(weight.dtype(), "sgd", [&]<class T>() {
    const auto eta = static_cast<T>(rate), mu = static_cast<T>(options_.momentum),
               lambda = static_cast<T>(options_.weight_decay);
    const T* g = gradient.data<T>();
    T* w = weight.mutable_data<T>();
    if (item.slots.empty()) {
      for (int64_t i = range.begin; i < range.end; ++i) w[i] -= eta * (g[i] + lambda * w[i]);
      return;
    }
    T* u = item.slots[0].mutable_data<T>();
    for (int64_t i = range.begin; i < range.end; ++i) {
      const T d = g[i] + lambda * w[i];
      u[i] = mu * u[i] + d;
      w[i] -= eta * (options_.nesterov ? d + mu * u[i] : u[i]);
    }
  });
}

}  // namespace heed
