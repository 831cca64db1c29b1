// The program under bad input: a sentence that says what to do, the right exit code, and nothing
// half-written left behind.
#include "tests/examples/translate_program.h"

namespace heed::translate {
namespace {

namespace fs = std::filesystem;

class TranslateErrors : public TranslateProgram {
 protected:
  // Runs what must fail, and holds its complaint to the rules for complaints.
  void expect_failure(const std::string& command, int code, const std::string& part) const {
    SCOPED_TRACE(command);
    const Ran r = sh(command);
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_NE(r.err.find(part), std::string::npos) << r.err;
    EXPECT_LE(lines_of(r.err).size(), 9u) << r.err;
    for (const char* jargon : {"std::", "what()", "exception", "basic_string", "terminate"})
      EXPECT_EQ(r.err.find(jargon), std::string::npos) << r.err;
    EXPECT_FALSE(fs::exists(path("new"))) << "left behind";
  }
  void training_fails(const std::string& options, int code, const std::string& part) const {
    expect_failure("$T train " + kSmall + " " + options + " -o new/folder", code, part);
  }
};

TEST_F(TranslateErrors, UsageIsExplained) {
  expect_failure("$T", 2, "expected a command (train, ");
  expect_failure("$T frobnicate -o new", 2, "), got 'frobnicate'");
  expect_failure("$T --frobnicate", 2, "not expected: --frobnicate; --help lists what is");
  expect_failure("$T translate", 2, "--model is required");
  expect_failure("$T attention --model model", 2, "--sentence is required");
  expect_failure("$T attention --model model --sentence ' '", 2, "expected a sentence");
  expect_failure("$T corpus", 2, "expected --task NAME");
  expect_failure("$T corpus --task foo -o new", 2, "the tasks are micro-en-fr, copy");
  expect_failure("$T evaluate --model model", 2, "--data FILE.tsv");
  expect_failure("$T evaluate --model model --data pairs.tsv --set x", 2, "train, dev, test");
  expect_failure("$T align --model model --data pairs.tsv --offset 2", 2, "from 0 to 1, got '2'");
  training_fails("", 2, "expected one source of data, got 0");
  training_fails("--task copy --data pairs.tsv", 2, "expected one source of data, got 2");
  training_fails("--task foo", 2, "the tasks are micro-en-fr, copy");
  training_fails("--data pairs.tsv --frobnicate 1", 2, "not expected: --frobnicate 1;");
  training_fails("--train-src a", 2, "expected --train-src with --train-tgt");
  training_fails("--train-src a --train-tgt b", 2, "need --valid-src and --valid-tgt");
  training_fails("--data pairs.tsv --size 9", 2, "--size");
  training_fails("--task copy --lowercase", 2, "--lowercase");
  training_fails("--data pairs.tsv --src-tokens bpe", 2, "whitespace or char, got \"bpe\"");
  training_fails("--data pairs.tsv --score best", 2, "additive");
}

TEST_F(TranslateErrors, ImpossibleSizesAreRefused) {
  for (const char* option : {"--embedding", "--encoder-hidden", "--decoder-hidden", "--readout",
                             "--epochs", "--batch-tokens", "--threads", "--min-count", "--dropout",
                             "--max-vocabulary", "--max-length", "--seed", "--rate"})
    for (const char* size : {"-1", "1e12x", "1e40", "nan", "''"})
      training_fails(std::string("--data pairs.tsv ") + option + " " + size, 2, option);
  for (const char* option : {"--embedding", "--decoder-hidden", "--threads", "--batch-tokens"})
    for (const char* size : {"0", "1000000000000"})
      training_fails(std::string("--data pairs.tsv ") + option + " " + size, 2,
                     std::string("expected a number from 1 to"));
  training_fails("--task copy --size 1000000000000", 2, "from 0 to 5000000");
  training_fails("--data pairs.tsv --max-vocabulary 2", 2, "expected a size above 4");
  training_fails("--data pairs.tsv --tied --readout 4", 2, "a tied output needs a readout");
}

TEST_F(TranslateErrors, FilesThatDoNotFitAreNamed) {
  write("two", "a b\nc d\n");
  write("three", "a\nb\nc\n");
  write("one.tsv", "a\tb\n");
  write("no_tab.tsv", "a\tb\nc d\n");
  write("bad.tsv", "a\tb\nc\td\xFF\n");
  write("empty.tsv", "");
  write("blank.tsv", "\n\n \n");
  const std::string valid = " --valid-src two --valid-tgt two";
  training_fails("--train-src two --train-tgt three" + valid, 3,
                 "two: has 2 lines and three has 3");
  training_fails("--train-src two --train-tgt none" + valid, 3, "none: ");
  training_fails("--data none.tsv", 3, "none.tsv: ");
  training_fails("--data model", 3, "model: expected a file, got a folder");
  training_fails("--data /dev/zero", 3, "got a device");
  training_fails("--data one.tsv", 2, "at least 3 different source sentences");
  training_fails("--data no_tab.tsv", 3, "no_tab.tsv:2:4: expected source TAB target");
  training_fails("--data bad.tsv", 3, "bad.tsv:2:4: ");
  training_fails("--data empty.tsv", 3, "empty.tsv: no sentence pair is left");
  training_fails("--data blank.tsv", 3, "blank.tsv: no sentence pair is left");
  training_fails("--data pairs.tsv --max-length 1", 3, "pairs.tsv: no sentence pair is left");
  write("stdin.txt", "good\nb\xC3\n");
  const Ran r = sh("$T translate --model model");
  EXPECT_EQ(r.code, 3);
  EXPECT_EQ(lines_of(r.out).size(), 1u) << "the good line comes first";
  EXPECT_NE(r.err.find("standard input:2:2: expected UTF-8"), r.err.npos) << r.err;
  expect_failure("$T translate --model model < model", 3, "standard input");
  expect_failure("$T attention --model model --sentence $(printf '\\377')", 3, "UTF-8");
}

TEST_F(TranslateErrors, OddTextIsReadAndCounted) {
  std::string odd = "\xEF\xBB\xBFone\tun\r\ntwo\u2028lines\tdeux\u2028lignes\r\n\r\n\tx\r\ny\t\r\n";
  for (const char* word : {"three\ttrois", "four\tquatre", "five\tcinq", "six\tsix"})
    odd += std::string(word) + "\r\n";
  write("odd.tsv", odd);
  const Ran r = sh("$T train " + kSmall + " --data odd.tsv -o new");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("read 9, kept 6, dropped 3 (1 blank line, first at line 3; 1 empty source, "
                       "first at line 4; 1 empty target, first at line 5)"),
            r.out.npos)
      << r.out;
  EXPECT_EQ(read_file(path("new/source.vocab")).find('\r'), std::string::npos);
  EXPECT_EQ(read_file(path("new/source.vocab")).find("\xEF\xBB\xBF"), std::string::npos);
}

TEST_F(TranslateErrors, AFileNameNeedNotBeUtf8) {
  const Ran r = sh("mv pairs.tsv p$(printf '\\377').tsv && $T train " + kSmall +
                   " --data p*.tsv -o new --json && echo the cat | $T translate --model new");
  EXPECT_EQ(r.code, 0) << r.err;
}

TEST_F(TranslateErrors, ModelDirectoriesAreChecked) {
  const auto broken = [&](const std::string& edit, const std::string& part) {
    fs::remove_all(path("bad"));
    fs::copy(path("model"), path("bad"));
    ASSERT_EQ(sh("cd bad && " + edit).code, 0) << edit;
    SCOPED_TRACE(edit);
    expect_failure("$T translate --model bad", 3, part);
  };
  expect_failure("$T translate --model none", 3, "none: expected a model directory");
  expect_failure("$T translate --model pairs.tsv", 3, "expected a model directory");
  broken("rm *", "there is no config.json in it");
  broken("echo x > config.json", "expected a JSON object");
  broken("echo [] > config.json", "expected a JSON object");
  broken("echo {} > config.json", "expected format heed-translate/2, got \"none\"");
  broken("sed -i s:translate/2:translate/9: config.json", "got \"heed-translate/9\"");
  broken("sed -i '/\"format\"/s/: .*,/: 5,/' config.json", "got 5;");
  broken("sed -i /embedding/d config.json", "a setting is missing or of the wrong kind");
  broken("sed -i '/\"about\"/,/}/s/\"seed\": 1/\"seed\": \"x\"/' config.json",
         "config.json: expected a whole number from 0 for seed, got \"x\"");
  for (const char* size : {"embedding", "encoder_hidden", "decoder_hidden", "readout"})
    broken("sed -i 's/\"" + std::string(size) + "\": [0-9]*/\"" + size +
               "\": 100000000000/' config.json",
           "larger network than the weights");
  for (const char* number : {"1e308", "0.5", "-1e19", "18446744073709551615", "true", "\"8\""})
    for (const char* key : {"embedding", "longest", "size"})
      broken("sed -i 's/\"" + std::string(key) + "\": [0-9]*/\"" + key + "\": " + number +
                 "/' config.json",
             "config.json: expected a whole number for " + std::string(key) + ", got ");
  broken("sed -i 's/\"seed\": [0-9]*/\"seed\": 0.5/' config.json", "for seed, got 0.5");
  broken("sed -i 's/\"embedding\": 8/\"embedding\": -8/' config.json", "sizes of 1 or more");
  broken("sed -i 's/\"attention_width\": 0/\"attention_width\": 4/' config.json",
         "weights.safetensors");
  broken("sed -i 's/additive/best/' config.json", "unknown score 'best'");
  broken("echo extra >> source.vocab", "vocabularies of");
  broken("rm target.vocab", "target.vocab: ");
  broken("rm weights.safetensors", "weights.safetensors: ");
  broken("truncate -s -1 weights.safetensors", "weights.safetensors: ");
  broken("truncate -s 0 weights.safetensors", "larger network than the weights");
  broken("rm config.json && mkdir config.json", "config.json: expected a file, got a folder");
}

TEST_F(TranslateErrors, UnwritableOutputIsSaidBeforeTheWork) {
  write("file", "in the way");
  expect_failure("$T train --data pairs.tsv -o file", 3, "file: ");
  expect_failure("$T train --data pairs.tsv -o file/new", 3, "file/new: ");
  expect_failure("$T corpus --task copy -o file", 3, "file: ");
  expect_failure("$T train --data pairs.tsv -o new/" + std::string(300, 'x'), 3, "too long");
  expect_failure("$T attention --model model --sentence a -o none/a.html > /dev/null", 3,
                 "none/a.html: ");
  for (const char* command :
       {"translate --model model", "evaluate --model model --data pairs.tsv --json",
        "corpus --list", "corpus --task copy", "attention --model model --sentence a"}) {
    write("stdin.txt", "a\nb\n");
    const Ran r = sh(std::string("$T ") + command + " > /dev/full");
    EXPECT_EQ(r.code, 3) << command;
    EXPECT_NE(r.err.find("standard output"), r.err.npos) << r.err;
  }
  EXPECT_EQ(read_file(path("file")), "in the way");
}

TEST_F(TranslateErrors, AClosedPipeEndsItQuietly) {
  const Ran r = sh("yes the cat | $T translate --model model | head -n 2");
  EXPECT_EQ(lines_of(r.out).size(), 2u);
  EXPECT_EQ(r.err, "");
}

TEST_F(TranslateErrors, ADivergedTrainingNamesTheRemedyAndTheOp) {
  training_fails("--data pairs.tsv --rate 1e30", 1, "A smaller --rate helps; --check-numerics");
  training_fails("--data pairs.tsv --rate 1e30 --check-numerics", 1, "forward of linear made");
}

TEST_F(TranslateErrors, AFailedTrainingLeavesTheModelBeforeIt) {
  const auto before = contents(path("model"));
  write("bad.tsv", "a\tb\nc\td\xFF\n");
  const std::string small = "$T train " + kSmall + " -o model --data ";
  // The last one: a full disk, when the weights (of more than 8 KiB) are written.
  for (const std::string& command :
       {small + "bad.tsv", small + "pairs.tsv --rate 1e30",
        "trap '' XFSZ; ulimit -f 8; " + small + "pairs.tsv --decoder-hidden 64"}) {
    const Ran r = sh(command);
    EXPECT_TRUE(r.code == 1 || r.code == 3) << command << r.err;
    EXPECT_NE(r.err, "");
    EXPECT_EQ(contents(path("model")), before) << command << r.err;
  }
  ASSERT_EQ(train("--seed 2 -o model").code, 0);
  const auto after = contents(path("model"));
  EXPECT_NE(after.at("weights.safetensors"), before.at("weights.safetensors"));
  EXPECT_EQ(after.size(), before.size()) << "something half-written stayed";
}

}  // namespace
}  // namespace heed::translate
