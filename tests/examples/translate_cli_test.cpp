// The program as its users meet it: what it prints, where, and what it leaves behind.
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "examples/console/utf8.h"
#include "examples/translate/data.h"
#include "examples/translate/tasks.h"
#include "tests/examples/translate_program.h"

namespace heed::translate {
namespace {

namespace fs = std::filesystem;

TEST_F(TranslateProgram, SaysItsVersionAndFitsItsHelpIn80Columns) {
  const Ran version = sh("$T --version");
  EXPECT_EQ(version.code, 0);
  for (const char* part : {"translate", "BLAS", "core type", "threads"})
    EXPECT_NE(version.out.find(part), std::string::npos) << part << " in " << version.out;
  for (const char* command :
       {"", "train", "translate", "evaluate", "align", "attention", "corpus", "mechanisms"}) {
    const Ran help = sh(std::string("$T ") + command + " --help");
    EXPECT_EQ(help.code, 0);
    EXPECT_GT(help.out.size(), 200u);
    for (const std::string& line : lines_of(help.out)) EXPECT_LE(display_width(line), 80) << line;
  }
}

TEST_F(TranslateProgram, PrintsOneJsonObjectAndNothingElse) {
  for (const char* command : {"train $SMALL --data pairs.tsv --threads 1 -o new",
                              "evaluate --model model --data pairs.tsv"}) {
    const Ran r = sh("SMALL='" + kSmall + "'; $T " + command + " --json");
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(lines_of(r.out).size(), 1u) << r.out;
    EXPECT_NE(r.err.find("seed 1"), std::string::npos) << r.err;
    const auto j = last_json(r.out);
    for (const char* key : {"task", "seed", "threads", "seconds", "epochs", "parameters", "loss",
                            "perplexity", "exact_match", "bleu", "aer"})
      EXPECT_TRUE(j.contains(key)) << key;
    EXPECT_TRUE(j["aer"].is_null());
    EXPECT_EQ(j["task"], "pairs.tsv");
    EXPECT_EQ(j["epochs"], 2);
    EXPECT_NEAR(j["perplexity"], std::exp(j["loss"].get<double>()), 1e-9);
  }
}

TEST_F(TranslateProgram, ATrainingLeavesOneWholeDirectory) {
  const auto model = contents(path("model"));
  std::set<std::string> names;
  for (const auto& [name, bytes] : model) names.insert(name);
  const std::set<std::string> expected{"config.json", "log.jsonl", "source.vocab", "target.vocab",
                                       "weights.safetensors"};
  EXPECT_TRUE(std::ranges::includes(names, expected));
  for (const std::string& name : names) EXPECT_EQ(name.find(".part"), name.npos) << name;
  EXPECT_EQ(lines_of(model.at("log.jsonl")).size(), 2u) << "one line an epoch";
  EXPECT_EQ(lines_of(model.at("attention.jsonl")).size(), 1u) << "of the one test sentence";
}

TEST_F(TranslateProgram, TranslatesLineByLine) {
  std::string longest;
  for (int i = 0; i < 20; ++i) longest += "the old man eats ";
  write("stdin.txt",
        "\xEF\xBB\xBFthe cat eats\r\n\n \t \nzzz 漢字 \u2028 عربى\n" + longest + "\nthe cat eats");
  const Ran r = sh("$T translate --model model");
  ASSERT_EQ(r.code, 0) << r.err;
  const auto lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 6u) << r.out;
  EXPECT_FALSE(lines[0].empty());
  EXPECT_EQ(lines[0], lines[5]) << "byte order mark, carriage return, missing line end";
  EXPECT_EQ(lines[1] + lines[2], "");
  EXPECT_EQ(r.err,
            "standard input:4: not in the vocabulary, read as <unk>: zzz, 漢字, \uFFFD, عربى\n");

  const Ran json = sh("$T translate --model model --json");
  ASSERT_EQ(json.code, 0) << json.err;
  const auto objects = lines_of(json.out);
  ASSERT_EQ(objects.size(), 6u);
  for (size_t i = 0; i < objects.size(); ++i)
    EXPECT_EQ(last_json(objects[i] + "\n")["translation"], lines[i]);
  EXPECT_EQ(last_json(objects[0] + "\n")["source"], "the cat eats");
  EXPECT_EQ(last_json(objects[3] + "\n")["source"], "zzz 漢字 \u2028 عربى");
}

TEST_F(TranslateProgram, SaysWhichWordsItDoesNotKnow) {
  write("stdin.txt", "the zebra sleeps\nthe cat eats\na zebra and a lion\n");
  const Ran r = sh("$T translate -m model");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(lines_of(r.out).size(), 3u) << r.out;
  EXPECT_EQ(r.err,
            "standard input:1: not in the vocabulary, read as <unk>: zebra\n"
            "standard input:3: not in the vocabulary, read as <unk>: and, lion\n");
  std::string many;
  for (int i = 0; i < 30; ++i) many += fmt::format("w{} ", i);
  write("stdin.txt", many + "\nnew\n");
  const Ran flood = sh("$T translate -m model");
  EXPECT_EQ(lines_of(flood.err).size(), 2u) << flood.err;
  EXPECT_NE(flood.err.find("w18, w19\nstandard input:1: further unknown words are not named\n"),
            std::string::npos)
      << flood.err;
  const Ran shown = sh("$T attention -m model --sentence 'the lion' --target 'le lion' --json");
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_EQ(shown.err,
            "--sentence: not in the vocabulary, read as <unk>: lion\n"
            "--target: not in the vocabulary, read as <unk>: lion\n");
}

TEST_F(TranslateProgram, SameSeedSameBytes) {
  for (const char* threads : {"1", "2"}) {
    const std::string options =
        "--dropout 0.2 --forcing 0.5 --tied --readout 8 --threads " + std::string(threads);
    ASSERT_EQ(train(options + " -o a").code, 0);
    ASSERT_EQ(train(options + " -o b").code, 0);
    ASSERT_EQ(train(options + " --seed 2 -o c").code, 0);
    EXPECT_EQ(contents(path("a")), contents(path("b"))) << threads << " threads";
    EXPECT_EQ(sh("$T translate --model a").code, 0) << "a tied model loads";
    EXPECT_NE(contents(path("a"))["weights.safetensors"],
              contents(path("c"))["weights.safetensors"]);
  }
}

TEST_F(TranslateProgram, AModelDirectoryIsAllThatTranslationNeeds) {
  write("stdin.txt", "the cat eats\nmy aunt is here today\n");
  const Ran before = sh("$T translate --model model");
  fs::create_directory(path("elsewhere"));
  fs::rename(path("model"), path("elsewhere/moved"));
  for (const char* not_needed : {"log.jsonl", "attention.html", "attention.jsonl"})
    fs::remove(path("elsewhere/moved/") + not_needed);
  fs::remove(path("pairs.tsv"));
  const Ran after = sh("$T translate --model elsewhere/moved/");
  EXPECT_EQ(after.code, 0) << after.err;
  EXPECT_EQ(before.out, after.out);
}

TEST_F(TranslateProgram, ShowsAttentionAsMapPageAndJson) {
  const std::string show = "$T attention --model model --sentence 'the old man eats today' ";
  const Ran json = sh(show + "--json -o a.html");
  ASSERT_EQ(json.code, 0) << json.err;
  const auto j = last_json(json.out);
  EXPECT_EQ(j["source"], (std::vector<std::string>{"the", "old", "man", "eats", "today", "</s>"}));
  ASSERT_EQ(j["weights"].size(), j["target"].size());
  for (const auto& row : j["weights"]) {
    double sum = 0;
    for (const double weight : row) sum += weight;
    EXPECT_NEAR(sum, 1, 1e-6);
  }
  const std::string page = read_file(path("a.html"));
  EXPECT_NE(page.find("<svg"), page.npos);
  size_t addresses = 0, names = 0;
  for (size_t at = 0; (at = page.find("://", at)) != page.npos; ++at) ++addresses;
  for (size_t at = 0; (at = page.find("xmlns=\"http", at)) != page.npos; ++at) ++names;
  EXPECT_EQ(addresses, names) << "something is fetched from elsewhere";

  for (const char* columns : {"40", "100"}) {
    const Ran map = sh("COLUMNS=" + std::string(columns) + " " + show);
    for (const std::string& line : lines_of(map.out))
      EXPECT_LE(display_width(line), std::atoi(columns)) << line;
    EXPECT_EQ(map.out.find('\x1b'), map.out.npos) << "colours in a pipe";
  }
  EXPECT_EQ(last_json(sh(show + "--json --target 'le chat'").out)["target"],
            (std::vector<std::string>{"le", "chat", "</s>"}));
}

// `script` (in Debian's base system) gives the program a terminal.
TEST_F(TranslateProgram, OnATerminalThereAreColoursUnlessNoColor) {
  if (sh("script -qec true /dev/null").code != 0)
    GTEST_SKIP() << "needs the program script, and a pseudo-terminal for it";
  const auto on_terminal = [&](const std::string& setting, const std::string& command) {
    return sh("export TERM=xterm; unset COLUMNS NO_COLOR; " + setting + " script -qec \"" +
              command + "\" /dev/null")
        .out;
  };
  const std::string show = "$T attention --model model --sentence 'the old man'";
  EXPECT_NE(on_terminal("", show).find("\x1b["), std::string::npos);
  EXPECT_EQ(on_terminal("NO_COLOR=1", show).find("\x1b["), std::string::npos);
  const std::string training = "$T train " + kSmall + " --data pairs.tsv -o new";
  EXPECT_NE(on_terminal("", training).find("\r\x1b[K"), std::string::npos) << "no progress line";
  EXPECT_EQ(train("-o new").out.find('\r'), std::string::npos) << "a progress line in a pipe";
}

TEST_F(TranslateProgram, TheToyLanguageIsTrainedEvaluatedAlignedAndWritten) {
  const Ran trained = sh("$T train --task micro-en-fr --size 300 --seed 5 " + kSmall +
                         " --epochs 1 --batch-tokens 1000 --swap -o micro --json");
  EXPECT_EQ(trained.code, 1) << "an untrained model misses the goals: " << trained.err;
  const auto figures = last_json(trained.out);
  EXPECT_GT(figures["aer"], 0.0);
  EXPECT_EQ(figures["goals_met"], false);

  // The model knows its task, seed, size and direction.
  const auto again = last_json(sh("$T evaluate --model micro --json").out);
  for (const char* key : {"task", "seed", "loss", "exact_match", "bleu", "aer", "by_tag"})
    EXPECT_EQ(again[key], figures[key]) << key;
  const auto length = last_json(sh("$T evaluate --model micro --set length --json").out);
  EXPECT_EQ(length["set"], "length");
  const Ran combo = sh("$T evaluate --model micro --set combo --show 2");
  EXPECT_EQ(combo.code, 0) << "goals are for the test set: " << combo.out;

  const TaskOptions options{.train = 300, .seed = 5, .swap_sides = true};
  const Dataset data = make_task("micro-en-fr", options);
  const Ran aligned = sh("$T align --model micro");
  const auto lines = lines_of(aligned.out);
  ASSERT_EQ(lines.size(), data.test.size());
  for (size_t i = 0; i < lines.size(); ++i)
    for (const std::string& link : tokenise(lines[i], Tokeniser::whitespace)) {
      int source = -1, target = -1;
      ASSERT_EQ(std::sscanf(link.c_str(), "%d-%d", &source, &target), 2) << link;
      EXPECT_LT(static_cast<size_t>(source), data.test[i].src.size());
      EXPECT_LT(static_cast<size_t>(target), data.test[i].tgt.size());
    }

  const Ran written =
      sh("$T corpus --task micro-en-fr --size 300 --seed 5 --swap -o corpus/of/mine");
  ASSERT_EQ(written.code, 0) << written.err;
  for (const auto& [name, pairs] : {std::pair{"train", &data.train},
                                    {"dev", &data.dev},
                                    {"test", &data.test},
                                    {"combo", &data.extra[0].second}}) {
    const Data read = read_tsv(path("corpus/of/mine/") + name + ".tsv", {});
    ASSERT_EQ(read.examples.size(), pairs->size()) << name;
    for (size_t i = 0; i < pairs->size(); ++i) {
      EXPECT_EQ(format_tsv(read.examples[i]), format_tsv((*pairs)[i]));
      EXPECT_EQ(read.examples[i].tag_tokens, (*pairs)[i].tag_tokens);
    }
  }
  const auto file =
      last_json(sh("$T evaluate --model micro --data corpus/of/mine/test.tsv --json").out);
  EXPECT_EQ(file["aer"], figures["aer"]);
  EXPECT_EQ(file["bleu"], figures["bleu"]);
}

}  // namespace
}  // namespace heed::translate
