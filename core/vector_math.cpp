#include "core/vector_math.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/simd/cells.h"
#include "core/simd/layer_norm.h"

namespace heed {
namespace {

const simd::Table& choose() {
#ifdef HEED_HAVE_X86_SIMD
  const char* asked = std::getenv("HEED_SIMD");
  const std::string_view most = asked ? asked : "avx512";
  const bool has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  const bool has_2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_512 && most == "avx512") return simd::avx512;
  if (has_2 && most != "baseline") return simd::avx2;
#endif
  return simd::baseline;
}

double max_of(int64_t n, const double* x) {
  double m = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) m = std::max(m, x[i]);
  return m;
}

// Functions of f64 that have several overloads.
constexpr auto kSum = [](int64_t n, const double* x) { return vsum(n, x); };
constexpr auto kTanh = [](double x) { return std::tanh(x); };
constexpr auto kDot = [](int64_t n, const double* x, const double* y) { return vdot(n, x, y); };

}  // namespace

const simd::Table& vector_table() {
  static const simd::Table& table = choose();
  return table;
}

void vexp(int64_t n, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = std::exp(x[i]);
}
void vtanh(int64_t n, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = std::tanh(x[i]);
}
void vsigmoid(int64_t n, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = sigmoid(x[i]);
}
double vexp_sum(int64_t n, const double* x, double* max) {
  const double m = *max = max_of(n, x);
  double s = 0;
  for (int64_t i = 0; i < n; ++i) s += std::exp(x[i] - m);
  return s;
}
void vcross_entropy_backward(int64_t n, const double* x, double normaliser, double share, double g,
                             double* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = (std::exp(x[i] - normaliser) - share) * g;
}
void vsoftmax(int64_t rows, int64_t n, const int64_t* kept, const double* x, double* y) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const int64_t k = kept ? kept[r] : n;
    const double m = max_of(k, x);
    double s = 0;
    for (int64_t i = 0; i < k; ++i) s += y[i] = std::exp(x[i] - m);
    const double factor = 1 / s;
    for (int64_t i = 0; i < k; ++i) y[i] *= factor;
    for (int64_t i = k; i < n; ++i) y[i] = 0;
  }
}
void vsoftmax_backward(int64_t rows, int64_t n, const double* y, const double* dy, double* dx) {
  for (int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    double mean = 0;
    for (int64_t i = 0; i < n; ++i)
      if (y[i] != 0) mean += y[i] * dy[i];
    for (int64_t i = 0; i < n; ++i) dx[i] = y[i] != 0 ? y[i] * (dy[i] - mean) : 0;
  }
}
void vlayer_norm(int64_t rows, int64_t n, const double* x, const double* gain, const double* bias,
                 double eps, double* norm, double* y, double* inverse) {
  layer_norm_rows(rows, n, x, gain, bias, eps, norm, y, inverse, kSum, kDot);
}
void vlayer_norm_backward(int64_t rows, int64_t n, const double* norm, const double* inverse,
                          const double* gain, const double* dy, double* dx) {
  layer_norm_backward_rows(rows, n, norm, inverse, gain, dy, dx, kSum, kDot);
}
void vgru_cell(int64_t n, const double* x, const double* g, const double* before, double* gate,
               double* after) {
  gru_cell(n, x, g, before, gate, after, sigmoid, kTanh);
}
void vgru_cell_backward(int64_t n, const double* gate, const double* before, const double* dy,
                        double* dh, double* da, double* dg) {
  gru_cell_backward(n, gate, before, dy, dh, da, dg);
}
void vlstm_cell(int64_t n, const double* x, const double* g, const double* before, double* gate,
                double* now, double* after) {
  lstm_cell(n, x, g, before, gate, now, after, sigmoid, kTanh);
}
void vlstm_cell_backward(int64_t n, const double* gate, const double* before, const double* dy,
                         double* dh, double* dc, double* da) {
  lstm_cell_backward(n, gate, before, dy, dh, dc, da);
}
double vadditive_score(int64_t n, const double* q, const double* k, const double* v, double* u) {
  for (int64_t j = 0; j < n; ++j) u[j] = std::tanh(q[j] + k[j]);
  return vdot(n, v, u);
}
void vadditive_score_backward(int64_t n, double g, const double* v, const double* u, double* dq,
                              double* dk, double* dv) {
  additive_score_backward(n, g, v, u, dq, dk, dv);
}
void vdropout(int64_t n, const uint32_t* words, uint16_t limit, double factor, const double* x,
              uint8_t* kept, double* y) {
  for (int64_t i = 0; i < n; ++i)
    kept[i] = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16)) >= limit;
  vscale_kept(n, kept, factor, x, y);
}
void vscale_kept(int64_t n, const uint8_t* kept, double factor, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * (kept[i] != 0 ? factor : 0);
}
void vadd_rows(int64_t rows, int64_t n, const double* x, double* to) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < n; ++i) to[i] += x[r * n + i];
}
void vadd_products(int64_t rows, int64_t n, const double* x, const double* y, double* to) {
  for (int64_t at = 0; at < rows * n; at += n)
    for (int64_t i = 0; i < n; ++i) to[i] += x[at + i] * y[at + i];
}
double vsum(int64_t n, const double* x) {
  double s = 0;
  for (int64_t i = 0; i < n; ++i) s += x[i];
  return s;
}
double vdot(int64_t n, const double* x, const double* y) {
  double s = 0;
  for (int64_t i = 0; i < n; ++i) s += x[i] * y[i];
  return s;
}
void vaxpy(int64_t n, double a, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace heed
