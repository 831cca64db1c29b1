// The LSTM over a whole sequence as one op; see ops_rnn.cpp for its simpler relatives.
#include "autograd/detail/rnn_walk.h"
#include "autograd/ops.h"
#include "core/vector_math.h"

namespace heed {

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
  rnn::Walk walk;
  Saved states;  // h, [T + 1, B, H]
  Saved cells;   // c, [T + 1, B, H]
  Saved gates;   // [T, B, 5 H]: i, f, g, o, tanh(c)
  Saved w_hh;
  void saved(SavedVisitor& see) const {
    see("states", states), see("cells", cells), see("gates", gates), see("w_hh", w_hh);
  }
  void attributes(AttributeVisitor& see) const { walk.attributes(see); }

  void backward(GradFlow& flow) const {
    const rnn::Walk& w = walk;
    const int64_t h = w.hidden, count = w.batch * h;
    const Tensor dy = dense(flow.dy(0));
    dispatch(dy.dtype(), "lstm_sequence", [&]<class T>() {
      Tensor dh_now = clone(flow.dy(1)), dc_now = clone(flow.dy(2));
      Tensor all = rnn::scratch<T>({w.steps, w.batch, 4 * h});
      Tensor dx = rnn::scratch<T>({w.batch, w.steps, 4 * h});
      T *dh = dh_now.mutable_data<T>(), *dc = dc_now.mutable_data<T>();
      T *das = all.mutable_data<T>(), *dxs = dx.mutable_data<T>();
      for (int64_t s = w.steps - 1; s >= 0; --s) {
        const int64_t t = w.time(s);
        T* da = das + s * 4 * count;
        for (int64_t b = 0; b < w.batch; ++b) {
          T* at = da + b * 4 * h;
          const T* gate = gates->data<T>() + (s * w.batch + b) * 5 * h;
          // The gates of the step's next sentence are asked for: five rows at once, in a walk that
          // goes back, are not foreseen by the CPU.
          constexpr int64_t kLine = 64 / sizeof(T);
          for (int64_t j = 0; j < 5 * h; j += kLine) __builtin_prefetch(gate + 5 * h + j);
          if (w.active(b, t))
            vlstm_cell_backward(h, gate, cells->data<T>() + s * count + b * h,
                                dy.data<T>() + (b * w.steps + t) * h, dh + b * h, dc + b * h, at);
          else
            std::fill_n(at, 4 * h, T(0));
          std::copy_n(at, 4 * h, dxs + (b * w.steps + t) * 4 * h);
        }
        gemm<T>({false, false, w.batch, h, 4 * h, da, 4 * h, w_hh->data<T>(), h, dh, h, dh, h});
      }
      flow.add(0, std::move(dx));
      rnn::weight_gradients(all, states, flow, 3, 4);
      flow.add(1, dh_now);
      flow.add(2, dc_now);
    });
  }
};

Recurrence lstm_sequence(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_hh,
                         const Tensor& b_hh, const SequenceOptions& options) {
  const rnn::Walk w = rnn::check("lstm_sequence", 4, x, h0, w_hh, b_hh, options);
  require_shape("lstm_sequence", "c0", c0, h0.shape());
  require_same_dtype("lstm_sequence", h0, c0);
  const int64_t n = w.hidden, count = w.batch * n;
  const Tensor in = dense(x);
  Tensor states = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor cells = Tensor::empty({w.steps + 1, w.batch, n}, x.dtype());
  Tensor gates = w.kept({w.steps, w.batch, 5 * n}, x.dtype());
  Tensor out[3] = {Tensor::empty({w.batch, w.steps, n}, x.dtype()), {}, {}};
  dispatch(x.dtype(), "lstm_sequence", [&]<class T>() {
    T *all = states.mutable_data<T>(), *c = cells.mutable_data<T>(),
      *kept = gates.mutable_data<T>();
    rnn::set_first(h0, all);
    rnn::set_first(c0, c);
    rnn::run<T>(w, 4, w_hh, b_hh, all, c,
                [&](int64_t s, int64_t b, const T* g, const T*, T* after) {
                  const T* xr = in.data<T>() + (b * w.steps + w.time(s)) * 4 * n;
                  T* gate = kept + (s * w.batch + b) * 5 * n;  // i, f, g, o, tanh(c)
                  const T* before = c + s * count + b * n;
                  T* now = c + (s + 1) * count + b * n;
                  vlstm_cell(n, xr, g, before, gate, now, after);
                });
    rnn::write_outputs(w, all, out[0].mutable_data<T>());
    out[1] = rnn::last_state<T>(w, states);
    out[2] = rnn::last_state<T>(w, cells);
  });
  const Tensor* const inputs[] = {&x, &h0, &c0, &w_hh, &b_hh};
  record_all(LstmSequence{w, states, cells, gates, dense(w_hh)}, out, inputs);
  return {out[0], out[1], out[2]};
}

}  // namespace heed
