#include "layers/hard_attention.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/rng.h"

namespace heed {
namespace {

constexpr std::array<std::pair<Hard, std::string_view>, 5> kNames{
    {{Hard::none, "none"},
     {Hard::argmax, "argmax"},
     {Hard::reinforce, "reinforce"},
     {Hard::straight_through, "straight_through"},
     {Hard::gumbel, "gumbel"}}};

Shape rows_of(const Tensor& weights) {
  return weights.shape().without(weights.rank() - 1);
}

// Numbers the draws of sentence b, step t, position s by the three and not by the padded sizes.
struct Draws {
  uint64_t key;
  int64_t steps, first;  // rows per sentence; the target step of the first
  Draws(uint64_t k, const Shape& rows, int64_t step)
      : key(k), steps(rows.rank() == 2 ? rows[1] : 1), first(step) {}
  double at(int64_t row, int64_t s) const {
    const auto b = static_cast<uint64_t>(row / steps),
               t = static_cast<uint64_t>(first + row % steps);
    return uniform_at(key, b << 40 | t << 20 | static_cast<uint64_t>(s));
  }
};

void check_rows(std::string_view op, const Tensor& x) {
  require_defined(op, "scores", x);
  require(x.rank() == 2 || x.rank() == 3, "{}: expected [B, S] or [B, T, S], got {}", op,
          x.shape());
}

}  // namespace

std::string_view name_of(Hard hard) {
  for (const auto& [h, name] : kNames)
    if (h == hard) return name;
  return "?";
}

std::optional<Hard> hard_named(std::string_view wanted) {
  for (const auto& [h, name] : kNames)
    if (name == wanted) return h;
  return std::nullopt;
}

Tensor best_positions(const Tensor& weights) {
  const Tensor w = dense(weights);
  Tensor best = Tensor::empty(rows_of(w), i64);
  const int64_t n = w.shape().back();
  int64_t* to = best.mutable_data<int64_t>();
  dispatch(w.dtype(), "best_positions", [&]<class T>() {
    for (int64_t r = 0; r < best.numel(); ++r) {
      const T* row = w.data<T>() + r * n;
      const T* top = std::max_element(row, row + n);
      to[r] = n > 0 && *top > 0 ? top - row : -1;
    }
  });
  return best;
}

Tensor drawn_positions(const Tensor& weights, uint64_t key, int64_t step) {
  check_rows("drawn_positions", weights);
  const Tensor w = dense(weights);
  Tensor drawn = Tensor::empty(rows_of(w), i64);
  const int64_t n = w.shape().back();
  const Draws draws(key, drawn.shape(), step);
  int64_t* to = drawn.mutable_data<int64_t>();
  dispatch(w.dtype(), "drawn_positions", [&]<class T>() {
    for (int64_t r = 0; r < drawn.numel(); ++r) {
      const T* row = w.data<T>() + r * n;
      const double u = draws.at(r, 0);
      double sum = 0;
      to[r] = -1;
      for (int64_t s = 0; s < n && u >= sum; ++s)  // rounding may leave the sum below u: the last
        if (row[s] > 0) to[r] = s, sum += static_cast<double>(row[s]);
    }
  });
  return drawn;
}

Tensor one_hot(const Tensor& positions, int64_t source, DType dtype) {
  Tensor y = Tensor::zeros(positions.shape().inserted(positions.rank(), source), dtype);
  const std::vector<int64_t> at = positions.to_ids();
  dispatch(dtype, "one_hot", [&]<class T>() {
    T* to = y.mutable_data<T>();
    for (size_t r = 0; r < at.size(); ++r) {
      require(at[r] >= -1 && at[r] < source, "one_hot: expected positions in [-1, {}), got {}",
              source, at[r]);
      if (at[r] >= 0) to[static_cast<int64_t>(r) * source + at[r]] = 1;
    }
  });
  return y;
}

Tensor log_probability(const Tensor& scores, const Mask& mask, const Tensor& positions) {
  require_shape("log_probability", "positions", positions, rows_of(scores));
  const Tensor chosen = one_hot(positions, scores.shape().back(), scores.dtype());
  // Masked positions are taken out before the product: 0 times -infinity is no number.
  return sum(masked_fill(log_softmax(scores, mask), mask, 0) * chosen, {-1});
}

Tensor entropy(const Tensor& scores, const Mask& mask) {
  const Tensor log_a = masked_fill(log_softmax(scores, mask), mask, 0);
  return neg(sum(softmax(scores, mask) * log_a, {-1}));
}

Tensor straight_through(const Tensor& weights, const Tensor& hard) {
  return hard + (weights - detach(weights));  // w - w is exactly 0
}

Tensor gumbel_softmax(const Tensor& scores, const Mask& mask, double temperature, uint64_t key,
                      int64_t step) {
  check_rows("gumbel_softmax", scores);
  require(temperature > 0, "gumbel_softmax: expected a temperature > 0, got {}", temperature);
  Tensor g = Tensor::empty(scores.shape(), scores.dtype());
  const int64_t n = g.shape().back();
  const Draws draws(key, rows_of(scores), step);
  dispatch(g.dtype(), "gumbel_softmax", [&]<class T>() {
    T* to = g.mutable_data<T>();
    for (int64_t i = 0; i < g.numel(); ++i) {
      const double u = std::max(draws.at(i / n, i % n), 0x1p-54);  // 0 has no logarithm
      to[i] = static_cast<T>(-std::log(-std::log(u)));
    }
  });
  return softmax(scale(scores + g, 1 / temperature), mask);
}

double GumbelTemperature::at(int64_t t) const {
  require(least > 0 && least <= start && rate >= 0,
          "gumbel temperature: expected 0 < least <= start and rate >= 0, got {}, {}, {}", least,
          start, rate);
  require(t >= 0, "gumbel temperature: expected a step >= 0, got {}", t);
  return std::max(least, start * std::exp(-rate * static_cast<double>(t)));
}

Tensor reinforce_terms(const Tensor& losses, const Tensor& log_p, const Tensor& h, double baseline,
                       double entropy_weight) {
  require_defined("reinforce_terms", "losses", losses);
  require_defined("reinforce_terms", "log_probability", log_p);
  require_defined("reinforce_terms", "entropy", h);
  // Shapes that broadcast would credit one sentence with another's loss.
  require(losses.shape() == log_p.shape() && losses.shape() == h.shape(),
          "reinforce_terms: expected losses, log_probability and entropy of one shape, got {}, {}, "
          "{}",
          losses.shape(), log_p.shape(), h.shape());
  const Tensor reward = detach(losses) - Tensor::scalar(baseline, losses.dtype());
  const Tensor terms = reward * log_p;
  return entropy_weight == 0 ? terms : terms - entropy_weight * h;
}

void RunningBaseline::observe(const Tensor& losses) {
  require(decay >= 0 && decay < 1, "baseline: expected a decay in [0, 1), got {}", decay);
  const NoTape apart;
  const double now = mean(losses).item();
  value = started ? decay * value + (1 - decay) * now : now;
  started = true;
}

}  // namespace heed
