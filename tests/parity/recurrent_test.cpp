// nn.RNN, nn.GRU and nn.LSTM: two layers, both directions, first states, sentences of unequal
// length (pack_padded_sequence).
#include "layers/gru.h"
#include "layers/lstm.h"
#include "layers/rnn.h"
#include "tests/parity/parity.h"

namespace heed::test {
namespace {

class RecurrentParity : public Parity {};
INSTANTIATE_TEST_SUITE_P(, RecurrentParity, kPrecisions, precision_name);

constexpr RecurrentOptions kOptions{.input = 3, .hidden = 4, .layers = 2, .bidirectional = true};
constexpr RecurrentOptions composed() {
  RecurrentOptions o = kOptions;
  o.fused = false;
  return o;
}

// [layers * directions, B, H], as PyTorch has them, as one [B, H] each.
Tensors states_of(const Tensor& all) {
  Tensors each;
  for (int64_t i = 0; i < all.shape()[0]; ++i) each.push_back(select(all, 0, i));
  return each;
}

template <class L>
TensorMap run(const L& f, const TensorMap& in) {
  const Mask lengths = Mask::lengths(in.at("lengths").to_ids());
  if constexpr (std::is_same_v<L, Lstm>) {
    const auto [y, last] = f(in.at("x"), lengths, {states_of(in.at("h0")), states_of(in.at("c0"))});
    return {{"y", y}, {"h", stack(last.h, 0)}, {"c", stack(last.c, 0)}};
  } else {
    const auto [y, last] = f(in.at("x"), lengths, {states_of(in.at("h0"))});
    return {{"y", y}, {"h", stack(last.h, 0)}};
  }
}

TEST_P(RecurrentParity, Rnn) {
  Rng rng(1);
  expect_parity("rnn", GetParam(), Rnn(kOptions, rng), run<Rnn>);
}
TEST_P(RecurrentParity, Gru) {
  Rng rng(1);
  expect_parity("gru", GetParam(), Gru(kOptions, rng), run<Gru>);
}
TEST_P(RecurrentParity, Lstm) {
  Rng rng(1);
  expect_parity("lstm", GetParam(), Lstm(kOptions, rng), run<Lstm>);
}
TEST_P(RecurrentParity, ComposedCells) {
  Rng rng(1);
  expect_parity("rnn", GetParam(), Rnn(composed(), rng), run<Rnn>);
  expect_parity("gru", GetParam(), Gru(composed(), rng), run<Gru>);
  expect_parity("lstm", GetParam(), Lstm(composed(), rng), run<Lstm>);
}

}  // namespace
}  // namespace heed::test
