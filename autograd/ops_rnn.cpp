// Recurrences over a whole sequence, one op each: the recurrent product of a step is one GEMM, the
// weight gradient of all steps is one GEMM. Inside, time is outermost ([T, B, .]) in the order in
// which steps are walked, so that step s reads states s and writes states s + 1.
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/blas.h"
#include "core/kernels.h"
#include "core/vector_math.h"

namespace heed {
namespace {

// The walk over [B, T, .]: which time step comes s-th, and which sentences take part in it.
struct Walk {
  int64_t batch, steps, hidden;
  bool reverse;
  std::vector<int64_t> lengths;
  int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  bool active(int64_t b, int64_t t) const { return t < lengths[static_cast<size_t>(b)]; }
};

Walk check(std::string_view op, int64_t gates, const Tensor& x, const Tensor& h0,
           const Tensor& w_hh, const Tensor& b_hh, const SequenceOptions& o) {
  require_defined(op, "x", x);
  require_defined(op, "h0", h0);
  require_defined(op, "w_hh", w_hh);
  require(h0.rank() == 2, "{}: expected h0 [B, H], got {}", op, to_text(h0.shape()));
  const int64_t batch = h0.shape()[0], hidden = h0.shape()[1];
  require(x.rank() == 3 && x.shape()[0] == batch && x.shape()[2] == gates * hidden,
          "{}: expected x [{}, T, {}] for h0 {}, got {}", op, batch, gates * hidden,
          to_text(h0.shape()), to_text(x.shape()));
  require_shape(op, "w_hh", w_hh, {gates * hidden, hidden});
  require_same_dtype(op, x, h0);
  require_same_dtype(op, x, w_hh);
  if (b_hh.defined()) require_shape(op, "b_hh", b_hh, {gates * hidden});
  const Mask mask = o.lengths.empty() ? Mask{} : Mask::lengths(o.lengths);
  return {batch, x.shape()[1], hidden, o.reverse, mask.lengths_of(op, batch, x.shape()[1])};
}

// One step's recurrent share of the gates: out [B, n H] = h w_hh^T + b_hh.
template <class T>
void recur(const Walk& w, int64_t gates, const T* h, const T* weight, const T* bias, T* out) {
  const int64_t n = gates * w.hidden;
  for (int64_t b = 0; b < w.batch; ++b)
    for (int64_t j = 0; j < n; ++j) out[b * n + j] = bias ? bias[j] : T(0);
  gemm<T>(false, true, w.batch, n, w.hidden, T(1), h, w.hidden, weight, w.hidden, T(1), out, n);
}

// y [B, T, H] from the states after each step; 0 where a sentence had ended.
template <class T>
void write_outputs(const Walk& w, const T* states, T* y) {
  const int64_t h = w.hidden;
  for (int64_t s = 0; s < w.steps; ++s)
    for (int64_t b = 0; b < w.batch; ++b) {
      const int64_t t = w.time(s);
      T* to = y + (b * w.steps + t) * h;
      const T* from = states + ((s + 1) * w.batch + b) * h;
      if (w.active(b, t)) {
        std::copy_n(from, h, to);
      } else {
        std::fill_n(to, h, T(0));
      }
    }
}

// dh += dy[:, t] for the sentences that are active at t.
template <class T>
void add_output_gradient(const Walk& w, int64_t t, const T* dy, T* dh) {
  for (int64_t b = 0; b < w.batch; ++b)
    if (w.active(b, t)) vaxpy(w.hidden, T(1), dy + (b * w.steps + t) * w.hidden, dh + b * w.hidden);
}

// What every recurrence's backward ends with: from the gates' gradients of all steps, dg
// [T, B, n H] as the recurrent product sees them, to the gradients of w_hh and b_hh.
template <class T>
void weight_gradients(const Walk& w, int64_t gates, const T* dg, const T* states, GradFlow& flow,
                      int weight, int bias) {
  const int64_t n = gates * w.hidden, rows = w.steps * w.batch;
  if (flow.wants(weight))
    gemm<T>(true, false, n, w.hidden, rows, T(1), dg, n, states, w.hidden, T(1),
            flow.dx(weight).template mutable_data<T>(), w.hidden);
  if (flow.wants(bias)) {
    T* db = flow.dx(bias).template mutable_data<T>();
    for (int64_t r = 0; r < rows; ++r) vaxpy(n, T(1), dg + r * n, db);
  }
}

// dx[:, t] += the gates' gradients of step s, as the input product sees them.
template <class T>
void add_input_gradient(const Walk& w, int64_t gates, int64_t t, const T* dg, GradFlow& flow) {
  if (!flow.wants(0)) return;
  const int64_t n = gates * w.hidden;
  T* dx = flow.dx(0).mutable_data<T>();
  for (int64_t b = 0; b < w.batch; ++b)
    if (w.active(b, t)) vaxpy(n, T(1), dg + b * n, dx + (b * w.steps + t) * n);
}

template <class T>
Tensor scratch(std::initializer_list<int64_t> shape) {
  return Tensor::empty(shape, dtype_of<T>);
}

}  // namespace

// ---- tanh ----

struct RnnSequence {
  static constexpr OpInfo info{
      .name = "rnn_sequence",
      .inputs = {"x", "h0", "w_hh", "b_hh"},
      .forward = "h[t] = tanh(x[t] + w_hh h[t-1] + b_hh)",
      .backward = {"dx[t] += da[t], da[t] = (1 - h[t]^2) * dh[t], dh[t-1] += w_hh^T da[t]",
                   "dh0 += dh[0]", "dw_hh += sum_t da[t] h[t-1]^T", "db_hh += sum_t da[t]"}};
  Walk walk;
  Saved states;  // [T + 1, B, H], in the order of the walk
  Saved w_hh;
  void saved(SavedVisitor& see) const { see("states", states), see("w_hh", w_hh); }

  void backward(GradFlow& flow) const {
    const Walk& w = walk;
    const int64_t cells = w.batch * w.hidden;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "rnn_sequence", [&]<class T>() {
      Tensor running = clone(flow.dy(1)), gates = scratch<T>({w.steps, w.batch, w.hidden});
      T *dh = running.mutable_data<T>(), *dg = gates.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        add_output_gradient(w, t, dy.data<T>(), dh);
        T* da = dg + s * cells;
        const T* h = states->data<T>() + (s + 1) * cells;
        for (int64_t b = 0; b < w.batch; ++b)
          for (int64_t i = b * w.hidden; i < (b + 1) * w.hidden; ++i) {
            da[i] = w.active(b, t) ? dh[i] * (1 - h[i] * h[i]) : T(0);
            if (w.active(b, t)) dh[i] = 0;  // h[t-1] is reached through the gate alone
          }
        gemm<T>(false, false, w.batch, w.hidden, w.hidden, T(1), da, w.hidden, w_hh->data<T>(),
                w.hidden, T(1), dh, w.hidden);
        add_input_gradient(w, 1, t, da, flow);
      }
      weight_gradients(w, 1, dg, states->data<T>(), flow, 2, 3);
      flow.add(1, running);
    });
  }
};

// ---- GRU ----

struct GruSequence {
  static constexpr OpInfo info{
      .name = "gru_sequence",
      .inputs = {"x", "h0", "w_hh", "b_hh"},
      .forward =
          "(g_r, g_z, g_n) = w_hh h[t-1] + b_hh; r = sigmoid(x_r + g_r); "
          "z = sigmoid(x_z + g_z); n = tanh(x_n + r * g_n); h[t] = (1 - z) * n + z * h[t-1]",
      .backward = {"dx[t] += (da_r, da_z, da_n); da_n = dh (1 - z)(1 - n^2), "
                   "da_z = dh (h[t-1] - n) z (1 - z), da_r = da_n g_n r (1 - r)",
                   "dh0 += dh[0]; dh[t-1] = z dh[t] + w_hh^T dg, dg = (da_r, da_z, r da_n)",
                   "dw_hh += sum_t dg[t] h[t-1]^T", "db_hh += sum_t dg[t]"}};
  Walk walk;
  Saved states;  // [T + 1, B, H]
  Saved gates;   // [T, B, 4 H]: r, z, n, g_n
  Saved w_hh;
  void saved(SavedVisitor& see) const {
    see("states", states), see("gates", gates), see("w_hh", w_hh);
  }

  // One sentence, one step: dg = (da_r, da_z, r da_n), da = (da_r, da_z, da_n), dh -> z dh.
  template <class T>
  static void cell(int64_t n, const T* gate, const T* before, T* dh, T* da, T* dg) {
    const T *r = gate, *z = gate + n, *c = gate + 2 * n, *g = gate + 3 * n;
    for (int64_t j = 0; j < n; ++j) {
      const T da_n = dh[j] * (1 - z[j]) * (1 - c[j] * c[j]);
      da[j] = dg[j] = da_n * g[j] * r[j] * (1 - r[j]);
      da[n + j] = dg[n + j] = dh[j] * (before[j] - c[j]) * z[j] * (1 - z[j]);
      da[2 * n + j] = da_n;
      dg[2 * n + j] = da_n * r[j];
      dh[j] *= z[j];
    }
  }

  void backward(GradFlow& flow) const {
    const Walk& w = walk;
    const int64_t h = w.hidden, cells = w.batch * h;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "gru_sequence", [&]<class T>() {
      Tensor running = clone(flow.dy(1)), all = scratch<T>({w.steps, w.batch, 3 * h});
      Tensor input = scratch<T>({w.batch, 3 * h});
      T *dh = running.mutable_data<T>(), *dgs = all.mutable_data<T>();
      T* da = input.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        add_output_gradient(w, t, dy.data<T>(), dh);
        T* dg = dgs + s * 3 * cells;
        for (int64_t b = 0; b < w.batch; ++b) {
          if (w.active(b, t)) {
            cell(h, gates->data<T>() + (s * w.batch + b) * 4 * h,
                 states->data<T>() + s * cells + b * h, dh + b * h, da + b * 3 * h, dg + b * 3 * h);
          } else {
            std::fill_n(dg + b * 3 * h, 3 * h, T(0));  // the state passed unchanged, and so does dh
          }
        }
        gemm<T>(false, false, w.batch, h, 3 * h, T(1), dg, 3 * h, w_hh->data<T>(), h, T(1), dh, h);
        add_input_gradient(w, 3, t, da, flow);
      }
      weight_gradients(w, 3, dgs, states->data<T>(), flow, 2, 3);
      flow.add(1, running);
    });
  }
};

// ---- LSTM ----

struct LstmSequence {
  static constexpr OpInfo info{
      .name = "lstm_sequence",
      .inputs = {"x", "h0", "c0", "w_hh", "b_hh"},
      .forward =
          "(a_i, a_f, a_g, a_o) = x[t] + w_hh h[t-1] + b_hh; i, f, o = sigmoid; g = tanh; "
          "c[t] = f * c[t-1] + i * g; h[t] = o * tanh(c[t])",
      .backward = {"dx[t] += da; dc += dh o (1 - tanh(c)^2); da_i = dc g i (1 - i), "
                   "da_f = dc c[t-1] f (1 - f), da_g = dc i (1 - g^2), da_o = dh tanh(c) o (1 - o)",
                   "dh0 += dh[0]; dh[t-1] = w_hh^T da[t]", "dc0 += dc[0]; dc[t-1] = f dc[t]",
                   "dw_hh += sum_t da[t] h[t-1]^T", "db_hh += sum_t da[t]"}};
  Walk walk;
  Saved states;  // h, [T + 1, B, H]
  Saved cells;   // c, [T + 1, B, H]
  Saved gates;   // [T, B, 5 H]: i, f, g, o, tanh(c)
  Saved w_hh;
  void saved(SavedVisitor& see) const {
    see("states", states), see("cells", cells), see("gates", gates), see("w_hh", w_hh);
  }

  // One sentence, one step: da (4 n), dc -> f dc, dh -> 0.
  template <class T>
  static void cell(int64_t n, const T* gate, const T* before, T* dh, T* dc, T* da) {
    const T *i = gate, *f = gate + n, *g = gate + 2 * n, *o = gate + 3 * n, *tc = gate + 4 * n;
    for (int64_t j = 0; j < n; ++j) {
      const T d = dc[j] + dh[j] * o[j] * (1 - tc[j] * tc[j]);
      da[j] = d * g[j] * i[j] * (1 - i[j]);
      da[n + j] = d * before[j] * f[j] * (1 - f[j]);
      da[2 * n + j] = d * i[j] * (1 - g[j] * g[j]);
      da[3 * n + j] = dh[j] * tc[j] * o[j] * (1 - o[j]);
      dc[j] = d * f[j];
      dh[j] = 0;
    }
  }

  void backward(GradFlow& flow) const {
    const Walk& w = walk;
    const int64_t h = w.hidden, count = w.batch * h;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "lstm_sequence", [&]<class T>() {
      Tensor dh_now = clone(flow.dy(1)), dc_now = clone(flow.dy(2));
      Tensor all = scratch<T>({w.steps, w.batch, 4 * h});
      T *dh = dh_now.mutable_data<T>(), *dc = dc_now.mutable_data<T>();
      T* das = all.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        add_output_gradient(w, t, dy.data<T>(), dh);
        T* da = das + s * 4 * count;
        for (int64_t b = 0; b < w.batch; ++b) {
          if (w.active(b, t)) {
            cell(h, gates->data<T>() + (s * w.batch + b) * 5 * h,
                 cells->data<T>() + s * count + b * h, dh + b * h, dc + b * h, da + b * 4 * h);
          } else {
            std::fill_n(da + b * 4 * h, 4 * h, T(0));
          }
        }
        gemm<T>(false, false, w.batch, h, 4 * h, T(1), da, 4 * h, w_hh->data<T>(), h, T(1), dh, h);
        add_input_gradient(w, 4, t, da, flow);
      }
      weight_gradients(w, 4, das, states->data<T>(), flow, 3, 4);
      flow.add(1, dh_now);
      flow.add(2, dc_now);
    });
  }
};

// ---- forward ----

namespace {

// The loop all three share: states [T + 1, B, H] whose first rows are set; `step` computes the
// gates of one sentence and its new state from the recurrent share of the gates. A sentence that
// has ended, or not begun, keeps its state; so does `cells`, an LSTM's second state (else null).
template <class T, class Step>
void run(const Walk& w, int64_t gates, const Tensor& w_hh, const Tensor& b_hh, T* states, T* cells,
         Step step) {
  const Tensor weight = dense(w_hh), bias = b_hh.defined() ? dense(b_hh) : b_hh;
  const int64_t count = w.batch * w.hidden, n = gates * w.hidden;
  Tensor recurrent = scratch<T>({w.batch, n});
  T* g = recurrent.mutable_data<T>();
  for (int64_t s = 0; s < w.steps; ++s) {
    const T* before = states + s * count;
    T* after = states + (s + 1) * count;
    recur<T>(w, gates, before, weight.data<T>(), b_hh.defined() ? bias.data<T>() : nullptr, g);
    for (int64_t b = 0; b < w.batch; ++b) {
      if (w.active(b, w.time(s))) {
        step(s, b, g + b * n, before + b * w.hidden, after + b * w.hidden);
      } else {
        std::copy_n(before + b * w.hidden, w.hidden, after + b * w.hidden);
        if (cells)
          std::copy_n(cells + s * count + b * w.hidden, w.hidden,
                      cells + (s + 1) * count + b * w.hidden);
      }
    }
  }
}

template <class T>
void set_first(const Tensor& h0, T* states) {
  const Tensor h = dense(h0);
  std::copy_n(h.data<T>(), h.numel(), states);
}

template <class T>
Tensor last_state(const Walk& w, const Tensor& states) {
  Tensor h = scratch<T>({w.batch, w.hidden});
  const int64_t count = w.batch * w.hidden;
  std::copy_n(states.data<T>() + w.steps * count, count, h.mutable_data<T>());
  return h;
}

}  // namespace

Recurrence rnn_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options) {
  const Walk w = check("rnn_sequence", 1, x, h0, w_hh, b_hh, options);
  const int64_t n = w.hidden;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor out[2] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}};
  dispatch(x.dtype(), "rnn_sequence", [&]<class T>() {
    T* all = states.mutable_data<T>();
    set_first(h0, all);
    run<T>(w, 1, w_hh, b_hh, all, nullptr,
           [&](int64_t s, int64_t b, const T* g, const T*, T* after) {
             const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * n;
             for (int64_t j = 0; j < n; ++j) after[j] = xr[j] + g[j];
             vtanh(n, after, after);
           });
    write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = last_state<T>(w, states);
  });
  const Tensor* const inputs[] = {&x, &h0, &w_hh, &b_hh};
  record_all(RnnSequence{w, states, dense(w_hh)}, out, inputs);
  return {out[0], out[1], {}};
}

Recurrence gru_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options) {
  const Walk w = check("gru_sequence", 3, x, h0, w_hh, b_hh, options);
  const int64_t n = w.hidden;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor gates = Tensor::empty({w.steps, w.batch, 4 * n}, x.dtype());
  Tensor out[2] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}};
  dispatch(x.dtype(), "gru_sequence", [&]<class T>() {
    T *all = states.mutable_data<T>(), *kept = gates.mutable_data<T>();
    set_first(h0, all);
    run<T>(w, 3, w_hh, b_hh, all, nullptr,
           [&](int64_t s, int64_t b, const T* g, const T* h, T* after) {
             const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * 3 * n;
             T* gate = kept + (s * w.batch + b) * 4 * n;  // r, z, n, g_n
             for (int64_t j = 0; j < 2 * n; ++j) gate[j] = xr[j] + g[j];
             vsigmoid(2 * n, gate, gate);
             for (int64_t j = 0; j < n; ++j)
               gate[2 * n + j] = xr[2 * n + j] + gate[j] * g[2 * n + j];
             vtanh(n, gate + 2 * n, gate + 2 * n);
             for (int64_t j = 0; j < n; ++j) {
               const T z = gate[n + j];
               gate[3 * n + j] = g[2 * n + j];
               after[j] = (1 - z) * gate[2 * n + j] + z * h[j];
             }
           });
    write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = last_state<T>(w, states);
  });
  const Tensor* const inputs[] = {&x, &h0, &w_hh, &b_hh};
  record_all(GruSequence{w, states, gates, dense(w_hh)}, out, inputs);
  return {out[0], out[1], {}};
}

Recurrence lstm_sequence(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_hh,
                         const Tensor& b_hh, const SequenceOptions& options) {
  const Walk w = check("lstm_sequence", 4, x, h0, w_hh, b_hh, options);
  require_shape("lstm_sequence", "c0", c0, h0.shape());
  require_same_dtype("lstm_sequence", h0, c0);
  const int64_t n = w.hidden, count = w.batch * n;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor cells = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor gates = Tensor::empty({w.steps, w.batch, 5 * n}, x.dtype());
  Tensor out[3] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}, {}};
  dispatch(x.dtype(), "lstm_sequence", [&]<class T>() {
    T *all = states.mutable_data<T>(), *c = cells.mutable_data<T>(),
      *kept = gates.mutable_data<T>();
    set_first(h0, all);
    set_first(c0, c);
    run<T>(w, 4, w_hh, b_hh, all, c, [&](int64_t s, int64_t b, const T* g, const T*, T* after) {
      const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * 4 * n;
      T* gate = kept + (s * w.batch + b) * 5 * n;  // i, f, g, o, tanh(c)
      const T* before = c + s * count + b * n;
      T* now = c + (s + 1) * count + b * n;
      for (int64_t j = 0; j < 4 * n; ++j) gate[j] = xr[j] + g[j];
      vsigmoid(2 * n, gate, gate);
      vtanh(n, gate + 2 * n, gate + 2 * n);
      vsigmoid(n, gate + 3 * n, gate + 3 * n);
      for (int64_t j = 0; j < n; ++j) now[j] = gate[n + j] * before[j] + gate[j] * gate[2 * n + j];
      vtanh(n, now, gate + 4 * n);
      for (int64_t j = 0; j < n; ++j) after[j] = gate[3 * n + j] * gate[4 * n + j];
    });
    write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = last_state<T>(w, states);
    out[2] = last_state<T>(w, cells);
  });
  const Tensor* const inputs[] = {&x, &h0, &c0, &w_hh, &b_hh};
  record_all(LstmSequence{w, states, cells, gates, dense(w_hh)}, out, inputs);
  return {out[0], out[1], out[2]};
}

}  // namespace heed
