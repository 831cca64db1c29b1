// Sentences through trained models as traces: their losses, the beam search that found them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/recipe.h"
#include "examples/translate/beam.h"
#include "tests/examples/microscope_pairs.h"
#include "tests/examples/microscope_program.h"
#include "tests/examples/small_translator.h"

namespace heed::microscope {
namespace {

// A model directory as `translate train` writes it: the loss is what decoding the same sentence
// says of it, in f32 and in f64, and the trace can be made again from its recipe.
class MicroscopeModel : public ProgramFolder {};

TEST_F(MicroscopeModel, ATrainedModelsLossIsThatOfDecoding) {
  const std::vector<std::string> src{"the", "cat"}, tgt{"le", "chat"};
  for (const bool transformer : {false, true}) {
    translate::Translator model = translate::small_translator(transformer);
    translate::save_translator(path("model"), model);
    const std::vector<translate::Tokens> one{src}, other{tgt};
    const double expected = -translate::decode_forced(model, one, other)[0].log_probability;
    ModelOptions o{.directory = path("model"), .src = src, .tgt = tgt};
    for (const DType dtype : {f32, f64}) {
      o.dtype = dtype;
      const Trace t = through_a_file(record_model(o));
      EXPECT_EQ(t.meta["dtype"], std::string(name_of(dtype)));
      EXPECT_NEAR(3 * at(t, "L").value[0], expected, 1e-5);
      EXPECT_FALSE(t.views["alignment"].empty());
      expect_checked(t, "model", true);
      EXPECT_EQ(to_json(run_recipe(t.run, "t")), to_json(t));
    }
    o.src = {"the", "dog"};  // a word that it does not know
    EXPECT_EQ(record_model(o).run["src"], Json({"the", "<unk>", "</s>"}));
    EXPECT_NE(rerun(record_model(o), {"src[1]=cat"}, "t").run["src"][1], "<unk>");
  }
  EXPECT_THROW((void)record_model({.directory = path("none"), .src = src, .tgt = tgt}), FileError);
}

TEST_F(MicroscopeModel, SaysWhichWordsItDoesNotKnow) {
  translate::Translator model = translate::small_translator(false);
  translate::save_translator(path("model"), model);
  const Ran r = sh("$M trace --model model --src 'the zebra zebra' --tgt 'le lion' -o t.json");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.err,
            "--src: not in the vocabulary, read as <unk>: zebra\n"
            "--tgt: not in the vocabulary, read as <unk>: lion\n");
  EXPECT_EQ(sh("$M trace --model model --src 'the cat' --tgt le -o t.json").err, "");
}

// The search is kept as a tree; the hypothesis that is asked for is what is differentiated.
TEST_F(MicroscopeModel, KeepsABeamSearch) {
  translate::Translator model = translate::small_translator(false, 11);
  translate::save_translator(path("model"), model);
  ModelOptions o{.directory = path("model"), .src = {"the", "cat"}, .tgt = {}, .beam = 4};
  const translate::BeamSearch search = translate::beam_search(model, o.src, {.width = 4});
  ASSERT_EQ(search.hypotheses.size(), 4u);
  std::set<std::string> traced;
  for (o.hypothesis = 1; o.hypothesis <= 4; ++o.hypothesis) {
    const translate::Hypothesis& h = search.hypotheses[static_cast<size_t>(o.hypothesis - 1)];
    if (h.tokens.empty()) continue;
    const Trace t = through_a_file(record_model(o));
    EXPECT_EQ(faults(t), std::vector<std::string>{});
    const Json beam = t.views.at("beam");
    ASSERT_EQ(beam.size(), search.tree.size());
    const Json& last = beam[static_cast<size_t>(h.node)];
    EXPECT_EQ(last["rank"], o.hypothesis);
    EXPECT_NEAR(number_from(last["logp"]), h.log_probability, 1e-12);
    traced.insert(t.run["tgt"].dump());
    const bool special = std::any_of(h.tokens.begin(), h.tokens.end(),
                                     [](const std::string& w) { return w.front() == '<'; });
    if (special) continue;  // read as <unk>
    int marked = 0;
    for (const Json& node : beam) marked += node.contains("tensor");
    EXPECT_EQ(marked, std::ssize(h.tokens) + !h.cut);
    EXPECT_EQ(last["tensor"], t.find("L_t"));
    const auto length = static_cast<double>(h.tokens.size() + 1);
    const double loss = h.cut ? -h.log_probability : length * at(t, "L").value[0];
    EXPECT_NEAR(loss, -h.log_probability, 1e-5);
    EXPECT_EQ(to_json(run_recipe(t.run, "t")), to_json(t));
  }
  EXPECT_GE(traced.size(), 2u) << "hypotheses differ";
  o.hypothesis = 5;
  EXPECT_THROW((void)record_model(o), std::invalid_argument);
}

TEST_F(MicroscopeModel, ABeamThatIsNoTreeIsRefused) {
  translate::Translator model = translate::small_translator(false, 11);
  translate::save_translator(path("model"), model);
  const Trace good =
      record_model({.directory = path("model"), .src = {"the"}, .tgt = {"le"}, .beam = 2});
  EXPECT_EQ(faults(good), std::vector<std::string>{});
  const auto spoiled = [&](size_t node, const char* key, const Json& value) {
    Trace t = good;
    t.views["beam"][node][key] = value;
    return faults(t);
  };
  EXPECT_NE(spoiled(1, "parent", 1), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "parent", 1), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "id", 3), std::vector<std::string>{});
  EXPECT_NE(spoiled(0, "tensor", 100000), std::vector<std::string>{});
  Trace t = good;
  t.views["beam"][0]["logp"] = "<script>";
  EXPECT_THROW((void)through_a_file(t), FileError);
}

}  // namespace
}  // namespace heed::microscope
