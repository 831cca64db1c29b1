// What the recurrences over a whole sequence share: the walk over [B, T, .], its forward loop and
// the common parts of its backward. Inside, time is outermost ([T, B, .]) in the order in which
// steps are walked, so that step s reads states s and writes states s + 1. Private to autograd/.
#pragma once
#include <algorithm>
#include <string_view>
#include <vector>

#include "autograd/ops.h"
#include "core/blas.h"

namespace heed::rnn {

// The walk over [B, T, .]: which time step comes s-th, and which sentences take part in it.
struct Walk {
  int64_t batch, steps, hidden;
  bool reverse;
  List<int64_t> lengths;
  int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  bool active(int64_t b, int64_t t) const { return t < lengths[static_cast<size_t>(b)]; }
  // Memory for what every step keeps; 0 where a sentence has no step, for whoever looks at it.
  Tensor kept(const Shape& shape, DType dtype) const {
    const bool ragged =
        std::any_of(lengths.begin(), lengths.end(), [this](int64_t n) { return n < steps; });
    return ragged ? Tensor::zeros(shape, dtype) : Tensor::empty(shape, dtype);
  }
  void attributes(AttributeVisitor& see) const {
    see("lengths", std::vector<int64_t>(lengths.begin(), lengths.end())), see("reverse", reverse);
  }
};

inline Walk check(std::string_view op, int64_t gates, const Tensor& x, const Tensor& h0,
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
  if (b_hh.defined()) {
    require_shape(op, "b_hh", b_hh, {gates * hidden});
    require_same_dtype(op, x, b_hh);
  }
  const Mask mask = o.lengths.empty() ? Mask{} : Mask::lengths(o.lengths);
  return {batch, x.shape()[1], hidden, o.reverse, mask.lengths_of(op, batch, x.shape()[1])};
}

// One step's recurrent share of the gates: out [B, n H] = h w_hh^T + b_hh.
template <class T>
void recur(const Walk& w, int64_t gates, const T* h, const T* weight, const T* bias, T* out) {
  const int64_t n = gates * w.hidden;
  gemm<T>({false, true, w.batch, n, w.hidden, h, w.hidden, weight, w.hidden, out, n, bias});
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

// What every recurrence's backward ends with: from the gates' gradients of all steps, dg
// [T, B, n H] as the recurrent product sees them, to the gradients of w_hh and b_hh. `states`
// [T + 1, B, H] begins with the states before each step.
inline void weight_gradients(const Tensor& dg, const Tensor& states, GradFlow& flow, int weight,
                             int bias) {
  const Shape before = states.shape().with(0, dg.shape()[0]);
  flow.add_affine(weight, bias, dg, states.view(before, states.strides()));
}

template <class T>
Tensor scratch(std::initializer_list<int64_t> shape) {
  return Tensor::empty(shape, dtype_of<T>);
}

// ---- forward ----

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

}  // namespace heed::rnn
