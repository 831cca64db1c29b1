// Every kind of network through the program: trained, saved, loaded and used again; options that
// exclude each other; the table of mechanisms.
#include "examples/translate/decode.h"
#include "examples/translate/mechanisms.h"
#include "tests/examples/translate_program.h"

namespace heed::translate {
namespace {

TEST_F(TranslateProgram, TrainsAndUsesEveryKindOfNetwork) {
  const std::string rnn = kSmall, transformer =
                                      "--model transformer --width 8 --heads 2 --feed-forward 8 "
                                      "--epochs 2 --batch-tokens 60";
  for (const std::string& options :
       {rnn + " --cell lstm --layers 2 --residual --score general",
        rnn + " --cell tanh --unidirectional --bridge zero --score location",
        rnn + " --decoder luong --input-feeding --score concat --window local_p --reach 2",
        rnn + " --decoder luong --window local_m --tied --readout 8 --score none --window global",
        rnn + " --hard reinforce --soft-epochs 1", rnn + " --hard gumbel --temperature 2",
        rnn + " --forcing 0.5 --forcing-schedule linear", transformer,
        transformer + " --pre-norm --tied --learned-positions 40"}) {
    const std::string model = "kind";
    const Ran trained = sh("$T train --data pairs.tsv --threads 2 -o " + model + " " + options);
    ASSERT_EQ(trained.code, 0) << options << "\n" << trained.err;
    write("stdin.txt", "the cat sleeps\n\na dog eats today\n");
    const Ran used = sh("$T translate --model " + model);
    ASSERT_EQ(used.code, 0) << options << "\n" << used.err;
    EXPECT_EQ(lines_of(used.out).size(), 3u) << options;
    const Ran measured = sh("$T evaluate --model " + model + " --data pairs.tsv --json");
    ASSERT_EQ(measured.code, 0) << options << "\n" << measured.err;
    EXPECT_GT(last_json(measured.out)["parameters"], 100) << options;
    write("stdin.txt", "");
  }
}

TEST_F(TranslateProgram, TheOutputIsTiedUnlessAReadoutIsAskedFor) {
  const auto model_of = [&](const std::string& options) {
    const Ran r = sh("$T train --data pairs.tsv --epochs 1 -o sizes " + options);
    const size_t at = r.out.find("model: ");
    return at == std::string::npos ? r.err : r.out.substr(at, r.out.find('\n', at) - at);
  };
  EXPECT_NE(model_of("").find(", tied readout of 128,"), std::string::npos);
  EXPECT_NE(model_of("--embedding 8").find(", tied readout of 8,"), std::string::npos);
  EXPECT_NE(model_of("--readout 8").find(", readout of 8,"), std::string::npos);
  EXPECT_NE(model_of("--readout 8 --embedding 8 --tied").find(", tied readout of 8,"),
            std::string::npos);
  EXPECT_EQ(model_of("--readout 0").find("readout"), std::string::npos);
}

TEST_F(TranslateProgram, SameSeedSameBytesForHardAttentionToo) {
  const std::string options = "--hard straight_through --threads 2 -o ";
  ASSERT_EQ(train(options + "one").code, 0);
  ASSERT_EQ(train(options + "two").code, 0);
  EXPECT_EQ(contents(path("one")).at("weights.safetensors"),
            contents(path("two")).at("weights.safetensors"));
}

TEST_F(TranslateProgram, SaysWhyOptionsExcludeEachOther) {
  const auto refused = [&](const std::string& options, const std::string& reason) {
    const Ran r = sh("$T train --data pairs.tsv -o new " + options);
    EXPECT_EQ(r.code, 2) << options;
    EXPECT_NE(r.err.find(reason), std::string::npos) << options << "\n" << r.err;
    EXPECT_FALSE(std::filesystem::exists(path("new"))) << options;
  };
  refused("--model transformer --cell lstm",
          "--cell is an option of --model rnn only, and the model is transformer");
  refused("--heads 2", "--heads is an option of --model transformer only, and the model is rnn");
  refused("--model transformer --heads 3", "heads that divides the size 128, got 3");
  refused("--model transformer --width 7 --heads 7", "even");
  refused("--model transformer --forcing 0.5", "all target steps at once");
  refused("--input-feeding", "input feeding is for the luong decoder");
  refused("--score none --hard gumbel", "nothing for --window or --hard");
  refused("--soft-epochs 2", "expected --hard");
  refused("--soft-epochs 2 --epochs 2 --hard gumbel", "fewer than the 2 epochs, got 2");
  refused("--reach 3", "choose one with --window");
  refused("--window local_p --hard gumbel", "do not go together");
  refused("--score dot --decoder-hidden 30", "needs queries and keys of one size");
  refused("--bridge last --layers 2 --decoder-hidden 30", "the last bridge copies states");
  refused("--tied --readout 64", "a tied output needs a readout");
  refused("--forcing 0 --forcing-schedule exponential", "expected a ratio in (0, 1]");
}

TEST_F(TranslateProgram, TheTableOfMechanismsGrowsRowByRow) {
  const std::string run = "$T mechanisms --quick --size 60 --threads 1 --tasks copy -o table ";
  const Ran r = sh(run + "--only transformer,none --json");
  ASSERT_EQ(r.code, 0) << r.err;
  const auto results = last_json(r.out)["results"];
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["mechanism"], "transformer");
  EXPECT_FALSE(results[0]["aer_layer"].is_null());
  EXPECT_TRUE(results[1]["aer"].is_null());
  const std::string table = read_file(path("table/mechanisms.md"));
  for (const char* row : {"| transformer |", "| none |"})
    EXPECT_NE(table.find(row), std::string::npos) << table;
  // Without --quick earlier rows stay. (None has no bar to miss.)
  const Ran more =
      sh("$T mechanisms --size 20 --epochs 1 --threads 1 --tasks copy --only none -o table --json");
  EXPECT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(last_json(more.out)["results"].size(), 2u);
  EXPECT_EQ(sh("$T mechanisms --only nosuch -o t2").code, 2);
  auto odd = results;
  odd[0]["parameters"] = 1e308;
  for (const std::string& foreign : {std::string("{\"a\": 1}"), odd.dump()}) {
    write("table/mechanisms.json", foreign);
    const Ran refused = sh("$T mechanisms --only dot -o table");
    EXPECT_EQ(refused.code, 3) << refused.out;
    EXPECT_NE(refused.err.find("expected the results of translate mechanisms"), std::string::npos);
    EXPECT_EQ(read_file(path("table/mechanisms.json")), foreign);
  }
}

TEST(Mechanisms, TheTableMarksWhatMissesItsBar) {
  nlohmann::ordered_json row{{"mechanism", "dot"},  {"task", "copy"}, {"exact_match", 0.5},
                             {"bleu", 60.0},        {"aer", nullptr}, {"cpu_seconds", 3.0},
                             {"parameters", 12345}, {"met", true}};
  EXPECT_EQ(mechanisms_table({row}).find("misses"), std::string::npos);
  EXPECT_NE(mechanisms_table({row}).find("| 12345 | 50.0 / 60.0 / 3 |"), std::string::npos)
      << mechanisms_table({row});
  row["met"] = false;
  EXPECT_NE(mechanisms_table({row}).find("| 50.0 / 60.0 / 3 * |"), std::string::npos);
  EXPECT_NE(mechanisms_table({row}).find("misses its bar"), std::string::npos);
}

TEST(Mechanisms, NameEveryScoreWindowAndTrainedHardKind) {
  std::set<std::string> names;
  for (const Mechanism& m : mechanisms()) EXPECT_TRUE(names.insert(m.name).second) << m.name;
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general,
                        Score::concat, Score::cosine, Score::location})
    EXPECT_TRUE(names.contains(std::string(name_of(s)))) << name_of(s);
  for (const Window w : {Window::local_m, Window::local_p})
    EXPECT_TRUE(names.contains(std::string(name_of(w)))) << name_of(w);
  for (const Hard h : {Hard::reinforce, Hard::straight_through, Hard::gumbel})
    EXPECT_TRUE(names.contains(std::string(name_of(h)))) << name_of(h);
}

}  // namespace
}  // namespace heed::translate
