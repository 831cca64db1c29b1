// Shards of a batch: the sum of their gradients is the gradient of the whole, in a fixed order,
// from any number of threads, with nothing left behind when one of them fails.
#include "optim/shards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "autograd/ops.h"
#include "core/rng.h"
#include "optim/adam.h"
#include "optim/clip.h"

namespace heed {
namespace {

// Seven "sentences" of unequal lengths, and a loss per sentence that uses two weights.
struct Problem {
  Rng rng{5};
  Tensor w = leaf(Tensor::normal({3, 4}, 0, 1, rng, f64));
  Tensor b = leaf(Tensor::normal({3}, 0, 1, rng, f64));
  Tensors sentences;
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
  const uint64_t held = pool_bytes_held();
  for (int i = 0; i < 200; ++i) step();
  EXPECT_LE(pool_bytes_held(), held);
}

TEST(Shards, EachPieceRunsOnce) {
  for (const int64_t threads : {1, 2, 5}) {
    Shards shards(threads);
    for (const int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      shards.each(count, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
      for (const auto& c : calls) EXPECT_EQ(c, 1);
    }
    EXPECT_THROW(shards.each(100,
                             [](int64_t i) {
                               if (i == 57) throw std::runtime_error("a piece");
                             }),
                 std::runtime_error);
    int after = 0;
    shards.each(1, [&](int64_t) { ++after; });
    EXPECT_EQ(after, 1);
  }
}

// The first two of four pieces to arrive are by two threads, as each waits for the other.
TEST(Shards, EachThreadBeginsWithItsOwnPart) {
  Shards shards(2);
  for (int round = 0; round < 200; ++round) {
    std::atomic<size_t> arrived{0};
    std::array<int64_t, 4> order{};
    shards.each(4, [&](int64_t i) {
      order[arrived++] = i;
      while (arrived < 2) std::this_thread::yield();
    });
    ASSERT_TRUE(std::min(order[0], order[1]) == 0 && std::max(order[0], order[1]) == 2) << round;
  }
}

TEST(Shards, PiecesAreWholeRowsOfEveryEntry) {
  constexpr int64_t kPiece = Gradients::kPiece;
  const std::vector<Shape> shapes{{3}, {kPiece + 1}, {1000, 100}, {2, kPiece + 7}, {}, {0, 4}};
  Gradients all;
  for (const Shape& s : shapes)
    all.add(static_cast<int32_t>(all.entries().size()), Tensor::zeros(s));
  std::vector<int64_t> next(shapes.size());
  for (const auto& [at, begin, end] : all.pieces()) {
    const Shape& s = shapes[at];
    EXPECT_EQ(begin, next[at]) << to_text(s);
    next[at] = end;
    const int64_t row = s.rank() > 1 ? s[1] : 1;
    EXPECT_EQ(begin % row, 0) << to_text(s);
    EXPECT_LE(end - begin, std::max(kPiece, row)) << to_text(s);
  }
  for (size_t i = 0; i < shapes.size(); ++i) EXPECT_EQ(next[i], shapes[i].numel());
}

TEST(Shards, GradientsOfATableWithoutColumnsAreAdded) {
  const Tensor table = leaf(Tensor::zeros({5, 0}));
  Buffer rows(5);
  std::fill_n(rows.data(), 5, std::byte{1});
  Gradients sum, more;
  for (Gradients* g : {&sum, &sum, &more}) g->add(table.ref().slot, Tensor::zeros({5, 0}), rows);
  sum.add(more);
  EXPECT_EQ(clip_global_norm(sum, 1), 0);
}

// Two parameters of several pieces each, one a table of which some rows are looked up.
std::pair<std::vector<double>, double> trained(int64_t threads, bool share_out) {
  const auto numbers = [](uint64_t seed, const Shape& shape) {
    Rng rng(seed);
    return leaf(Tensor::normal(shape, 0, 1, rng));
  };
  const Tensor w = numbers(1, {2 * Gradients::kPiece / 64 + 5, 64}),
               table = numbers(2, {1000, 100});
  Adam adam({{"w", w}, {"table", table}});
  Shards shards(threads);
  double norm = 0;
  for (uint64_t step = 0; step < 3; ++step) {
    // As many shards of work whatever the crew: only who does it differs.
    Gradients all;
    for (uint64_t shard = 0; shard < 3; ++shard) {
      Rng rng = Rng(step).fork(shard);
      std::vector<int64_t> ids(400);
      for (int64_t& id : ids) id = static_cast<int64_t>(rng.below(1000));
      Tape tape;
      const Tensor rows = embedding(table, Tensor::ids(ids, {400}));
      tape.backward(add(sum(square(rows)), sum(w * Tensor::normal(w.shape(), 0, 1, rng))));
      all.add(tape.gradients(), share_out ? shards.for_each() : one_by_one);
    }
    norm = share_out ? clip_global_norm(all, 1, shards.for_each()) : clip_global_norm(all, 1);
    share_out ? adam.step(all, shards.for_each()) : adam.step(all);
  }
  std::vector<double> weights = w.to_vector();
  for (const double x : table.to_vector()) weights.push_back(x);
  return {weights, norm};
}

TEST(Shards, SharingOutClippingAndUpdatesChangesNoBit) {
  const auto alone = trained(1, false);
  for (const int64_t threads : {1, 2, 4}) EXPECT_EQ(trained(threads, true), alone) << threads;
}

TEST(Shards, ImpossibleCountsAreRefused) {
  for (const int64_t count : {-1, 0, 257}) EXPECT_THROW(Shards{count}, std::invalid_argument);
}

}  // namespace
}  // namespace heed
