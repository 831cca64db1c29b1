// Masks: what each row keeps, how they combine, what does not fit.
#include "core/mask.h"

#include <gtest/gtest.h>

#include <functional>

namespace heed {
namespace {

// The mask of a tensor of this shape, one string per row: "110".
std::vector<std::string> rows_of(const Mask& mask, const Shape& shape) {
  mask.check("test", shape);
  std::vector<std::string> rows;
  for (int64_t r = 0; r < shape.numel() / shape.back(); ++r) {
    const Mask::Row row = mask.row(shape, r);
    if (mask.keeps_first()) {  // then the limits say the same
      const List<int64_t> limits = mask.limits(shape);
      EXPECT_EQ(limits.empty(), mask.keeps_all());
      EXPECT_EQ(limits.empty() ? shape.back() : limits[static_cast<size_t>(r)], row.limit) << r;
    }
    std::string text;
    for (int64_t j = 0; j < shape.back(); ++j) text += row[j] ? '1' : '0';
    rows.push_back(text);
  }
  return rows;
}
using Rows = std::vector<std::string>;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Mask, KeepsEverythingUnlessTold) {
  EXPECT_TRUE(Mask{}.keeps_all());
  EXPECT_EQ(rows_of(Mask{}, {2, 3}), (Rows{"111", "111"}));
}

TEST(Mask, LengthsKeepAPrefixOfEverySentence) {
  const Mask m = Mask::lengths({3, 1, 0});
  EXPECT_FALSE(m.keeps_all());
  EXPECT_EQ(rows_of(m, {3, 3}), (Rows{"111", "100", "000"}));
  EXPECT_EQ(rows_of(m, {3, 2, 3}), (Rows{"111", "111", "100", "100", "000", "000"}));
}

TEST(Mask, CausalKeepsThePast) {
  EXPECT_EQ(rows_of(Mask::causal(), {3, 3}), (Rows{"100", "110", "111"}));
  EXPECT_EQ(rows_of(Mask::causal(1), {2, 2, 3}), (Rows{"110", "111", "110", "111"}));
  EXPECT_EQ(rows_of(Mask::causal(-1), {3, 3}), (Rows{"000", "100", "110"}));
  EXPECT_EQ(rows_of(Mask::causal(-9), {2, 2}), (Rows{"00", "00"}));
}

TEST(Mask, KeepIsPerPositionPerSentenceOrPerElement) {
  EXPECT_EQ(rows_of(Mask::keep({1, 0, 7}), {2, 3}), (Rows{"101", "101"}));
  EXPECT_EQ(rows_of(Mask::keep({1, 0, 0, 1}, {2, 2}), {2, 2, 2}), (Rows{"10", "10", "01", "01"}));
  EXPECT_EQ(rows_of(Mask::keep({1, 0, 0, 1}, {2, 1, 2}), {2, 1, 2}), (Rows{"10", "01"}));
}

TEST(Mask, CombinedMasksKeepWhatAllKeep) {
  const Mask m = Mask::lengths({3, 2}) & Mask::causal() & Mask::keep({0, 1, 1});
  EXPECT_EQ(rows_of(m, {2, 3, 3}), (Rows{"000", "010", "011", "000", "010", "010"}));
  EXPECT_EQ(rows_of(Mask::lengths({3, 1}) & Mask::lengths({2, 2}), {2, 3}), (Rows{"110", "100"}));
  EXPECT_EQ(rows_of(Mask::keep({1, 1, 0}) & Mask::keep({0, 1, 1}), {3}), (Rows{"010"}));
  EXPECT_EQ(rows_of(Mask::causal(1) & Mask::causal(), {2, 2}), (Rows{"10", "11"}));
  EXPECT_TRUE((Mask{} & Mask{}).keeps_all());
  EXPECT_EQ(rows_of(Mask{} & Mask::keep({0, 1}), {2}), (Rows{"01"}));
}

TEST(Mask, LengthsAreReadBack) {
  EXPECT_EQ(Mask::lengths({2, 0}).lengths_of("op", 2, 3), (List<int64_t>{2, 0}));
  EXPECT_EQ(Mask{}.lengths_of("op", 2, 3), (List<int64_t>{3, 3}));
}

TEST(Mask, WhatDoesNotFitIsSaid) {
  EXPECT_EQ(error_of([] {
              (void)Mask::lengths({1, -2});
            }),
            "Mask::lengths: expected lengths >= 0, got -2 at 1");
  EXPECT_EQ(error_of([] {
              (void)Mask::keep({1, 0}, {3});
            }),
            "Mask::keep: expected 3 values for shape [3], got 2");
  EXPECT_EQ(error_of([] {
              (void)(Mask::lengths({1}) & Mask::lengths({1, 2}));
            }),
            "Mask &: expected lengths for one batch, got 1 and 2");
  EXPECT_EQ(error_of([] {
              (void)(Mask::keep({1}) & Mask::keep({1, 0}));
            }),
            "Mask &: expected keep masks of one shape, got [1], [2]");
  EXPECT_EQ(error_of([] {
              Mask::lengths({1, 2}).check("softmax", {3, 4});
            }),
            "softmax: expected 3 lengths, one per sentence of the batch, got 2");
  EXPECT_EQ(error_of([] {
              Mask::lengths({5}).check("softmax", {1, 4});
            }),
            "softmax: expected lengths <= 4 (the padded length), got 5");
  EXPECT_EQ(error_of([] { Mask::lengths({5}).check("softmax", {4}); }),
            "softmax: Mask::lengths needs [batch, ..., n], got [4]");
  EXPECT_EQ(error_of([] { Mask::causal().check("softmax", {4}); }),
            "softmax: Mask::causal needs [..., target, source], got [4]");
  EXPECT_EQ(error_of([] { Mask::causal().check("softmax", {}); }),
            "softmax: a mask needs an axis to mask, got a scalar");
  EXPECT_EQ(error_of([] {
              Mask::keep({1, 0}).check("softmax", {2, 3});
            }),
            "softmax: expected a keep mask of shape [3], [batch, 3] or [2, 3], got [2]");
  EXPECT_EQ(error_of([] { (void)Mask::causal().lengths_of("gru", 1, 1); }),
            "gru: expected a mask made by Mask::lengths (only whole prefixes have a length)");
}

TEST(Mask, RowsOfAnEmptyAxisBelongToTheirSentences) {
  const Mask mask = Mask::lengths({0, 0});
  const Shape shape{2, 3, 0};  // two sentences of no words, three queries each
  mask.check("test", shape);
  for (int64_t row = 0; row < 6; ++row) EXPECT_EQ(mask.row(shape, row).limit, 0) << row;
}

}  // namespace
}  // namespace heed
