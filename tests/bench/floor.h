// The floor of a training step: the time of its matrix products alone, each at its own shape, one
// after the other through BLAS, as if nothing else cost time. And a stopwatch for any product.
#pragma once
#include <vector>

#include "optim/shards.h"
#include "tests/bench/workload.h"

namespace heed::bench {

/// c [m, n] = op(a) op(b), dense factors.
using Multiply = void (*)(const Product& p, const float* a, const float* b, float* c);
void multiply_blas(const Product& p, const float* a, const float* b, float* c);  // cblas_sgemm
void multiply_heed(const Product& p, const float* a, const float* b, float* c);  // core/blas.h
// heed's own two ways, of which core/blas.h chooses one or BLAS.
void multiply_in_place(const Product& p, const float* a, const float* b, float* c);
void multiply_copied(const Product& p, const float* a, const float* b, float* c);

/// The kernels that BLAS uses in this process: those that heed chose (`choose`), or, asked before
/// anything in heed needed BLAS, those that BLAS chose by itself.
std::string blas_core_in_use(bool choose);

/// Factors and result for any of these products.
struct Scratch {
  explicit Scratch(const std::vector<Product>& products);
  std::vector<float> a, b, c;
};

/// Seconds of one product (not of p.times), from bursts of calls over about `seconds`, at least one
/// call; the first one only warms up if there is time for more.
struct ProductTime {
  double mean, best;
};
ProductTime time_product(const Product& p, Multiply multiply, Scratch& scratch, double seconds);

/// All products of a step, each thread doing those of its shard at the same time.
class Floor {
 public:
  Floor(const Workload& w, int64_t threads, Multiply multiply);
  /// Measures for about this long, once more.
  void round(double seconds);
  /// Of one step, the slowest shard's sum; the median of the rounds. It is taken like the time of
  /// the step, and in turn with it: what else the machine does slows both alike, and the ratio
  /// stays. A best time would escape it.
  double seconds_per_step() const;

 private:
  std::vector<std::vector<Product>> products_;  // of each shard
  std::vector<Scratch> scratch_;  // kept: memory taken and returned in turn slows the step down too
  std::vector<double> rounds_;
  Multiply multiply_;
  Shards crew_;
};

}  // namespace heed::bench
