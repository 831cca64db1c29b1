// Every mechanism of attention that the constructor accepts, one of each, for tests that hold for
// all of them: scores x windows x hard choices.
#pragma once
#include "layers/attention.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {

inline Attention make(const AttentionOptions& o, uint64_t seed = 4) {
  Rng rng(seed);
  Attention f(o, rng);
  to(f, f64);
  return f;
}

inline std::string label(const Attention& f) {
  const AttentionOptions& o = f.options;
  return std::string(name_of(o.score)) + (o.fused ? "" : " composed") + ", " +
         std::string(name_of(o.window)) + ", hard " + std::string(name_of(o.hard));
}

/// Every score, Q = K = 3.
inline std::vector<AttentionOptions> every_score() {
  std::vector<AttentionOptions> all;
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general,
                        Score::concat, Score::cosine, Score::location})
    all.push_back({.score = s, .query = 3, .key = 3, .width = 4, .longest = 4});
  for (const Score s : {Score::additive, Score::concat})
    all.push_back({.score = s, .query = 3, .key = 3, .width = 4, .fused = false});
  return all;
}

/// Every score in every window with every choice that goes with it. D = 1.
inline std::vector<Attention> every_mechanism() {
  std::vector<Attention> all;
  for (AttentionOptions o : every_score())
    for (const Window w : {Window::global, Window::local_m, Window::local_p})
      for (const Hard h :
           {Hard::none, Hard::argmax, Hard::reinforce, Hard::straight_through, Hard::gumbel}) {
        if (w == Window::local_p && h != Hard::none) continue;
        o.window = w;
        o.reach = 1;
        o.hard = h;
        all.push_back(make(o));
      }
  return all;
}
inline std::vector<Attention> soft_mechanisms() {
  std::vector<Attention> all = every_mechanism();
  std::erase_if(all, [](const Attention& f) { return f.options.hard != Hard::none; });
  return all;
}

/// A call in training, with the same noise every time.
inline Attended attend(const Attention& f, const Tensor& query, const Memory& memory,
                       int64_t step = 0) {
  Rng noise(77);
  return f(query, memory, {.step = step, .rng = &noise});
}

/// What of it carries numbers.
inline Tensors outputs_of(const Attended& a) {
  Tensors all;
  for (const Tensor& t : {a.context, a.weights, a.position, a.log_probability, a.entropy})
    if (t.defined()) all.push_back(t);
  return all;
}

}  // namespace heed::test
