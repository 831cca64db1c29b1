// bench_micro: single kernels and ops by size, under Google Benchmark (--benchmark_filter=REGEX,
// --benchmark_format=json). Whole steps are in bench.
#include <benchmark/benchmark.h>

#include "autograd/ops.h"
#include "core/rng.h"
#include "core/vector_math.h"

namespace {

using namespace heed;

Tensor random(const Shape& shape) {
  Rng rng(1);
  return Tensor::uniform(shape, -1, 1, rng);
}

// A loop over n floats, y = f(x).
void kernel(benchmark::State& state, void (*f)(int64_t, const float*, float*)) {
  const int64_t n = state.range(0);
  const Tensor x = random({n});
  Tensor y = Tensor::empty({n});
  float* to = y.mutable_data<float>();
  for (auto _ : state) {
    f(n, x.data<float>(), to);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

// An op of one [rows, n] tensor, recorded and walked back with a cotangent of ones.
template <class F>
void op(benchmark::State& state, F f) {
  const Shape shape{state.range(0), state.range(1)};
  const Tensor x = leaf(random(shape));
  for (auto _ : state) {
    Tape tape;
    const Tensor y = f(x);
    tape.backward(y, Tensor::full(y.shape(), 1));
    benchmark::DoNotOptimize(tape.grad(x).data<float>());
  }
  state.SetItemsProcessed(state.iterations() * shape.numel());
}

void rows(benchmark::internal::Benchmark* b) {
  b->Args({4, 4})->Args({32, 128})->Args({352, 200})->Args({1792, 512});
}

BENCHMARK_CAPTURE(kernel, exp, [](int64_t n, const float* x, float* y) {
  vexp(n, x, y);
})->Range(16, 1 << 16);
BENCHMARK_CAPTURE(kernel, tanh, [](int64_t n, const float* x, float* y) {
  vtanh(n, x, y);
})->Range(16, 1 << 16);
BENCHMARK_CAPTURE(kernel, sigmoid, [](int64_t n, const float* x, float* y) {
  vsigmoid(n, x, y);
})->Range(16, 1 << 16);

BENCHMARK_CAPTURE(op, add, [](const Tensor& x) { return x + x; })->Apply(rows);
BENCHMARK_CAPTURE(op, mul, [](const Tensor& x) { return x * x; })->Apply(rows);
BENCHMARK_CAPTURE(op, tanh, [](const Tensor& x) { return tanh(x); })->Apply(rows);
BENCHMARK_CAPTURE(op, softmax, [](const Tensor& x) { return softmax(x); })->Apply(rows);
BENCHMARK_CAPTURE(op, sum, [](const Tensor& x) { return sum(x); })->Apply(rows);
BENCHMARK_CAPTURE(op, matmul_nt, [](const Tensor& x) { return matmul_nt(x, x); })
    ->Args({4, 4})
    ->Args({32, 128});

}  // namespace

BENCHMARK_MAIN();
