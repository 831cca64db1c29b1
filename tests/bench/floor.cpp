#include "tests/bench/floor.h"

#include <cblas.h>

#include <algorithm>

#include "core/blas.h"
#include "core/buffer.h"
#include "core/vector_math.h"
#include "tests/bench/measure.h"
#include "tests/bench/training.h"

namespace heed::bench {
namespace {

int64_t step_a(const Product& p) {
  return p.ta ? p.m : p.k;
}
int64_t step_b(const Product& p) {
  return p.tb ? p.k : p.n;
}

Gemm<float> own(const Product& p, const float* a, const float* b, float* c) {
  return {p.ta, p.tb, p.m, p.n, p.k, a, step_a(p), b, step_b(p), c, p.n};
}

// Numbers without a pattern, none of them near the denormal ones, which would be slow.
void fill(std::vector<float>& x) {
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
}

}  // namespace

void multiply_blas(const Product& p, const float* a, const float* b, float* c) {
  const auto i32 = [](int64_t v) { return static_cast<int>(v); };
  cblas_sgemm(CblasRowMajor, p.ta ? CblasTrans : CblasNoTrans, p.tb ? CblasTrans : CblasNoTrans,
              i32(p.m), i32(p.n), i32(p.k), 1.0f, a, i32(step_a(p)), b, i32(step_b(p)), 0.0f, c,
              i32(p.n));
}

void multiply_heed(const Product& p, const float* a, const float* b, float* c) {
  gemm(own(p, a, b, c));
}

void multiply_in_place(const Product& p, const float* a, const float* b, float* c) {
  vector_table().gemm(own(p, a, b, c), nullptr);
}

void multiply_copied(const Product& p, const float* a, const float* b, float* c) {
  const Buffer room(sizeof(float) * simd::kGemmRoom);
  vector_table().gemm(own(p, a, b, c), reinterpret_cast<float*>(room.data()));
}

std::string blas_core_in_use(bool choose) {
  if (choose) {
    (void)blas_threads();  // heed's choice is made before its first product
  } else {
#if defined(OPENBLAS_VERSION) || defined(OPENBLAS_CONST)
    openblas_set_num_threads(1);
#endif
  }
  return blas_core();
}

Scratch::Scratch(const std::vector<Product>& products) {
  size_t na = 0, nb = 0, nc = 0;
  for (const Product& p : products) {
    na = std::max(na, static_cast<size_t>(p.m * p.k));
    nb = std::max(nb, static_cast<size_t>(p.k * p.n));
    nc = std::max(nc, static_cast<size_t>(p.m * p.n));
  }
  a.resize(na), b.resize(nb), c.resize(nc);
  fill(a), fill(b);
}

ProductTime time_product(const Product& p, Multiply multiply, Scratch& scratch, double seconds) {
  constexpr double kBurst = 1e-3;
  Stopwatch watch;
  multiply(p, scratch.a.data(), scratch.b.data(), scratch.c.data());
  const double first = std::max(watch.lap(), 1e-8);
  const auto calls = static_cast<int64_t>(std::max(1.0, std::min(kBurst, seconds) / first));
  double best = first, spent = 0, done = 0;
  while (first + spent < seconds) {
    watch.lap();
    for (int64_t i = 0; i < calls; ++i)
      multiply(p, scratch.a.data(), scratch.b.data(), scratch.c.data());
    const double burst = watch.lap();
    best = std::min(best, burst / static_cast<double>(calls));
    spent += burst;
    done += static_cast<double>(calls);
  }
  return {done > 0 ? spent / done : first, best};
}

Floor::Floor(const Workload& w, int64_t threads, Multiply multiply)
    : multiply_(multiply), crew_(threads) {
  (void)blas_threads();  // the right kernels, one thread
  for (int64_t shard = 0; shard < threads; ++shard) {
    products_.push_back(unavoidable_products(w, Training::rows_of(w, threads, shard)));
    scratch_.emplace_back(products_.back());
  }
}

void Floor::round(double seconds) {
  std::vector<double> sums(products_.size());
  crew_.run([&](int64_t shard) -> Gradients {
    const auto at = static_cast<size_t>(shard);
    const double each = seconds / static_cast<double>(products_[at].size());
    for (const Product& p : products_[at])
      sums[at] +=
          time_product(p, multiply_, scratch_[at], each).mean * static_cast<double>(p.times);
    return {};
  });
  rounds_.push_back(*std::max_element(sums.begin(), sums.end()));
}

double Floor::seconds_per_step() const {
  return median(rounds_);
}

}  // namespace heed::bench
