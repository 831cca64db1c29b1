// Tables of which few rows are looked up: the tape says which, clipping and the shards' sum keep
// it, and Adam lets rows rest without changing what it computes.
#include <array>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/rng.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/sgd.h"
#include "tests/optim/optim_checks.h"

namespace heed {
namespace {

using Ids = std::vector<int64_t>;

Tensor ids_of(const Ids& ids) {
  return Tensor::ids(ids, {static_cast<int64_t>(ids.size())});
}

// The rows that a gradient says are used; {-1}: it does not say.
Ids used_rows(const Gradients& g, const Tensor& table) {
  const Gradients::Entry* e = g.entry(table);
  if (!e || !e->rows) return {-1};
  Ids rows;
  for (int64_t r = 0; r < table.size(0); ++r)
    if (e->uses(r)) rows.push_back(r);
  return rows;
}

Tensor table_of(int64_t rows, int64_t width, DType dtype = f64) {
  Rng rng(3);
  return leaf(Tensor::normal({rows, width}, 0, 1, rng, dtype));
}

TEST(TableRows, AreThoseThatWereLookedUp) {
  const Tensor table = table_of(6, 2);
  Tape tape;
  const Tensor twice =
      add(sum(embedding(table, ids_of({4, 1, 4}))), sum(square(embedding(table, ids_of({0})))));
  tape.backward(twice);
  const Gradients g = tape.gradients();
  EXPECT_EQ(used_rows(g, table), (Ids{0, 1, 4}));
  const Tensor row = Tensor::of({1, 1}, f64);
  EXPECT_EQ(slice(*g.find(table), 0, 4, 5).to_vector(), (std::vector<double>{2, 2}));
  EXPECT_EQ(slice(*g.find(table), 0, 2, 4).to_vector(), std::vector<double>(4, 0));
}

TEST(TableRows, AreNotToldWhereTheTableIsUsedOtherwiseToo) {
  const Tensor table = table_of(6, 2), h = leaf(Tensor::of({{1, 2}}, f64));
  const auto of = [&](auto loss) {
    Tape tape;
    tape.backward(loss());
    return used_rows(tape.gradients(), table);
  };
  const auto lookup = [&] { return sum(embedding(table, ids_of({3}))); };
  EXPECT_EQ(of([&] { return add(lookup(), sum(matmul_nt(h, table))); }), (Ids{-1}));
  EXPECT_EQ(of([&] { return add(sum(matmul_nt(h, table)), lookup()); }), (Ids{-1}));
  EXPECT_EQ(of([&] { return add(sum(table), lookup()); }), (Ids{-1}));
  EXPECT_EQ(of([&] { return add(lookup(), sum(table)); }), (Ids{-1}));
}

TEST(TableRows, OfShardsAddUp) {
  const Tensor table = table_of(6, 2);
  const auto gradients = [&](const Ids& ids) {
    Tape tape;
    tape.backward(sum(square(embedding(table, ids_of(ids)))));
    return tape.gradients();
  };
  Gradients total = gradients({0, 2});
  total.add(gradients({2, 5}));
  EXPECT_EQ(used_rows(total, table), (Ids{0, 2, 5}));
  EXPECT_EQ(total.find(table)->to_vector(), gradients({0, 2, 2, 5}).find(table)->to_vector());

  Gradients dense;
  dense.add(table.ref().slot, Tensor::full(table.shape(), 1, f64));
  total.add(dense);
  EXPECT_EQ(used_rows(total, table), (Ids{-1}));
  EXPECT_EQ(total.find(table)->at({1, 0}), 1);
}

TEST(TableRows, AreClippedLikeTheWholeTable) {
  const Tensor table = table_of(7, 3);
  Tape tape;
  tape.backward(sum(square(embedding(table, ids_of({0, 1, 5})))));
  Gradients rows = tape.gradients(), whole;
  whole.add(table.ref().slot, clone(*rows.find(table)));
  EXPECT_NEAR(clip_global_norm(rows, 0.5), clip_global_norm(whole, 0.5), 1e-12);
  EXPECT_EQ(used_rows(rows, table), (Ids{0, 1, 5}));
  const auto a = rows.find(table)->to_vector(), b = whole.find(table)->to_vector();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
  EXPECT_NEAR(sum_of_squares(*rows.find(table)), 0.25, 1e-12);
}

// Words like those of a text: row r is looked up about every 3 (r + 1) updates, the last ones after
// hundreds; row 20 never.
constexpr int64_t kRows = 21, kWidth = 3;
Gradients text_gradients(const Tensor& table, int update, bool tell) {
  Rng rng = Rng(11).fork(static_cast<uint64_t>(update));
  Ids ids;
  for (int64_t r = 0; r + 1 < kRows; ++r)
    if (rng.below(static_cast<uint64_t>(r < 15 ? 3 * (r + 1) : 40 * (r + 1))) == 0)
      ids.push_back(r);
  Tape tape;
  const Tensor x = Tensor::normal({std::ssize(ids), kWidth}, 0.1, 1, rng, table.dtype());
  tape.backward(sum(x * embedding(table, ids_of(ids))));
  Gradients g = tape.gradients();
  if (tell) return g;
  Gradients whole;
  whole.add(table.ref().slot, *g.find(table));
  return whole;
}

TEST(TableRows, AdamWithRestingRowsIsAdam) {
  for (const DType dtype : {f64, f32}) {
    const Tensor lazy = table_of(kRows, kWidth, dtype), dense = leaf(clone(lazy));
    Adam a({{"w", lazy}}), b({{"w", dense}});
    const double start = lazy.at({20, 0});
    for (int t = 0; t < 1000; ++t) {
      a.step(text_gradients(lazy, t, true));
      b.step(text_gradients(dense, t, false));
    }
    const auto x = lazy.to_vector(), y = dense.to_vector();
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-6) << name_of(dtype) << i;
    EXPECT_EQ(lazy.at({20, 0}), start);
  }
}

TEST(TableRows, RestWhenTheirMovementIsOver) {
  const Tensor table = leaf(Tensor::zeros({2, 1}, f64));
  Adam adam({{"w", table}}, {.rate = 1});
  const auto step = [&](const Ids& ids) {
    Tape tape;
    tape.backward(sum(embedding(table, ids_of(ids))));
    adam.step(tape.gradients());
  };
  const auto m_of_0 = [&] { return adam.state()[3].second.at({0, 0}); };
  step({0});
  for (int t = 1; t <= 154; ++t) {
    const double before = table.at({0, 0});
    step({1});
    EXPECT_LT(table.at({0, 0}), before) << t;
    EXPECT_GT(m_of_0(), 0) << t;
  }
  const double at_rest = table.at({0, 0});
  for (int t = 0; t < 100; ++t) step({1});
  EXPECT_EQ(table.at({0, 0}), at_rest);
  EXPECT_EQ(m_of_0(), 0);
  // Looked up again, v has decayed by beta2 in every update since, as the formula says.
  step({0});
  const double expected = 1e-3 * std::pow(0.999, 255) + 1e-3;
  EXPECT_NEAR(adam.state()[4].second.at({0, 0}), expected, 1e-15);
}

TEST(TableRows, WeightDecayMovesEveryRow) {
  const Tensor table = leaf(Tensor::full({3, 1}, 1, f64));
  AdamW adam({{"w", table}}, {.rate = 0.1, .weight_decay = 0.5});
  Tape tape;
  tape.backward(sum(embedding(table, ids_of({1}))));
  adam.step(tape.gradients());
  EXPECT_NEAR(table.at({2, 0}), 0.95, 1e-15);
}

TEST(TableRows, OtherOptimizersSeeTheWholeTable) {
  const Tensor table = leaf(Tensor::full({3, 1}, 1, f64));
  Sgd sgd({{"w", table}}, {.rate = 0.5, .momentum = 0.5});
  for (const int64_t row : {1, 2}) {
    Tape tape;
    tape.backward(sum(embedding(table, ids_of({row}))));
    sgd.step(tape.gradients());
  }
  EXPECT_EQ(table.to_vector(), (std::vector<double>{1, 0.25, 0.5}));
}

TEST(TableRows, AStateGoesOnBitForBit) {
  const Tensor straight = table_of(kRows, kWidth, f32), first = leaf(clone(straight)),
               second = leaf(clone(straight));
  Adam a({{"w", straight}}), b({{"w", first}}), c({{"w", second}});
  const auto run = [](Adam& adam, const Tensor& table, int from, int to) {
    for (int t = from; t < to; ++t) adam.step(text_gradients(table, t, true));
  };
  run(a, straight, 0, 600);
  run(b, first, 0, 300);
  auto saved = b.state();
  EXPECT_EQ(saved.back().first, "adam.seen.w");
  c.load_state(parse_safetensors(safetensors_bytes(saved), "checkpoint"));
  Tensor weight = second;
  copy_into(weight, first);
  run(c, second, 300, 600);
  EXPECT_EQ(second.to_vector(), straight.to_vector());
  EXPECT_EQ(safetensors_bytes(c.state()), safetensors_bytes(a.state()));

  saved.back().second = Tensor::zeros({kRows + 1}, i64);
  const auto before = safetensors_bytes(c.state());
  expect_error<std::invalid_argument>(
      [&] { c.load_state(saved); },
      "adam: the state does not fit these parameters:\n  adam.seen.w: expected i64 [21], got i64 "
      "[22]");
  EXPECT_EQ(safetensors_bytes(c.state()), before) << "nothing is changed";
  // A state that knows nothing of rows fits too.
  Adam plain({{"w", second}});
  c.load_state(plain.state());
  EXPECT_EQ(c.state().size(), plain.state().size());
}

}  // namespace
}  // namespace heed
