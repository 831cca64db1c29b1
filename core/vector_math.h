// Math on arrays. f32 runs the widest vector code this CPU has (chosen once at run time: AVX-512,
// AVX2, baseline); f64 runs the C library's functions, whose accuracy the gradient checks rely on.
#pragma once
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/simd/table.h"

namespace heed {

/// The table in use. The environment variable HEED_SIMD = baseline | avx2 | avx512 narrows the
/// choice (to test one path); a set that this CPU lacks is never chosen.
const simd::Table& vector_table();
/// Its name, for `--version`.
inline std::string_view vector_name() {
  return vector_table().name;
}

inline void vexp(int64_t n, const float* x, float* y) {
  vector_table().exp(n, x, y);
}
inline void vtanh(int64_t n, const float* x, float* y) {
  vector_table().tanh(n, x, y);
}
inline void vsigmoid(int64_t n, const float* x, float* y) {
  vector_table().sigmoid(n, x, y);
}
inline float vexp_sum(int64_t n, const float* x, float* max) {
  return vector_table().exp_sum(n, x, max);
}
inline void vcross_entropy_backward(int64_t n, const float* x, float normaliser, float share,
                                    float g, float* dx) {
  vector_table().cross_entropy_backward(n, x, normaliser, share, g, dx);
}
inline void vsoftmax(int64_t rows, int64_t n, const int64_t* kept, const float* x, float* y) {
  vector_table().softmax(rows, n, kept, x, y);
}
inline void vsoftmax_backward(int64_t rows, int64_t n, const float* y, const float* dy, float* dx) {
  vector_table().softmax_backward(rows, n, y, dy, dx);
}
inline void vlayer_norm(int64_t rows, int64_t n, const float* x, const float* gain,
                        const float* bias, float eps, float* norm, float* y, float* inverse) {
  vector_table().layer_norm(rows, n, x, gain, bias, eps, norm, y, inverse);
}
inline void vlayer_norm_backward(int64_t rows, int64_t n, const float* norm, const float* inverse,
                                 const float* gain, const float* dy, float* dx) {
  vector_table().layer_norm_backward(rows, n, norm, inverse, gain, dy, dx);
}
inline void vgru_cell(int64_t n, const float* x, const float* g, const float* before, float* gate,
                      float* after) {
  vector_table().gru_cell(n, x, g, before, gate, after);
}
inline void vgru_cell_backward(int64_t n, const float* gate, const float* before, const float* dy,
                               float* dh, float* da, float* dg) {
  vector_table().gru_cell_backward(n, gate, before, dy, dh, da, dg);
}
inline void vlstm_cell(int64_t n, const float* x, const float* g, const float* before, float* gate,
                       float* now, float* after) {
  vector_table().lstm_cell(n, x, g, before, gate, now, after);
}
inline void vlstm_cell_backward(int64_t n, const float* gate, const float* before, const float* dy,
                                float* dh, float* dc, float* da) {
  vector_table().lstm_cell_backward(n, gate, before, dy, dh, dc, da);
}
inline float vadditive_score(int64_t n, const float* q, const float* k, const float* v, float* u) {
  return vector_table().additive_score(n, q, k, v, u);
}
inline void vadditive_score_backward(int64_t n, float g, const float* v, const float* u, float* dq,
                                     float* dk, float* dv) {
  vector_table().additive_score_backward(n, g, v, u, dq, dk, dv);
}
inline void vdropout(int64_t n, const uint32_t* words, uint16_t limit, float factor, const float* x,
                     uint8_t* kept, float* y) {
  vector_table().dropout(n, words, limit, factor, x, kept, y);
}
inline void vscale_kept(int64_t n, const uint8_t* kept, float factor, const float* x, float* y) {
  vector_table().scale_kept(n, kept, factor, x, y);
}
inline void vadd_rows(int64_t rows, int64_t n, const float* x, float* to) {
  vector_table().add_rows(rows, n, x, to);
}
inline void vadd_products(int64_t rows, int64_t n, const float* x, const float* y, float* to) {
  vector_table().add_products(rows, n, x, y, to);
}
inline float vsum(int64_t n, const float* x) {
  return vector_table().sum(n, x);
}
inline float vdot(int64_t n, const float* x, const float* y) {
  return vector_table().dot(n, x, y);
}
inline void vaxpy(int64_t n, float a, const float* x, float* y) {
  vector_table().axpy(n, a, x, y);
}

/// Sigmoid that is finite, and accurate to rounding, for every finite x.
inline double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

void vexp(int64_t n, const double* x, double* y);
void vtanh(int64_t n, const double* x, double* y);
void vsigmoid(int64_t n, const double* x, double* y);
double vexp_sum(int64_t n, const double* x, double* max);
void vcross_entropy_backward(int64_t n, const double* x, double normaliser, double share, double g,
                             double* dx);
void vsoftmax(int64_t rows, int64_t n, const int64_t* kept, const double* x, double* y);
void vsoftmax_backward(int64_t rows, int64_t n, const double* y, const double* dy, double* dx);
void vlayer_norm(int64_t rows, int64_t n, const double* x, const double* gain, const double* bias,
                 double eps, double* norm, double* y, double* inverse);
void vlayer_norm_backward(int64_t rows, int64_t n, const double* norm, const double* inverse,
                          const double* gain, const double* dy, double* dx);
void vgru_cell(int64_t n, const double* x, const double* g, const double* before, double* gate,
               double* after);
void vgru_cell_backward(int64_t n, const double* gate, const double* before, const double* dy,
                        double* dh, double* da, double* dg);
void vlstm_cell(int64_t n, const double* x, const double* g, const double* before, double* gate,
                double* now, double* after);
void vlstm_cell_backward(int64_t n, const double* gate, const double* before, const double* dy,
                         double* dh, double* dc, double* da);
double vadditive_score(int64_t n, const double* q, const double* k, const double* v, double* u);
void vadditive_score_backward(int64_t n, double g, const double* v, const double* u, double* dq,
                              double* dk, double* dv);
void vdropout(int64_t n, const uint32_t* words, uint16_t limit, double factor, const double* x,
              uint8_t* kept, double* y);
void vscale_kept(int64_t n, const uint8_t* kept, double factor, const double* x, double* y);
void vadd_rows(int64_t rows, int64_t n, const double* x, double* to);
void vadd_products(int64_t rows, int64_t n, const double* x, const double* y, double* to);
double vsum(int64_t n, const double* x);
double vdot(int64_t n, const double* x, const double* y);
void vaxpy(int64_t n, double a, const double* x, double* y);

}  // namespace heed
