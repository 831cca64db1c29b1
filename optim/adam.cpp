#include "optim/adam.h"

#include <algorithm>
#include <cmath>

#include "core/vector_math.h"

namespace heed {
namespace {

/// The numbers of an update in double, named as in simd::AdamStep.
struct Step {
  double beta1, rest1, beta2, rest2, rate, scale_v, eps, l2, decay;
  bool past_caches = false;
};

Step make_step(const detail::AdamUpdates::Numbers& o, int64_t t, double rate) {
  const auto n = static_cast<double>(t);
  return {.beta1 = o.beta1,
          .rest1 = 1 - o.beta1,
          .beta2 = o.beta2,
          .rest2 = 1 - o.beta2,
          .rate = rate / (1 - std::pow(o.beta1, n)),
          .scale_v = 1 / std::sqrt(1 - std::pow(o.beta2, n)),
          .eps = o.eps,
          .l2 = o.l2,
          .decay = rate * o.decay};
}

void apply(int64_t n, float* w, float* m, float* v, const float* g, const Step& s) {
  const auto f = [](double x) { return static_cast<float>(x); };
  vector_table().adam(n, w, m, v, g,
                      {f(s.beta1), f(s.rest1), f(s.beta2), f(s.rest2), f(s.rate), f(s.scale_v),
                       f(s.eps), f(s.l2), f(s.decay), s.past_caches});
}

void apply(int64_t n, double* w, double* m, double* v, const double* g, const Step& s) {
  for (int64_t i = 0; i < n; ++i) {
    const double d = g[i] + s.l2 * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * d;
    v[i] = s.beta2 * v[i] + s.rest2 * d * d;
    w[i] -= s.rate * m[i] / (std::sqrt(v[i]) * s.scale_v + s.eps) + s.decay * w[i];
  }
}

// After how many updates without a gradient a row rests. Of an m and v that are left alone, m falls
// by beta1 and sqrt(v) by sqrt(beta2) in each update; the movement to come is a geometric sum.
int64_t updates_until_rest(const Step& s) {
  constexpr double kLeft = 1e-6;
  const double ratio = s.beta1 / std::sqrt(s.beta2);
  if (!(ratio < 1) || s.l2 != 0 || s.decay != 0) return 0;
  if (ratio == 0) return 1;
  return static_cast<int64_t>(std::ceil(std::log(kLeft * (1 - ratio)) / std::log(ratio)));
}

// v of a row that begins to be used again after `missed` updates at rest.
template <class T>
void catch_up(Tensor& v, int64_t row, int64_t width, double beta2, int64_t missed) {
  const auto factor = static_cast<T>(std::pow(beta2, static_cast<double>(missed)));
  T* p = v.mutable_data<T>() + row * width;
  for (int64_t j = 0; j < width; ++j) p[j] *= factor;
}

// What the row of a table goes through before an update: its v catches up, or its m comes to rest.
template <class T>
void begin_rows(Tensors& slots, int64_t* seen, int64_t now, int64_t rest, const Gradients::Entry& g,
                const Step& s) {
  const int64_t count = g.value.shape()[0], width = g.value.shape()[1];
  for (int64_t r = 0; r < count; ++r) {
    if (g.uses(r)) {
      if (const int64_t missed = now - 1 - (seen[r] + rest); missed > 0)
        catch_up<T>(slots[1], r, width, s.beta2, missed);
      seen[r] = now;
    } else if (now - seen[r] == rest + 1) {
      std::fill_n(slots[0].mutable_data<T>() + r * width, width, T(0));
    }
  }
}

// `seen` of a table whose rows are told apart from this update on: rows that were never updated
// rest, others may still move.
Tensor first_seen(const Tensor& weight, int64_t now, int64_t rest) {
  const int64_t at = now == 1 ? -rest : now - 1;
  return Tensor::full(weight.shape().first(1), static_cast<double>(at), i64);
}

// Calls run(first, last) for the runs of rows that an update moves, where `seen` is defined after
// this call.
template <class Run>
void moving_rows(Tensors& slots, Tensor& seen, int64_t now, const Gradients::Entry& g,
                 const Step& s, Run run) {
  const int64_t rest = updates_until_rest(s);
  if (rest == 0) seen = {};  // every row moves in every update
  if (g.rows && rest > 0 && !seen.defined()) seen = first_seen(g.value, now, rest);
  if (!seen.defined()) return;
  auto* last = seen.mutable_data<int64_t>();
  dispatch(g.value.dtype(), "adam",
           [&]<class T>() { begin_rows<T>(slots, last, now, rest, g, s); });
  const int64_t count = g.value.shape()[0];
  for (int64_t from = 0, to = 0; from < count; from = to + 1) {
    for (to = from; to < count && now - last[to] <= rest;) ++to;
    if (to > from) run(from, to);
  }
}

void apply(Tensor& weight, Tensors& slots, const Tensor& gradient, int64_t begin, int64_t end,
           const Step& s) {
  dispatch(weight.dtype(), "adam", [&]<class T>() {
    apply(end - begin, weight.mutable_data<T>() + begin, slots[0].mutable_data<T>() + begin,
          slots[1].mutable_data<T>() + begin, gradient.data<T>() + begin, s);
  });
}

}  // namespace

detail::AdamUpdates::AdamUpdates(const char* name, const Parameters& parameters, double first_rate,
                                 const std::vector<std::string>& frozen, bool all_used,
                                 const Numbers& numbers)
    : Optimizer(name, parameters, first_rate, frozen, all_used, {"m", "v"}), numbers_(numbers) {
  require_option(name, "beta1", numbers.beta1, 1);
  require_option(name, "beta2", numbers.beta2, 1);
  require(numbers.eps > 0, "{}: expected eps > 0, got {}", name, numbers.eps);
  require_option(name, "weight_decay", numbers.l2 + numbers.decay);
}

void detail::AdamUpdates::begin_update(Item& item, const Gradients::Entry& gradient,
                                       std::vector<Range>& ranges) {
  const Step s = make_step(numbers_, item.updates, rate);
  moving_rows(item.slots, item.seen, item.updates, gradient, s, [&](int64_t from, int64_t to) {
    const int64_t width = gradient.value.shape()[1];
    ranges.push_back({from * width, to * width});
  });
  if (!item.seen.defined()) Optimizer::begin_update(item, gradient, ranges);
}

void detail::AdamUpdates::update(Item& item, const Tensor& gradient, Range range) {
  Step s = make_step(numbers_, item.updates, rate);
  s.past_caches = several_threads_;
  apply(item.parameter.value, item.slots, gradient, range.begin, range.end, s);
}

Adam::Adam(const Parameters& parameters, const AdamOptions& o)
    : AdamUpdates("adam", parameters, o.rate, o.frozen, o.all_used,
                  {.beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps, .l2 = o.weight_decay}) {}

AdamW::AdamW(const Parameters& parameters, const AdamWOptions& o)
    : AdamUpdates("adamw", parameters, o.rate, o.frozen, o.all_used,
                  {.beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps, .decay = o.weight_decay}) {}

}  // namespace heed
