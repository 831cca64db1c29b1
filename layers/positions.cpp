#include "layers/positions.h"

#include <cmath>

namespace heed {

Tensor sinusoids(int64_t steps, int64_t size, int64_t offset, DType dtype) {
  require(size > 0 && size % 2 == 0,
          "sinusoids: expected an even size >= 2 (a sine and a cosine for each frequency), got {}; "
          "a learned table has any size",
          size);
  require(steps >= 0 && offset >= 0, "sinusoids: expected steps and an offset >= 0, got {} and {}",
          steps, offset);
  Tensor pe = Tensor::empty({steps, size}, dtype);
  dispatch(dtype, "sinusoids", [&]<class T>() {
    T* out = pe.mutable_data<T>();
    for (int64_t i = 0; i < size; i += 2) {
      const double period = std::pow(10000.0, static_cast<double>(i) / static_cast<double>(size));
      for (int64_t t = 0; t < steps; ++t) {
        const double angle = static_cast<double>(offset + t) / period;
        out[t * size + i] = static_cast<T>(std::sin(angle));
        out[t * size + i + 1] = static_cast<T>(std::cos(angle));
      }
    }
  });
  return pe;
}

Tensor add_sinusoids(const Tensor& x, int64_t offset) {
  require(x.defined() && x.rank() >= 2, "sinusoids: expected x [..., T, size], got {}", x);
  return x + sinusoids(x.shape().back(1), x.shape().back(), offset, x.dtype());
}

LearnedPositions::LearnedPositions(const LearnedPositionsOptions& o, Rng& rng) {
  require(o.count > 0 && o.size > 0,
          "learned positions: expected a count and a size >= 1, got {} and {}", o.count, o.size);
  weight = init::normal({o.count, o.size}, o.deviation, rng);
}

Tensor LearnedPositions::operator()(const Tensor& x, int64_t offset) const {
  const int64_t size = weight.shape()[1];
  require(x.defined() && x.rank() >= 2 && x.shape().back() == size,
          "learned positions: expected x [..., T, {}], got {}", size, x);
  require(offset >= 0, "learned positions: expected an offset >= 0, got {}", offset);
  const int64_t end = offset + x.shape().back(1), count = weight.shape()[0];
  require(end <= count,
          "learned positions: the table ends at position {}, got a sentence that reaches position "
          "{}; make the table longer or use sinusoids",
          count - 1, end - 1);
  return x + slice(weight, 0, offset, end);
}

}  // namespace heed
