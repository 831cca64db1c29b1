// A leaf with a name: what layers list, files hold and optimisers update. Nothing but data.
#pragma once
#include <string>
#include <vector>

#include "core/tensor.h"

namespace heed {

/// One parameter of a model. `value` is a leaf; copies of it share its memory, so an optimiser that
/// holds this handle updates the model.
struct NamedParameter {
  std::string name;  // the path from the model to it: "encoder.cell.weight_ih_l0"
  Tensor value;
};
using Parameters = std::vector<NamedParameter>;

}  // namespace heed
