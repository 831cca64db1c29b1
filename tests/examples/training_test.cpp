// The training loop: which epoch's weights stay.
#include "examples/translate/training.h"

#include <gtest/gtest.h>

#include "tests/examples/small_translator.h"

namespace heed::translate {
namespace {

std::vector<std::vector<double>> weights_of(Translator& t) {
  std::vector<std::vector<double>> all;
  for (const auto& p : parameters(t.network)) all.push_back(p.value.to_vector());
  return all;
}

// Validation contradicts training, so that its loss rises once the words have been learned.
TEST(Training, KeepsTheBestWeightsOrTheLast) {
  const std::vector<Example> pairs(8, Example{.src = {"the", "cat"}, .tgt = {"le", "chat"}});
  const std::vector<Example> contrary{{.src = {"the", "cat"}, .tgt = {"chat", "le"}}};
  for (const bool transformer : {false, true})
    for (const std::string keep : {"best", "last"}) {
      SCOPED_TRACE(keep);
      Translator t = small_translator(transformer);
      std::vector<std::vector<std::vector<double>>> after;  // each epoch
      TrainingWatcher watcher;
      watcher.epoch = [&](const EpochReport&) { after.push_back(weights_of(t)); };
      const auto reports = train(
          t, pairs, contrary, {.epochs = 8, .batch_tokens = 6, .rate = 0.1, .keep = keep}, watcher);
      ASSERT_EQ(reports.size(), 8u);
      ASSERT_FALSE(reports[7].best);
      size_t kept = 0, best = 0;
      for (size_t i = 0; i < reports.size(); ++i) {
        if (reports[i].kept) kept = i;
        if (reports[i].best) best = i;
      }
      EXPECT_EQ(kept, keep == "best" ? best : 7u);
      EXPECT_EQ(weights_of(t), after[kept]);
      EXPECT_NE(after[best], after[7]);
    }
}

}  // namespace
}  // namespace heed::translate
