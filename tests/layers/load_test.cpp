// Files of weights: what does not fit is listed at once and changes nothing; dtypes convert.
#include <fstream>
#include <sstream>

#include "layers/embedding.h"
#include "layers/linear.h"
#include "tests/core/file_checks.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

// An embedding and two maps, one of them without bias.
struct Toy {
  Embedding words;
  std::vector<Linear> stack;

  explicit Toy(uint64_t seed) {
    Rng rng(seed);
    words = Embedding({.count = 5, .size = 3}, rng);
    stack = {Linear({.in = 3, .out = 2}, rng), Linear({.in = 2, .out = 4, .bias = false}, rng)};
  }
  void visit(Visitor& see) { see("words", words), see("stack", stack); }
};

std::vector<Numbers> values_of(Toy& toy) {
  std::vector<Numbers> all;
  for (const auto& p : parameters(toy)) all.push_back(p.value.to_vector());
  return all;
}

class Load : public ScratchFolder {
 protected:
  const std::string file_ = path("weights.safetensors");
};

TEST_F(Load, NamesArePathsAndListsAreNumbered) {
  Toy toy(1);
  std::vector<std::string> names;
  for (const auto& p : parameters(toy)) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"words.weight", "stack.0.weight", "stack.0.bias",
                                             "stack.1.weight"}));
  EXPECT_EQ(parameter_count(toy), 15 + 6 + 2 + 8);
}

TEST_F(Load, MetadataComesBack) {
  Toy toy(1);
  save(file_, toy, {{"epoch", "7"}});
  EXPECT_EQ(load(file_, toy), (Metadata{{"epoch", "7"}}));
}

TEST_F(Load, EveryMissingExtraAndMisshapedNameIsListedAtOnce) {
  const NamedTensor tensors[] = {{"words.weight", Tensor::zeros({3, 5})},
                                 {"stack.0.weight", Tensor::full({2, 3}, 9)},
                                 {"stack.1.bias", Tensor::zeros({4})},
                                 {"stack.1.weight", Tensor::zeros({4, 2}, i64)},
                                 {"alien", Tensor::scalar(1)}};
  save_safetensors(file_, tensors);
  Toy toy(1);
  const auto before = values_of(toy);
  try {
    load(file_, toy);
    FAIL() << "accepted";
  } catch (const FileError& e) {
    EXPECT_EQ(std::string(e.what()),
              file_ + ": the weights do not fit this model:" +
                  "\n  misfit: words.weight is f32 [3, 5] in the file, [5, 3] in the model" +
                  "\n  missing: stack.0.bias [2]" +
                  "\n  misfit: stack.1.weight is i64 [4, 2] in the file, [4, 2] in the model" +
                  "\n  extra: alien []" + "\n  extra: stack.1.bias [4]");
  }
  EXPECT_EQ(values_of(toy), before) << "nothing may have changed";
}

TEST_F(Load, ABrokenFileChangesNothing) {
  Toy toy(1), other(2);
  save(file_, other);
  std::ostringstream bytes;
  bytes << std::ifstream(file_, std::ios::binary).rdbuf();
  const std::string whole = bytes.str();
  std::ofstream(file_, std::ios::binary) << whole.substr(0, whole.size() - 1);
  const auto before = values_of(toy);
  EXPECT_THROW(load(file_, toy), FileError);
  EXPECT_THROW(load(path("nothing"), toy), FileError);
  EXPECT_EQ(values_of(toy), before);
}

TEST_F(Load, SinglePrecisionGoesIntoDoubleAndBack) {
  Toy single(1), dbl(2), back(3);
  to(dbl, f64);
  save(file_, single);
  load(file_, dbl);
  EXPECT_EQ(values_of(dbl), values_of(single));
  for (const auto& p : parameters(dbl)) EXPECT_EQ(p.value.dtype(), f64);
  save(file_, dbl);
  load(file_, back);
  EXPECT_EQ(values_of(back), values_of(single));
  for (const auto& p : parameters(back)) EXPECT_EQ(p.value.dtype(), f32);
}

TEST_F(Load, FillsInPlaceSoThatOldHandlesSeeIt) {
  Toy toy(1), other(2);
  const Parameters handles = parameters(toy);
  save(file_, other);
  load(file_, toy);
  const auto expected = values_of(other);
  for (size_t i = 0; i < handles.size(); ++i) {
    EXPECT_EQ(handles[i].value.to_vector(), expected[i]);
    EXPECT_TRUE(is_leaf(parameters(toy)[i].value));
  }
}

TEST_F(Load, SavingUnderATapeRecordsNothing) {
  Toy toy(1);
  const Tape tape;
  save(file_, toy);
  load(file_, toy);
  to(toy, f64);
  EXPECT_TRUE(tape.nodes().empty());
}

}  // namespace
}  // namespace heed::test
