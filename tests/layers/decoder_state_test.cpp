// What a decoder carries: rows are kept, reordered and repeated.
#include "layers/decoder_state.h"

#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

TEST(DecoderState, RowsAreKeptReorderedAndRepeated) {
  DecoderState s{{Tensor::of({{1, 2}, {3, 4}, {5, 6}}), noise({3, 2, 0, 4}, 1), noise({3}, 2)}, 7};
  const int64_t rows[] = {2, 0, 2, 2};
  const DecoderState kept = rows_of(s, rows);
  EXPECT_EQ(kept.position, 7);
  EXPECT_EQ(kept.tensors[0].to_vector(), (Numbers{5, 6, 1, 2, 5, 6, 5, 6}));
  EXPECT_EQ(kept.tensors[1].shape(), (Shape{4, 2, 0, 4}));
  EXPECT_EQ(kept.tensors[2].at({1}), s.tensors[2].at({0}));
  EXPECT_EQ(kept.tensors[2].dtype(), f64);
  EXPECT_EQ(rows_of(s, {}).tensors[0].shape(), (Shape{0, 2}));
}

TEST(DecoderState, RowsAreReadThroughStridesAndWithoutARecord) {
  const Tensor x = leaf(noise({3, 4, 2}, 1));
  Tape tape;
  const Tensor part = slice(x, 1, 1, 3);
  const uint64_t before = Tape::recorded();
  const int64_t rows[] = {1};
  const Tensor row = rows_of(part, rows);
  EXPECT_EQ(Tape::recorded(), before);
  EXPECT_FALSE(requires_grad(row));
  EXPECT_EQ(row.to_vector(), slice(part, 0, 1, 2).to_vector());
}

TEST(DecoderState, SaysWhichRowIsNotThere) {
  const DecoderState s{{noise({3, 2}, 1)}, 0};
  const int64_t beyond[] = {0, 3}, below[] = {-1};
  EXPECT_EQ(argument_error([&] { rows_of(s, beyond); }),
            "rows_of: expected rows in [0, 3) of [3, 2], got 3");
  EXPECT_EQ(argument_error([&] { rows_of(s, below); }),
            "rows_of: expected rows in [0, 3) of [3, 2], got -1");
  EXPECT_EQ(argument_error([&] { rows_of(Tensor::scalar(1), below); }),
            "rows_of: expected at least one axis, got a scalar");
}

}  // namespace
}  // namespace heed::test
