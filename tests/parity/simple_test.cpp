// nn.LayerNorm, nn.Embedding and F.cross_entropy: ignored targets (-100, or 0 where smoothed),
// label smoothing, every reduction.
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "tests/parity/parity.h"

namespace heed::test {
namespace {

class SimpleParity : public Parity {};
INSTANTIATE_TEST_SUITE_P(, SimpleParity, kPrecisions, precision_name);

struct NoParameters {
  void visit(Visitor&) {}
};

TEST_P(SimpleParity, LayerNorm) {
  expect_parity("layer_norm", GetParam(), LayerNorm({.size = 6}),
                [](const LayerNorm& f, const TensorMap& in) -> TensorMap {
                  return {{"y", f(in.at("x"))}};
                });
}

TEST_P(SimpleParity, Embedding) {
  Rng rng(1);
  expect_parity("embedding", GetParam(), Embedding({.count = 7, .size = 4}, rng),
                [](const Embedding& f, const TensorMap& in) -> TensorMap {
                  return {{"y", f(in.at("ids"))}};
                });
}

TEST_P(SimpleParity, CrossEntropy) {
  const std::map<std::string, Reduction> reductions{
      {"mean", Reduction::mean}, {"sum", Reduction::sum}, {"none", Reduction::per_token}};
  const std::map<std::string, CrossEntropyOptions> kinds{
      {"", {.ignore = -100}}, {"_smoothed", {.ignore = 0, .label_smoothing = 0.125}}};
  for (const auto& [reduction_name, reduction] : reductions)
    for (const auto& [kind_name, kind] : kinds) {
      CrossEntropyOptions o = kind;
      o.reduction = reduction;
      expect_parity("cross_entropy_" + reduction_name + kind_name, GetParam(), NoParameters{},
                    [&](const NoParameters&, const TensorMap& in) -> TensorMap {
                      return {{"loss", cross_entropy(in.at("logits"), in.at("targets"), o)}};
                    });
    }
}

}  // namespace
}  // namespace heed::test
