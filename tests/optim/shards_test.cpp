// Shards of a batch: the sum of their gradients is the gradient of the whole, in a fixed order,
// from any number of threads, with nothing left behind when one of them fails.
#include "optim/shards.h"

#include <gtest/gtest.h>

#include <atomic>

#include "autograd/ops.h"
#include "core/rng.h"

namespace heed {
namespace {

// Seven "sentences" of unequal lengths, and a loss per sentence that uses two weights.
struct Problem {
  Rng rng{5};
  Tensor w = leaf(Tensor::normal({3, 4}, 0, 1, rng, f64));
  Tensor b = leaf(Tensor::normal({3}, 0, 1, rng, f64));
  std::vector<Tensor> sentences;
  int64_t tokens = 0;
  Problem() {
    for (const int64_t n : {5, 1, 3, 8, 2, 2, 6}) {
      sentences.push_back(Tensor::normal({n, 4}, 0, 1, rng, f64));
      tokens += n;
    }
  }
  Gradients of(int64_t begin, int64_t end) const {
    if (begin == end) return {};
    Tape tape;
    Tensor total = Tensor::scalar(0, f64);
    for (int64_t i = begin; i < end; ++i)
      total = total + sum(square(tanh(linear(sentences[static_cast<size_t>(i)], w, b))));
    tape.backward(scale(total, 1 / static_cast<double>(tokens)));
    return tape.gradients();
  }
};

Gradients by_shards(const Problem& p, int64_t count) {
  Shards shards(count);
  const auto n = static_cast<int64_t>(p.sentences.size());
  return shards.run(
      [&](int64_t shard) { return p.of(shard * n / count, (shard + 1) * n / count); });
}

TEST(Shards, SumOfShardsIsTheGradientOfTheWhole) {
  const Problem p;
  const Gradients whole = p.of(0, 7);
  for (const int64_t count : {1, 2, 3, 4, 7, 9}) {
    const Gradients sum = by_shards(p, count);
    for (const Tensor& leaf : {p.w, p.b}) {
      const auto expected = whole.find(leaf)->to_vector(), got = sum.find(leaf)->to_vector();
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(got[i], expected[i], 1e-12) << count << " shards, entry " << i;
    }
  }
}

TEST(Shards, SameNumberOfShardsGivesTheSameBits) {
  const Problem p;
  const auto first = by_shards(p, 3).find(p.w)->to_vector();
  for (int run = 0; run < 20; ++run) EXPECT_EQ(by_shards(p, 3).find(p.w)->to_vector(), first);
}

TEST(Shards, EveryShardRunsOnceInEveryRound) {
  Shards shards(4);
  std::array<std::atomic<int>, 4> calls{};
  for (int round = 1; round <= 100; ++round) {
    shards.run([&](int64_t shard) {
      ++calls[static_cast<size_t>(shard)];
      return Gradients{};
    });
    for (const auto& c : calls) EXPECT_EQ(c, round);
  }
}

TEST(Shards, AnExceptionArrivesAndTheCrewGoesOn) {
  const Problem p;
  Shards shards(3);
  for (const int64_t bad : {0, 1, 2}) try {
      shards.run([&](int64_t shard) -> Gradients {
        if (shard == bad) throw std::runtime_error("shard " + std::to_string(shard));
        return p.of(0, 1);
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "shard " + std::to_string(bad));
    }
  EXPECT_NE(shards.run([&](int64_t) { return p.of(0, 2); }).find(p.w), nullptr);
}

TEST(Shards, ShardsWithoutWorkAddNothing) {
  const Problem p;
  Shards shards(2);
  const Gradients g =
      shards.run([&](int64_t shard) { return shard == 1 ? p.of(0, 7) : Gradients{}; });
  EXPECT_EQ(g.find(p.w)->to_vector(), p.of(0, 7).find(p.w)->to_vector());
}

TEST(Shards, TheCallersPoolDoesNotGrow) {
  const Problem p;
  Shards shards(2);
  const auto step = [&] { shards.run([&](int64_t shard) { return p.of(shard * 3, 7); }); };
  for (int i = 0; i < 20; ++i) step();
  const uint64_t held = pool_stats().bytes_held;
  for (int i = 0; i < 200; ++i) step();
  EXPECT_LE(pool_stats().bytes_held, held);
}

TEST(Shards, ImpossibleCountsAreRefused) {
  for (const int64_t count : {-1, 0, 257}) EXPECT_THROW(Shards{count}, std::invalid_argument);
}

}  // namespace
}  // namespace heed
