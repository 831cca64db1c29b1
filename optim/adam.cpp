#include "optim/adam.h"

#include <algorithm>
#include <cmath>

#include "core/vector_math.h"

namespace heed {
namespace {

template <class Options>
void check(std::string_view name, const Options& o) {
  detail::require_option(name, "beta1", o.beta1, 1);
  detail::require_option(name, "beta2", o.beta2, 1);
  require(o.eps > 0, "{}: expected eps > 0, got {}", name, o.eps);
  detail::require_option(name, "weight_decay", o.weight_decay);
}

/// The numbers of an update in double, named as in simd::AdamStep.
struct Step {
  double beta1, rest1, beta2, rest2, rate, scale_v, eps, l2, decay;
};

template <class Options>
Step make_step(const Options& o, int64_t t, double rate, double l2, double decay) {
  const auto n = static_cast<double>(t);
  return {.beta1 = o.beta1,
          .rest1 = 1 - o.beta1,
          .beta2 = o.beta2,
          .rest2 = 1 - o.beta2,
          .rate = rate / (1 - std::pow(o.beta1, n)),
          .scale_v = 1 / std::sqrt(1 - std::pow(o.beta2, n)),
          .eps = o.eps,
          .l2 = l2,
          .decay = decay};
}

void apply(int64_t n, float* w, float* m, float* v, const float* g, const Step& s) {
  const auto f = [](double x) { return static_cast<float>(x); };
  vector_table().adam(n, w, m, v, g,
                      {f(s.beta1), f(s.rest1), f(s.beta2), f(s.rest2), f(s.rate), f(s.scale_v),
                       f(s.eps), f(s.l2), f(s.decay)});
}

void apply(int64_t n, double* w, double* m, double* v, const double* g, const Step& s) {
  for (int64_t i = 0; i < n; ++i) {
    const double d = g[i] + s.l2 * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * d;
    v[i] = s.beta2 * v[i] + s.rest2 * d * d;
    w[i] -= s.rate * m[i] / (std::sqrt(v[i]) * s.scale_v + s.eps) + s.decay * w[i];
  }
}

// Rows [from, to) of a table, or the elements of any other parameter ([n] seen as n rows).
template <class T>
void apply_rows(Tensor& weight, std::vector<Tensor>& slots, const Tensor& gradient, int64_t from,
                int64_t to, int64_t width, const Step& s) {
  const int64_t at = from * width;
  apply((to - from) * width, weight.mutable_data<T>() + at, slots[0].mutable_data<T>() + at,
        slots[1].mutable_data<T>() + at, gradient.data<T>() + at, s);
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

// A table of which some rows have a gradient.
template <class T>
void apply_table(Tensor& weight, std::vector<Tensor>& slots, int64_t* seen, int64_t now,
                 int64_t rest, const Gradients::Entry& g, const Step& s) {
  const int64_t count = weight.shape()[0], width = weight.shape()[1];
  const auto moves = [&](int64_t r) { return now - seen[r] <= rest; };
  for (int64_t r = 0; r < count; ++r) {
    if (g.uses(r)) {
      if (const int64_t missed = now - 1 - (seen[r] + rest); missed > 0)
        catch_up<T>(slots[1], r, width, s.beta2, missed);
      seen[r] = now;
    } else if (now - seen[r] == rest + 1) {
      std::fill_n(slots[0].mutable_data<T>() + r * width, width, T(0));
    }
  }
  for (int64_t from = 0, to = 0; from < count; from = to + 1) {
    for (to = from; to < count && moves(to);) ++to;
    if (to > from) apply_rows<T>(weight, slots, g.value, from, to, width, s);
  }
}

// `seen` of a table whose rows are told apart from this update on: rows that were never updated
// rest, others may still move.
Tensor first_seen(const Tensor& weight, int64_t now, int64_t rest) {
  const int64_t at = now == 1 ? -rest : now - 1;
  return Tensor::full(weight.shape().first(1), static_cast<double>(at), i64);
}

void apply(Tensor& weight, std::vector<Tensor>& slots, Tensor& seen, int64_t now,
           const Gradients::Entry& g, const Step& s) {
  const int64_t rest = updates_until_rest(s);
  if (rest == 0) seen = {};  // every row moves in every update
  if (g.rows && rest > 0 && !seen.defined()) seen = first_seen(weight, now, rest);
  dispatch(weight.dtype(), "adam", [&]<class T>() {
    if (!seen.defined()) return apply_rows<T>(weight, slots, g.value, 0, weight.numel(), 1, s);
    apply_table<T>(weight, slots, seen.mutable_data<int64_t>(), now, rest, g, s);
  });
}

}  // namespace

Adam::Adam(const Parameters& parameters, const AdamOptions& options)
    : Optimizer("adam", parameters, options.rate, options.frozen, options.all_used, {"m", "v"}),
      options_(options) {
  check("adam", options);
}

void Adam::update(Item& item, const Gradients::Entry& gradient) {
  apply(item.parameter.value, item.slots, item.seen, item.updates, gradient,
        make_step(options_, item.updates, rate, options_.weight_decay, 0));
}

AdamW::AdamW(const Parameters& parameters, const AdamWOptions& options)
    : Optimizer("adamw", parameters, options.rate, options.frozen, options.all_used, {"m", "v"}),
      options_(options) {
  check("adamw", options);
}

void AdamW::update(Item& item, const Gradients::Entry& gradient) {
  apply(item.parameter.value, item.slots, item.seen, item.updates, gradient,
        make_step(options_, item.updates, rate, 0, rate * options_.weight_decay));
}

}  // namespace heed
