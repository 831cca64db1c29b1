// Lesson 5: forecasting by attention. What came next, the last times it looked like this?
//
//   run             build/bin/05_forecast_series     (seed 1; 1 s)
//   last line       unseen series: error with attention under half of that without: yes
//
// Every series has a season of its own: 5 to 12 random numbers, over and over, and noise. To
// foresee the number after a window of 28, attention compares the last 4 numbers (the query) with
// all the fours before them (the keys), and averages what came after each (the values). A network
// of the same size with fixed weights must learn what to do for every season apart, and 512 series
// are too few for that.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "layers/attention.h"
#include "optim/adam.h"

using namespace heed;

constexpr int64_t kWindow = 28, kPatch = 4, kKeys = kWindow - kPatch;
constexpr int64_t kShortest = 5, kSeasons = 8;
constexpr double kNoise = 0.1;  // beside seasons of deviation 1: no forecast has a smaller error

struct Series {
  Tensor window, next;          // [B, 28], [B, 1]
  std::vector<int64_t> season;  // [B] lengths
};

Series make_series(int64_t count, Rng& rng) {
  std::vector<float> window, next;
  Series s;
  for (int64_t b = 0; b < count; ++b) {
    std::vector<double> season(kShortest + rng.below(kSeasons));
    for (double& v : season) v = rng.normal();
    for (int64_t t = 0; t <= kWindow; ++t) {
      const double x = season[static_cast<size_t>(t) % season.size()] + kNoise * rng.normal();
      (t < kWindow ? window : next).push_back(static_cast<float>(x));
    }
    s.season.push_back(static_cast<int64_t>(season.size()));
  }
  s.window = Tensor::from<float>(window, {count, kWindow});
  s.next = Tensor::from<float>(next, {count, 1});
  return s;
}

struct Without {
  Linear first, second;
  explicit Without(Rng rng)
      : first({.in = kWindow, .out = 24}, rng), second({.in = 24, .out = 1}, rng) {}
  Tensor operator()(const Tensor& x) const { return second(tanh(first(x))); }
  void visit(Visitor& see) { see("first", first), see("second", second); }
};

struct With {
  Linear first, second;
  Attention attention;
  explicit With(Rng rng)
      : first({.in = kPatch, .out = 32}, rng),
        second({.in = 32, .out = 16}, rng),
        attention({.score = Score::cosine, .query = 16, .key = 16}, rng) {}

  Attended attend(const Tensor& x) const {
    Tensors shifted;
    for (int64_t i = 0; i < kPatch; ++i) shifted.push_back(slice(x, 1, i, i + kKeys + 1));
    const Tensor patches = second(tanh(first(stack(shifted, 2))));  // [B, 25, 16]
    const Tensor after = reshape(slice(x, 1, kPatch, kWindow), {x.shape()[0], kKeys, 1});
    const Memory memory = attention.memory(slice(patches, 1, 0, kKeys), {}, after);
    return attention(select(patches, 1, kKeys), memory);
  }
  Tensor operator()(const Tensor& x) const { return attend(x).context; }  // [B, 1]
  void visit(Visitor& see) {
    see("first", first), see("second", second), see("attention", attention);
  }
};

// Trains on 512 series, over and over; returns the root of the mean squared error on `unseen`.
template <class Network>
double train(Network& f, const Series& unseen, Rng rng) {
  std::vector<Series> batches;
  for (int i = 0; i < 8; ++i) batches.push_back(make_series(64, rng));
  const auto error = [&](const Series& s) { return mean(square(f(s.window) - s.next)); };
  Adam adam(parameters(f), {.rate = 3e-3});
  for (size_t step = 1; step <= 2000; ++step) {
    Tape tape;
    const Tensor loss = error(batches[step % batches.size()]);
    tape.backward(loss);
    adam.step(tape);
    if (step % 500 == 0) fmt::print("  step {:4}  error {:.2f}\n", step, std::sqrt(loss.item()));
  }
  const double e = std::sqrt(error(unseen).item());
  fmt::print("  {} parameters, error {:.2f} on unseen series\n", parameter_count(f), e);
  return e;
}

int main() {
  const Rng rng(1);
  Rng for_test = rng.fork("test");
  const Series unseen = make_series(1000, for_test);
  Without plain(rng.fork("init"));
  With attentive(rng.fork("init"));
  fmt::print("without attention\n");
  const double without = train(plain, unseen, rng.fork("train"));
  fmt::print("with attention\n");
  const double with = train(attentive, unseen, rng.fork("train"));

  fmt::print("how far back it looks: tenths of the weight, by lag; . is less than half a tenth\n");
  const Tensor weights = attentive.attend(unseen.window).weights;  // [1000, 24]
  for (int64_t season = kShortest; season < kShortest + kSeasons; ++season) {
    const auto row = std::find(unseen.season.begin(), unseen.season.end(), season);
    std::string line;
    for (int64_t lag = 1; lag <= kKeys; ++lag) {
      const double tenths = 10 * weights.at({row - unseen.season.begin(), kKeys - lag});
      line += tenths < 0.5 ? "  ." : fmt::format("{:3.0f}", tenths);
    }
    fmt::print("  season {:2} {}\n", season, line);
  }
  const bool pass = with < without / 2;
  fmt::print("unseen series: error with attention under half of that without: {}\n",
             pass ? "yes" : "no");
  return pass ? 0 : 1;
}
