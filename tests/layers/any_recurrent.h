// Rnn, Gru (both places of the reset gate) and Lstm behind one face, so that one test covers all.
#pragma once
#include <memory>
#include <string>

#include "layers/gru.h"
#include "layers/lstm.h"
#include "layers/rnn.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {

enum class Kind { rnn, gru, gru_before, lstm };
inline constexpr Kind kKinds[] = {Kind::rnn, Kind::gru, Kind::gru_before, Kind::lstm};

inline std::string name_of(Kind kind) {
  const char* const names[] = {"Rnn", "Gru", "GruResetBefore", "Lstm"};
  return names[static_cast<size_t>(kind)];
}

/// States are the h of every layer and direction, then the c (Lstm only).
struct Ran {
  Tensor y;
  Tensors states;
};

struct AnyRecurrent {
  RecurrentStack* stack;
  Parameters parameters;
  std::function<Ran(const Tensor& x, const Mask& lengths, const Tensors& states, Rng* rng)> run;
  std::function<Tensors(const Tensor& x, const Tensors& states)> step;

  Tensors all(const Tensor& x, const Mask& lengths = {}, const Tensors& states = {},
              Rng* rng = nullptr) const {
    const Ran r = run(x, lengths, states, rng);
    Tensors out{r.y};
    out.insert(out.end(), r.states.begin(), r.states.end());
    return out;
  }
  size_t state_count() const { return run(zeros(), {}, {}, nullptr).states.size(); }

 private:
  Tensor zeros() const {
    return Tensor::zeros({1, 0, stack->options.input}, parameters[0].value.dtype());
  }
};

namespace detail {

template <class L>
std::shared_ptr<L> held(L layer, DType dtype) {
  auto p = std::make_shared<L>(std::move(layer));
  to(*p, dtype);
  return p;
}

template <class State, class L>
AnyRecurrent of_one_state(std::shared_ptr<L> p) {
  return {&p->stack, parameters(*p),
          [p](const Tensor& x, const Mask& m, const Tensors& s, Rng* rng) {
            const auto out = (*p)(x, m, State{s}, rng);
            return Ran{out.y, out.state.h};
          },
          [p](const Tensor& x, const Tensors& s) { return p->step(x, State{s}).h; }};
}

inline LstmState halves(const Tensors& s) {
  const auto middle = s.begin() + static_cast<int64_t>(s.size() / 2);
  return {{s.begin(), middle}, {middle, s.end()}};
}
inline Tensors joined(const LstmState& s) {
  Tensors all = s.h;
  all.insert(all.end(), s.c.begin(), s.c.end());
  return all;
}

}  // namespace detail

inline AnyRecurrent make(Kind kind, const RecurrentOptions& o, DType dtype = f64,
                         uint64_t seed = 3) {
  Rng rng(seed);
  if (kind == Kind::rnn) return detail::of_one_state<RnnState>(detail::held(Rnn(o, rng), dtype));
  if (kind != Kind::lstm) {
    const GruReset reset = kind == Kind::gru ? GruReset::after : GruReset::before;
    return detail::of_one_state<GruState>(detail::held(Gru(o, rng, reset), dtype));
  }
  const auto p = detail::held(Lstm(o, rng), dtype);
  return {&p->stack, parameters(*p),
          [p](const Tensor& x, const Mask& m, const Tensors& s, Rng* rng_) {
            const LstmOutput out = (*p)(x, m, detail::halves(s), rng_);
            return Ran{out.y, detail::joined(out.state)};
          },
          [p](const Tensor& x, const Tensors& s) {
            return detail::joined(p->step(x, detail::halves(s)));
          }};
}

}  // namespace heed::test
