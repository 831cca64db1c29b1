// The gradient check itself: it passes what is right, and names what is wrong.
#include "autograd/gradcheck.h"

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/rng.h"
#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

// y = x^2 with a backward that is wrong in one place, or altogether.
struct Wrong {
  static constexpr OpInfo info{
      .name = "wrong", .inputs = {"x"}, .forward = "y = x^2", .backward = {"dx += 2 x * dy"}};
  Saved x;
  int64_t only;   // the entry whose gradient is wrong; -1: all
  double factor;  // of the right gradient
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    double* dx = flow.dx(0).mutable_data<double>();
    for (int64_t i = 0; i < x->numel(); ++i)
      dx[i] += 2 * x->data<double>()[i] * flow.dy().data<double>()[i] *
               (only < 0 || only == i ? factor : 1);
  }
};

Tensor wrong_square(const Tensor& x, int64_t only, double factor) {
  return record(Wrong{x, only, factor}, square(detach(x)), x);
}

TEST(GradCheck, PassesWhatIsRight) {
  Rng rng(1);
  const Tensor a = leaf(Tensor::normal({3, 4}, 0, 1, rng, f64));
  const Tensor b = leaf(Tensor::normal({4}, 0, 1, rng, f64));
  const NamedLeaf leaves[] = {{"a", a}, {"b", b}};
  const auto before = a.to_vector();
  const GradCheckReport r = gradcheck([&] { return softmax(a * b); }, leaves);
  EXPECT_TRUE(r.ok) << r.text;
  EXPECT_EQ(r.checked, 16);
  EXPECT_LT(r.error, 1);
  EXPECT_EQ(a.to_vector(), before);  // put back, to the last bit
  EXPECT_EQ(r.text.substr(0, 34), "16 entries checked, the worst is f");
}

TEST(GradCheck, NamesTheEntryThatIsWrong) {
  const Tensor a = leaf(Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64));
  const Tensor b = leaf(Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64));
  const NamedLeaf leaves[] = {{"a", a}, {"b", b}};
  const GradCheckReport r =
      gradcheck([&] { return wrong_square(a, -1, 1) + wrong_square(b, 4, 1.001); }, leaves);
  EXPECT_FALSE(r.ok);
  EXPECT_EQ(r.input, "b");
  EXPECT_EQ(r.index, (std::vector<int64_t>{1, 1}));
  EXPECT_NEAR(r.analytic / r.numeric, 1.001, 1e-7);
  EXPECT_GT(r.error, 100);
  EXPECT_NE(r.text.find("wrong: db[1, 1] expected "), std::string::npos) << r.text;
  EXPECT_NE(r.text.find("(differences), got "), std::string::npos) << r.text;
}

TEST(GradCheck, IsNotFooledByGradientsOfZero) {
  // The gradient of sum(softmax(x)) is zero: with a cotangent of ones a missing backward would
  // pass.
  const Tensor x = leaf(Tensor::of({1, 2, 3}, f64));
  const NamedLeaf leaves[] = {{"x", x}};
  EXPECT_TRUE(gradcheck([&] { return softmax(x); }, leaves).ok);
  const GradCheckReport r = gradcheck([&] { return softmax(detach(x)); }, leaves);
  EXPECT_FALSE(r.ok);
  EXPECT_EQ(r.analytic, 0);
}

TEST(GradCheck, ALeafThatIsNotUsedHasGradientZero) {
  const Tensor x = leaf(Tensor::of({1, 2, 3}, f64)), other = leaf(Tensor::of({4}, f64));
  const NamedLeaf leaves[] = {{"x", x}, {"other", other}};
  EXPECT_TRUE(gradcheck([&] { return square(x); }, leaves).ok);
}

TEST(GradCheck, ANaNIsWrong) {
  const Tensor x = leaf(Tensor::of({-1, 2}, f64));
  const NamedLeaf leaves[] = {{"x", x}};
  const GradCheckReport r = gradcheck([&] { return sqrt(x); }, leaves);
  EXPECT_FALSE(r.ok);
  EXPECT_EQ(r.index, (std::vector<int64_t>{0}));
}

TEST(GradCheck, ChecksASampleOfALargeLeafSpreadOverIt) {
  Rng rng(3);
  const Tensor x = leaf(Tensor::normal({1000}, 0, 1, rng, f64));
  const NamedLeaf leaves[] = {{"x", x}};
  EXPECT_EQ(gradcheck([&] { return square(x); }, leaves, {.most = 10}).checked, 10);
  EXPECT_EQ(gradcheck([&] { return square(x); }, leaves, {.most = 0}).checked, 1000);
  const auto wrong_everywhere = [&] { return wrong_square(x, -1, 1.5); };
  EXPECT_FALSE(gradcheck(wrong_everywhere, leaves, {.most = 10}).ok);
}

TEST(GradCheck, ALeafMayBeStrided) {
  const Tensor memory = Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64);
  const Tensor x = leaf(memory.view({2, 2}, memory.strides(), 1));
  const NamedLeaf leaves[] = {{"x", x}};
  const GradCheckReport r =
      gradcheck([&] { return wrong_square(clone(x).with_ref(x.ref()), 3, 2); }, leaves);
  EXPECT_FALSE(r.ok);
  EXPECT_EQ(r.index, (std::vector<int64_t>{1, 1}));
}

TEST(GradCheck, SaysWhatItNeeds) {
  const Tensor single = leaf(Tensor::of({1, 2})), x = leaf(Tensor::of({1, 2}, f64));
  const NamedLeaf in_f32[] = {{"w", single}}, constant[] = {{"w", detach(x)}}, fine[] = {{"w", x}};
  EXPECT_EQ(argument_error([&] { gradcheck([&] { return square(single); }, in_f32); }),
            "gradcheck: expected w in f64, got f32; differences in f32 are noise");
  EXPECT_EQ(argument_error([&] { gradcheck([&] { return square(x); }, constant); }),
            "gradcheck: expected w to be a leaf; make it one with leaf(x)");
  EXPECT_EQ(argument_error([&] { gradcheck([&] { return square(single); }, fine); }),
            "gradcheck: expected an f64 output, got tensor f32 [2]");
  EXPECT_EQ(argument_error([&] { gradcheck([&] { return x; }, {}); }),
            "gradcheck: expected at least one leaf");
}

}  // namespace
}  // namespace heed::test
