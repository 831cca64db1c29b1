// An optimiser by its name, for programs that take it from a flag or a file.
#pragma once
#include <memory>
#include <optional>

#include "optim/optimizer.h"

namespace heed {

/// The options of all optimisers together. What is not set has that optimiser's own default.
struct OptimizerOptions {
  std::optional<double> rate = {}, weight_decay = {};
  std::optional<double> momentum = {};           // sgd, rmsprop
  std::optional<double> beta1 = {}, beta2 = {};  // adam, adamw
  std::optional<double> alpha = {};              // rmsprop
  std::optional<double> eps = {};                // adam, adamw, rmsprop
  bool nesterov = false;                         // sgd
  bool centered = false;                         // rmsprop
  std::vector<std::string> frozen = {};          // all; see Optimizer
  bool all_used = true;
};

/// "sgd", "adam", "adamw" or "rmsprop". Throws std::invalid_argument for another name, and for an
/// option that this optimiser does not have.
std::unique_ptr<Optimizer> make_optimizer(std::string_view name, const Parameters& parameters,
                                          const OptimizerOptions& options = {});

}  // namespace heed
