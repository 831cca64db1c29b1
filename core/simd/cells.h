// One step of a gated recurrence for one sentence of n units, forward and backward side by side,
// and the gradient of one additive score; autograd/ops_rnn.cpp, ops_lstm.cpp and ops_attention.cpp
// say what is computed. No two of the arrays overlap unless it is said. Used for f32 by
// core/simd/kernels.cpp, once per instruction set (hence internal linkage), and for f64 by
// core/vector_math.cpp.
#pragma once
#include <cstdint>

namespace {

// gate = (r, z, n, g_n) from x = (x_r, x_z, x_n) and the recurrent share g = (g_r, g_z, g_n); the
// state before -> after.
template <class T, class Sigmoid, class Tanh>
void gru_cell(int64_t n, const T* __restrict x, const T* __restrict g, const T* __restrict before,
              T* __restrict gate, T* __restrict after, Sigmoid sigmoid, Tanh tanh) {
  for (int64_t j = 0; j < n; ++j) {
    const T r = sigmoid(x[j] + g[j]), z = sigmoid(x[n + j] + g[n + j]), g_n = g[2 * n + j];
    const T c = tanh(x[2 * n + j] + r * g_n);
    gate[j] = r, gate[n + j] = z, gate[2 * n + j] = c, gate[3 * n + j] = g_n;
    after[j] = (1 - z) * c + z * before[j];
  }
}

// da = (da_r, da_z, da_n), dg = (da_r, da_z, r da_n) from dh + dy; dh -> z (dh + dy).
template <class T>
void gru_cell_backward(int64_t n, const T* __restrict gate, const T* __restrict before,
                       const T* __restrict dy, T* __restrict dh, T* __restrict da,
                       T* __restrict dg) {
  const T *r = gate, *z = gate + n, *c = gate + 2 * n, *g = gate + 3 * n;
  for (int64_t j = 0; j < n; ++j) {
    const T d = dh[j] + dy[j], da_n = d * (1 - z[j]) * (1 - c[j] * c[j]);
    da[j] = dg[j] = da_n * g[j] * r[j] * (1 - r[j]);
    da[n + j] = dg[n + j] = d * (before[j] - c[j]) * z[j] * (1 - z[j]);
    da[2 * n + j] = da_n;
    dg[2 * n + j] = da_n * r[j];
    dh[j] = d * z[j];
  }
}

// gate = (i, f, g, o, tanh(c)) from x and the recurrent share g of (a_i, a_f, a_g, a_o); the cell
// before -> now, and the state after.
template <class T, class Sigmoid, class Tanh>
void lstm_cell(int64_t n, const T* __restrict x, const T* __restrict g, const T* __restrict before,
               T* __restrict gate, T* __restrict now, T* __restrict after, Sigmoid sigmoid,
               Tanh tanh) {
  for (int64_t j = 0; j < n; ++j) {
    const T in = sigmoid(x[j] + g[j]), forget = sigmoid(x[n + j] + g[n + j]);
    const T candidate = tanh(x[2 * n + j] + g[2 * n + j]);
    const T out = sigmoid(x[3 * n + j] + g[3 * n + j]);
    const T cell = forget * before[j] + in * candidate, tanh_cell = tanh(cell);
    gate[j] = in, gate[n + j] = forget, gate[2 * n + j] = candidate, gate[3 * n + j] = out;
    gate[4 * n + j] = tanh_cell;
    now[j] = cell;
    after[j] = out * tanh_cell;
  }
}

// da from dh + dy and dc; dc -> f dc, dh -> 0.
template <class T>
void lstm_cell_backward(int64_t n, const T* __restrict gate, const T* __restrict before,
                        const T* __restrict dy, T* __restrict dh, T* __restrict dc,
                        T* __restrict da) {
  const T *i = gate, *f = gate + n, *g = gate + 2 * n, *o = gate + 3 * n, *tc = gate + 4 * n;
  for (int64_t j = 0; j < n; ++j) {
    const T d_h = dh[j] + dy[j], d = dc[j] + d_h * o[j] * (1 - tc[j] * tc[j]);
    da[j] = d * g[j] * i[j] * (1 - i[j]);
    da[n + j] = d * before[j] * f[j] * (1 - f[j]);
    da[2 * n + j] = d * i[j] * (1 - g[j] * g[j]);
    da[3 * n + j] = d_h * tc[j] * o[j] * (1 - o[j]);
    dc[j] = d * f[j];
    dh[j] = 0;
  }
}

// dq += r, dk += r, dv += g u, r = g v (1 - u^2). dq may be dk: one tensor as query and keys.
template <class T>
void additive_score_backward(int64_t n, T g, const T* __restrict v, const T* __restrict u, T* dq,
                             T* dk, T* __restrict dv) {
  for (int64_t j = 0; j < n; ++j) {
    const T r = g * v[j] * (1 - u[j] * u[j]);
    dq[j] += r;
    dk[j] += r;
    dv[j] += g * u[j];
  }
}

}  // namespace
