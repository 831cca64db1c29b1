// The table of gradient cases: what every op is checked with. A case is an op on certain inputs;
// the checks (gradients_test.cpp) are the same for all. A new op needs one row here.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "core/rng.h"

namespace heed::test {

/// One op on certain inputs.
struct Case {
  std::string op;     // OpInfo::name
  std::string label;  // what is special about it: "[3, 1] + [1, 4]"
  std::vector<std::pair<std::string, Tensor>> inputs;  // f64, dense, values that f32 can hold
  std::function<Tensors(const Tensors&)> f;            // all outputs; in the dtype of the inputs
};

/// All cases, in a fixed order.
const std::vector<Case>& all_cases();

/// Random inputs whose values f32 holds exactly, so that f32 and f64 compute from the same numbers.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : rng_(seed) {}
  Tensor normal(const Shape& shape, double deviation = 1);
  Tensor uniform(const Shape& shape, double low, double high);
  /// Distinct, at least 0.05 apart and at least 0.02 from 0: safe for ops with kinks.
  Tensor apart(const Shape& shape);

 private:
  Rng rng_;
};

/// The sizes around every SIMD and blocking boundary.
inline constexpr int64_t kSizes[] = {1, 7, 8, 9, 15, 16, 17, 33, 100};

// The families (cases_*.cpp) append their rows.
void add_elementwise_cases(std::vector<Case>& all);
void add_product_cases(std::vector<Case>& all);
void add_shape_cases(std::vector<Case>& all);
void add_reduction_cases(std::vector<Case>& all);
void add_network_cases(std::vector<Case>& all);
void add_recurrence_cases(std::vector<Case>& all);

// ---- three ops of the tests, so that a check of one op rests on no other ----

/// All outputs as one vector.
Tensor join(const Tensors& parts);

/// A scalar whose backward gives `y` the cotangent `c` and every x[i] the gradient `k[i]`. Recorded
/// after y, so walked before it: when y's own backward runs, the x already hold something.
Tensor trap(const Tensor& y, const Tensor& c, const Tensors& x, const Tensors& k);

/// A scalar whose backward gives every y[i] the cotangent `c[i]` as it lies in memory.
Tensor hand(const Tensors& y, const Tensors& c);

// ---- layouts ----

enum class Layout { dense, padded, swapped };
/// The same numbers, stored otherwise: `padded`: rows further apart than they are long, and not at
/// the beginning of the memory; `swapped`: the first two axes in the other order (rank >= 3).
Tensor stored(const Tensor& x, Layout layout);

}  // namespace heed::test
