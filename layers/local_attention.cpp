#include "layers/local_attention.h"

#include <array>
#include <cmath>

namespace heed {
namespace {

constexpr std::array<std::pair<Window, std::string_view>, 3> kNames{
    {{Window::global, "global"}, {Window::local_m, "local_m"}, {Window::local_p, "local_p"}}};

}  // namespace

std::string_view name_of(Window window) {
  for (const auto& [w, name] : kNames)
    if (w == window) return name;
  return "?";
}

std::optional<Window> window_named(std::string_view wanted) {
  for (const auto& [w, name] : kNames)
    if (name == wanted) return w;
  return std::nullopt;
}

Tensor monotone_positions(const Shape& scores, int64_t step, DType dtype) {
  const Shape shape = scores.without(scores.rank() - 1);
  const int64_t steps = shape.rank() == 2 ? shape[1] : 1;
  Tensor p = Tensor::empty(shape, dtype);
  dispatch(dtype, "monotone_positions", [&]<class T>() {
    T* to = p.mutable_data<T>();
    for (int64_t i = 0; i < p.numel(); ++i) to[i] = static_cast<T>(step + i % steps);
  });
  return p;
}

Tensor PositionPredictor::operator()(const Tensor& query, const Tensor& lengths) const {
  const int64_t b = query.shape()[0];
  require_shape("position", "lengths", lengths, {b});
  const Tensor place = linear(tanh(linear(query, weight, {})), reshape(v, {1, -1}), {});
  const Tensor share = sigmoid(
      reshape(place, query.rank() == 3 ? std::vector{b, query.shape()[1]} : std::vector{b}));
  return share * (query.rank() == 3 ? reshape(lengths, {b, 1}) : lengths);
}

Mask in_window(const Mask& mask, const Shape& scores, const Tensor& p, int64_t reach) {
  mask.check("window", scores);
  require_shape("window", "p", p, scores.without(scores.rank() - 1));
  const int64_t n = scores.back();
  const Tensor at = dense(p);
  std::vector<uint8_t> keep(static_cast<size_t>(scores.numel()));
  dispatch(p.dtype(), "window", [&]<class T>() {
    for (int64_t r = 0; r < at.numel(); ++r) {
      const Mask::Row row = mask.row(scores, r);
      for (int64_t s = 0; s < n; ++s)
        keep[static_cast<size_t>(r * n + s)] =
            row[s] && std::abs(static_cast<T>(s) - at.data<T>()[r]) <= static_cast<T>(reach);
    }
  });
  return Mask::keep(std::move(keep), scores);
}

Tensor gaussian(const Tensor& p, int64_t source, double sigma) {
  Tensor s = Tensor::empty({source}, p.dtype());
  dispatch(p.dtype(), "gaussian", [&]<class T>() {
    T* to = s.mutable_data<T>();
    for (int64_t i = 0; i < source; ++i) to[i] = static_cast<T>(i);
  });
  const Tensor away = s - reshape(p, p.shape().inserted(p.rank(), 1));
  return exp(scale(square(away), -1 / (2 * sigma * sigma)));
}

}  // namespace heed
