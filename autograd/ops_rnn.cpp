// The plain (tanh) recurrence and the GRU over a whole sequence, one op each: the recurrent product
// of a step is one GEMM, the weight gradient of all steps is one GEMM.
#include "autograd/detail/rnn_walk.h"
#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

// ---- tanh ----

struct RnnSequence {
  static constexpr OpInfo info{
      .name = "rnn_sequence",
      .inputs = {"x", "h0", "w_hh", "b_hh"},
      .forward = "h[t] = tanh(x[t] + w_hh h[t-1] + b_hh)",
      .backward = {"dx[t] += da[t], da[t] = (1 - h[t]^2) * dh[t], dh[t-1] += w_hh^T da[t]",
                   "dh0 += dh[0]", "dw_hh += sum_t da[t] h[t-1]^T", "db_hh += sum_t da[t]"}};
  rnn::Walk walk;
  Saved states;  // [T + 1, B, H], in the order of the walk
  Saved w_hh;
  void saved(SavedVisitor& see) const { see("states", states), see("w_hh", w_hh); }
  void attributes(AttributeVisitor& see) const { walk.attributes(see); }

  void backward(GradFlow& flow) const {
    const rnn::Walk& w = walk;
    const int64_t cells = w.batch * w.hidden;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "rnn_sequence", [&]<class T>() {
      const int64_t n = w.hidden;
      Tensor running = clone(flow.dy(1)), gates = rnn::scratch<T>({w.steps, w.batch, n});
      Tensor dx = rnn::scratch<T>({w.batch, w.steps, n});
      T *dh = running.mutable_data<T>(), *das = gates.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        T* da = das + s * cells;
        const T* h = states->data<T>() + (s + 1) * cells;
        for (int64_t b = 0; b < w.batch; ++b) {
          T* const row = da + b * n;
          const int64_t out = (b * w.steps + t) * n;  // of that sentence and step in y and x
          if (w.active(b, t)) {
            for (int64_t j = 0, i = b * n; j < n; ++j, ++i) {
              row[j] = (dh[i] + dy.data<T>()[out + j]) * (1 - h[i] * h[i]);
              dh[i] = 0;  // h[t-1] is reached through the gate alone
            }
          } else {
            std::fill_n(row, n, T(0));
          }
          std::copy_n(row, n, dx.mutable_data<T>() + out);
        }
        gemm<T>({false, false, w.batch, n, n, da, n, w_hh->data<T>(), n, dh, n, dh, n});
      }
      flow.add(0, std::move(dx));
      rnn::weight_gradients(gates, states, flow, 2, 3);
      flow.add(1, running);
    });
  }
};

Recurrence rnn_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options) {
  const rnn::Walk w = rnn::check("rnn_sequence", 1, x, h0, w_hh, b_hh, options);
  const int64_t n = w.hidden;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor out[2] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}};
  dispatch(x.dtype(), "rnn_sequence", [&]<class T>() {
    T* all = states.mutable_data<T>();
    rnn::set_first(h0, all);
    rnn::run<T>(w, 1, w_hh, b_hh, all, nullptr,
                [&](int64_t s, int64_t b, const T* g, const T*, T* after) {
                  const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * n;
                  for (int64_t j = 0; j < n; ++j) after[j] = xr[j] + g[j];
                  vtanh(n, after, after);
                });
    rnn::write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = rnn::last_state<T>(w, states);
  });
  const Tensor* const inputs[] = {&x, &h0, &w_hh, &b_hh};
  record_all(RnnSequence{w, states, dense(w_hh)}, out, inputs);
  return {out[0], out[1], {}};
}

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
  rnn::Walk walk;
  Saved states;  // [T + 1, B, H]
  Saved gates;   // [T, B, 4 H]: r, z, n, g_n
  Saved w_hh;
  void saved(SavedVisitor& see) const {
    see("states", states), see("gates", gates), see("w_hh", w_hh);
  }
  void attributes(AttributeVisitor& see) const { walk.attributes(see); }

  void backward(GradFlow& flow) const {
    const rnn::Walk& w = walk;
    const int64_t h = w.hidden, cells = w.batch * h;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "gru_sequence", [&]<class T>() {
      Tensor running = clone(flow.dy(1)), all = rnn::scratch<T>({w.steps, w.batch, 3 * h});
      Tensor dx = rnn::scratch<T>({w.batch, w.steps, 3 * h});
      T *dh = running.mutable_data<T>(), *dgs = all.mutable_data<T>(), *das = dx.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        T* dg = dgs + s * 3 * cells;
        for (int64_t b = 0; b < w.batch; ++b) {
          T* da = das + (b * w.steps + t) * 3 * h;
          if (w.active(b, t)) {
            vgru_cell_backward(h, gates->data<T>() + (s * w.batch + b) * 4 * h,
                               states->data<T>() + s * cells + b * h,
                               dy.data<T>() + (b * w.steps + t) * h, dh + b * h, da,
                               dg + b * 3 * h);
          } else {  // the state passed unchanged, and so does dh
            std::fill_n(da, 3 * h, T(0));
            std::fill_n(dg + b * 3 * h, 3 * h, T(0));
          }
        }
        gemm<T>({false, false, w.batch, h, 3 * h, dg, 3 * h, w_hh->data<T>(), h, dh, h, dh, h});
      }
      flow.add(0, std::move(dx));
      rnn::weight_gradients(all, states, flow, 2, 3);
      flow.add(1, running);
    });
  }
};

Recurrence gru_sequence(const Tensor& x, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh,
                        const SequenceOptions& options) {
  const rnn::Walk w = rnn::check("gru_sequence", 3, x, h0, w_hh, b_hh, options);
  const int64_t n = w.hidden;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor gates = w.kept({w.steps, w.batch, 4 * n}, x.dtype());
  Tensor out[2] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}};
  dispatch(x.dtype(), "gru_sequence", [&]<class T>() {
    T *all = states.mutable_data<T>(), *kept = gates.mutable_data<T>();
    rnn::set_first(h0, all);
    rnn::run<T>(w, 3, w_hh, b_hh, all, nullptr,
                [&](int64_t s, int64_t b, const T* g, const T* h, T* after) {
                  const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * 3 * n;
                  T* gate = kept + (s * w.batch + b) * 4 * n;  // r, z, n, g_n
                  vgru_cell(n, xr, g, h, gate, after);
                });
    rnn::write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = rnn::last_state<T>(w, states);
  });
  const Tensor* const inputs[] = {&x, &h0, &w_hh, &b_hh};
  record_all(GruSequence{w, states, gates, dense(w_hh)}, out, inputs);
  return {out[0], out[1], {}};
}

}  // namespace heed
