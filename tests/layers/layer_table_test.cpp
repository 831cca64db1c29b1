// The checks that every row of the layer table goes through, and that every layer has a row.
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/core/file_checks.h"
#include "tests/layers/layer_table.h"

namespace heed::test {
namespace {

Tensors inputs_of(const Row& r, DType dtype) {
  Tensors in;
  uint64_t seed = 50;
  for (const Input& i : r.inputs)
    in.push_back(i.ids > 0 ? random_ids(i.shape, i.ids, ++seed)
                           : leaf(noise(i.shape, ++seed, dtype)));
  return in;
}
Leaves leaves_of(const Row& r, const Instance& layer, const Tensors& in) {
  Leaves all = test::leaves_of(layer.parameters);
  for (size_t i = 0; i < in.size(); ++i)
    if (r.inputs[i].ids == 0) all.emplace_back(r.inputs[i].name, in[i]);
  return all;
}

class LayerTable : public ::testing::TestWithParam<size_t> {
 protected:
  const Row& row_ = layer_table()[GetParam()];
};

TEST_P(LayerTable, NamesAndShapesAreThoseOfPyTorch) {
  NamedShapes got;
  for (const auto& p : row_.make(1, f32).parameters) got.emplace_back(p.name, p.value.shape());
  ASSERT_EQ(got.size(), row_.parameters.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].first, row_.parameters[i].first);
    EXPECT_EQ(to_text(got[i].second), to_text(row_.parameters[i].second)) << got[i].first;
  }
}

TEST_P(LayerTable, OutputsHaveTheDocumentedShapes) {
  const Tensors y = row_.make(1, f32).run(inputs_of(row_, f32));
  ASSERT_EQ(y.size(), row_.outputs.size());
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(to_text(y[i].shape()), to_text(row_.outputs[i])) << "output " << i;
    EXPECT_EQ(y[i].dtype(), f32);
  }
}

TEST_P(LayerTable, GradientsAreDerivatives) {
  const Instance layer = row_.make(1, f64);
  const Tensors in = inputs_of(row_, f64);
  expect_gradients(
      row_.layer, [&] { return layer.run(in); }, leaves_of(row_, layer, in));
}

TEST_P(LayerTable, SinglePrecisionComputesTheSame) {
  const auto in = [&](DType dtype) {
    const Instance layer = row_.make(1, dtype);
    const Tensors x = inputs_of(row_, dtype);
    return pass(leaves_of(row_, layer, x), [&] { return layer.run(x); });
  };
  const Instance layer = row_.make(1, f64);
  expect_same(row_.layer, leaves_of(row_, layer, inputs_of(row_, f64)), in(f32), in(f64), 1e-5);
}

class LayerTableFiles : public LayerTable {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ =
      ::testing::TempDir() + "heed_table_" + std::to_string(::getpid()) + ".safetensors";
};

TEST_P(LayerTableFiles, SavedAndLoadedIsTheSameToTheBit) {
  for (const DType dtype : {f32, f64}) {
    const Instance saved = row_.make(1, dtype), loaded = row_.make(2, dtype);
    save_parameters(path_, saved.parameters);
    load_parameters(path_, loaded.parameters);
    ASSERT_EQ(load_safetensors(path_).size(), row_.parameters.size());
    for (size_t i = 0; i < saved.parameters.size(); ++i)
      EXPECT_EQ(raw_bytes(loaded.parameters[i].value), raw_bytes(saved.parameters[i].value))
          << saved.parameters[i].name;
    const Tensors in = inputs_of(row_, dtype);
    const Tensors a = saved.run(in), b = loaded.run(in);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].to_vector(), b[i].to_vector());
  }
}

// Each sentence alone, and all of them padded in one batch with garbage where nothing should look.
TEST_P(LayerTable, PaddingChangesNothing) {
  const Instance layer = row_.make(1, f64);
  const Leaves leaves = test::leaves_of(layer.parameters);
  const Input& input = row_.inputs[0];
  const std::vector<int64_t> lengths{3, 6, 0, 1};
  const int64_t longest = 7;
  Tensors sentences;
  for (size_t i = 0; i < lengths.size(); ++i)
    sentences.push_back(input.ids > 0 ? random_ids({lengths[i]}, input.ids, 80 + i)
                                      : noise({lengths[i], input.shape.back()}, 80 + i));
  const auto flat = [](const Sequence& s) {
    Tensors all = s.steps;
    all.insert(all.end(), s.sentences.begin(), s.sentences.end());
    return all;
  };

  std::vector<Pass> alone;
  std::vector<Numbers> summed;
  std::vector<Tensors> step_cotangents, sentence_cotangents;  // [output][sentence]
  for (size_t i = 0; i < lengths.size(); ++i) {
    const Tensor x =
        input.ids > 0 ? pad_ids({sentences[i]}, lengths[i], 0) : pad({sentences[i]}, lengths[i], 0);
    const Sequence s = layer.sequence(x, {lengths[i]});
    const Tensors c = cotangents_for(flat(s), 900 + 10 * i);
    step_cotangents.resize(s.steps.size());
    sentence_cotangents.resize(s.sentences.size());
    for (size_t k = 0; k < c.size(); ++k) {
      if (k < s.steps.size())
        step_cotangents[k].push_back(select(c[k], 0, 0));
      else
        sentence_cotangents[k - s.steps.size()].push_back(c[k]);
    }
    alone.push_back(pass(
        leaves, [&] { return flat(layer.sequence(x, {lengths[i]})); }, c));
    add_gradients(summed, alone.back().gradients);
  }

  const Tensor x =
      input.ids > 0 ? pad_ids(sentences, longest, input.ids - 1) : pad(sentences, longest, 1e30);
  Tensors c;
  for (const Tensors& k : step_cotangents) c.push_back(pad(k, longest, 0));
  for (const Tensors& k : sentence_cotangents) c.push_back(concat(k, 0));
  const Pass together = pass(
      leaves, [&] { return flat(layer.sequence(x, lengths)); }, c);

  for (size_t k = 0; k < c.size(); ++k) {
    const auto row_size = together.outputs[k].size() / lengths.size();
    for (size_t i = 0; i < lengths.size(); ++i) {
      const auto begin = together.outputs[k].begin() + static_cast<int64_t>(i * row_size);
      const auto wanted = static_cast<int64_t>(alone[i].outputs[k].size());
      expect_close("sentence " + std::to_string(i), Numbers(begin, begin + wanted),
                   alone[i].outputs[k], 1e-12);
    }
  }
  for (size_t i = 0; i < leaves.size(); ++i)
    expect_close("gradient of " + leaves[i].first, together.gradients[i], summed[i], 1e-10);
}

std::string row_name(const ::testing::TestParamInfo<size_t>& info) {
  std::string name;
  for (const char c : layer_table()[info.param].layer + " " + layer_table()[info.param].label)
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  return name;
}
INSTANTIATE_TEST_SUITE_P(Rows, LayerTable, ::testing::Range<size_t>(0, layer_table().size()),
                         row_name);
INSTANTIATE_TEST_SUITE_P(Rows, LayerTableFiles, ::testing::Range<size_t>(0, layer_table().size()),
                         row_name);

// The struct in front of every `void visit(Visitor&` in layers/*.h that is code.
std::set<std::string> layers_in_the_headers() {
  std::set<std::string> all;
  for (const auto& file : std::filesystem::directory_iterator(HEED_SOURCE_DIR "/layers")) {
    if (file.path().extension() != ".h") continue;
    std::ifstream in(file.path());
    std::string line, last;
    while (std::getline(in, line)) {
      if (line.starts_with("//")) continue;
      if (line.starts_with("struct ") || line.starts_with("class "))
        last = line.substr(line.find(' ') + 1, line.find(' ', 8) - line.find(' ') - 1);
      if (line.find("void visit(Visitor&") != std::string::npos) all.insert(last);
    }
  }
  return all;
}

TEST(LayerRegistry, EveryLayerHasARow) {
  std::set<std::string> rows{"RecurrentStack"};  // no layer by itself: in Rnn, Gru and Lstm
  for (const Row& r : layer_table()) rows.insert(r.layer);
  EXPECT_EQ(layers_in_the_headers(), rows);
}

}  // namespace
}  // namespace heed::test
