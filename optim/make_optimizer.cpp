#include "optim/make_optimizer.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "optim/adam.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"

namespace heed {
namespace {

void require_known(std::string_view name, const OptimizerOptions& o,
                   std::initializer_list<std::string_view> known) {
  const std::pair<std::string_view, bool> options[] = {{"momentum", o.momentum.has_value()},
                                                       {"nesterov", o.nesterov},
                                                       {"beta1", o.beta1.has_value()},
                                                       {"beta2", o.beta2.has_value()},
                                                       {"alpha", o.alpha.has_value()},
                                                       {"eps", o.eps.has_value()},
                                                       {"centered", o.centered}};
  for (const auto& [option, given] : options)
    require(!given || std::find(known.begin(), known.end(), option) != known.end(),
            "{} has no option '{}'; it has rate, weight_decay, {}", name, option,
            fmt::join(known, ", "));
}

void set(double& value, const std::optional<double>& given) {
  value = given.value_or(value);
}

/// The options that every optimiser has, over its defaults.
template <class Options>
Options common(const OptimizerOptions& o) {
  Options options;
  set(options.rate, o.rate);
  set(options.weight_decay, o.weight_decay);
  options.frozen = o.frozen;
  options.all_used = o.all_used;
  return options;
}

template <class Options>
Options adam_options(std::string_view name, const OptimizerOptions& o) {
  require_known(name, o, {"beta1", "beta2", "eps"});
  auto options = common<Options>(o);
  set(options.beta1, o.beta1);
  set(options.beta2, o.beta2);
  set(options.eps, o.eps);
  return options;
}

SgdOptions sgd_options(const OptimizerOptions& o) {
  require_known("sgd", o, {"momentum", "nesterov"});
  auto options = common<SgdOptions>(o);
  set(options.momentum, o.momentum);
  options.nesterov = o.nesterov;
  return options;
}

RmspropOptions rmsprop_options(const OptimizerOptions& o) {
  require_known("rmsprop", o, {"alpha", "eps", "momentum", "centered"});
  auto options = common<RmspropOptions>(o);
  set(options.alpha, o.alpha);
  set(options.eps, o.eps);
  set(options.momentum, o.momentum);
  options.centered = o.centered;
  return options;
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(std::string_view name, const Parameters& parameters,
                                          const OptimizerOptions& o) {
  if (name == "sgd") return std::make_unique<Sgd>(parameters, sgd_options(o));
  if (name == "adam") return std::make_unique<Adam>(parameters, adam_options<AdamOptions>(name, o));
  if (name == "adamw")
    return std::make_unique<AdamW>(parameters, adam_options<AdamWOptions>(name, o));
  require(name == "rmsprop", "expected an optimizer sgd, adam, adamw or rmsprop, got '{}'", name);
  return std::make_unique<Rmsprop>(parameters, rmsprop_options(o));
}

}  // namespace heed
