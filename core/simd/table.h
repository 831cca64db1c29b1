// The f32 loops that exist once per instruction set, as a table of functions. The rest of the
// library reaches them through core/vector_math.h.
#pragma once
#include <cstdint>

#include "core/gemm.h"

namespace heed::simd {

/// The numbers of one Adam update; see optim/adam.h for the formula.
struct AdamStep {
  float beta1, rest1;  // rest1 = 1 - beta1, subtracted in double: 1 - 0.999f is off by 1e-5
  float beta2, rest2;
  float rate;     // eta / (1 - beta1^t)
  float scale_v;  // 1 / sqrt(1 - beta2^t)
  float eps;
  float l2;     // weight decay added to the gradient (Adam)
  float decay;  // share of the weight that is taken off (AdamW)
  /// Whether the weights are written past the caches. For when other cores have read them: a line
  /// that another core has too costs 7 ns to write to, or 37 where the two share no cache; past the
  /// caches 2 or 5 (Zen 4).
  bool past_caches;
};

/// Columns of op(a) that are multiplied at a time.
constexpr int64_t kGemmDepth = 256;
constexpr int64_t kGemmRoom = kGemmDepth * (512 + 16);

struct Table {
  const char* name;  // "baseline", "avx2", "avx512"
  int lanes;         // floats of one vector
  void (*exp)(int64_t n, const float* x, float* y);
  void (*tanh)(int64_t n, const float* x, float* y);
  void (*sigmoid)(int64_t n, const float* x, float* y);
  /// The sum of e^(x - max); *max is set.
  float (*exp_sum)(int64_t n, const float* x, float* max);
  /// dx = (e^(x - normaliser) - share) g, the softmax less a share. dx may be x.
  void (*cross_entropy_backward)(int64_t n, const float* x, float normaliser, float share, float g,
                                 float* dx);
  /// y = e^(x - max) / sum of the same, over the first kept[r] numbers of row r of x [rows, n], or
  /// over all of them without `kept`; the others are 0. y may be x.
  void (*softmax)(int64_t rows, int64_t n, const int64_t* kept, const float* x, float* y);
  /// dx = y (dy - sum(y dy)) of each row; 0 where y = 0, whatever dy is there.
  void (*softmax_backward)(int64_t rows, int64_t n, const float* y, const float* dy, float* dx);
  float (*sum)(int64_t n, const float* x);
  float (*dot)(int64_t n, const float* x, const float* y);
  /// norm = (x - mean x) / sqrt(var x + eps), y = gain norm + bias, inverse = 1 / sqrt(...) of each
  /// row of x [rows, n]; these do not overlap.
  void (*layer_norm)(int64_t rows, int64_t n, const float* x, const float* gain, const float* bias,
                     float eps, float* norm, float* y, float* inverse);
  /// dx = (g - mean g - norm mean(g norm)) * inverse, g = gain dy, for each row. dx may be dy.
  void (*layer_norm_backward)(int64_t rows, int64_t n, const float* norm, const float* inverse,
                              const float* gain, const float* dy, float* dx);
  /// A step of a recurrence (core/simd/cells.h).
  void (*gru_cell)(int64_t n, const float* x, const float* g, const float* before, float* gate,
                   float* after);
  void (*gru_cell_backward)(int64_t n, const float* gate, const float* before, const float* dy,
                            float* dh, float* da, float* dg);
  void (*lstm_cell)(int64_t n, const float* x, const float* g, const float* before, float* gate,
                    float* now, float* after);
  void (*lstm_cell_backward)(int64_t n, const float* gate, const float* before, const float* dy,
                             float* dh, float* dc, float* da);
  /// u = tanh(q + k), of n numbers; returns v . u.
  float (*additive_score)(int64_t n, const float* q, const float* k, const float* v, float* u);
  /// dq += r, dk += r, dv += g u, r = g v (1 - u^2). dq may be dk.
  void (*additive_score_backward)(int64_t n, float g, const float* v, const float* u, float* dq,
                                  float* dk, float* dv);
  /// y = factor x where a half of `words` >= limit (element 2 i goes by the lower half of word i,
  /// 2 i + 1 by the upper one), which `kept` then says (1 or 0); else 0 x. y may be x.
  void (*dropout)(int64_t n, const uint32_t* words, uint16_t limit, float factor, const float* x,
                  uint8_t* kept, float* y);
  /// y = factor x where kept is 1, else 0 x. y may be x.
  void (*scale_kept)(int64_t n, const uint8_t* kept, float factor, const float* x, float* y);
  /// to [n] += the sum of the rows of x [rows, n].
  void (*add_rows)(int64_t rows, int64_t n, const float* x, float* to);
  /// to [n] += the sum over the rows of x y, element by element; x and y [rows, n].
  void (*add_products)(int64_t rows, int64_t n, const float* x, const float* y, float* to);
  /// y += a x
  void (*axpy)(int64_t n, float a, const float* x, float* y);
  /// Factors that do not fit the caches are copied part by part to `room`, of kGemmRoom floats;
  /// without it they are read in place. The result is the same.
  void (*gemm)(const Gemm<float>& product, float* room);
  /// The same without any preparation, for some dozens of multiplications.
  void (*tiny_gemm)(const Gemm<float>& product);
  /// One Adam update of n weights w, with the moments m and v and the gradient g.
  void (*adam)(int64_t n, float* w, float* m, float* v, const float* g, const AdamStep& step);
  /// Random words (core/rng.h): blocks first ... first + count - 1 of the stream `key`, 4 words
  /// each.
  void (*philox)(uint64_t key, uint64_t first, int64_t count, uint32_t* words);
};

extern const Table baseline;
#ifdef HEED_HAVE_X86_SIMD
extern const Table avx2;
extern const Table avx512;
#endif

}  // namespace heed::simd
