// The program bench as a user runs it: every command prints what it promises, wrong arguments are
// refused. Sizes and times are as small as they go, and no figure is held to a value that depends
// on the machine.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/blas.h"
#include "core/buffer.h"

namespace heed::bench {
namespace {

using Json = nlohmann::json;

struct Ran {
  int code;
  std::string out;  // both streams
};

Ran run(const std::string& arguments) {
  const std::string line = "'" HEED_BENCH "' " + arguments + " 2>&1 < /dev/null";
  std::FILE* pipe = popen(line.c_str(), "r");
  if (!pipe) return {-1, "popen failed"};
  std::string out;
  char part[4096];
  for (size_t n; (n = std::fread(part, 1, sizeof part, pipe)) > 0;) out.append(part, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out};
}

// Every line of a run that succeeds, as JSON.
std::vector<Json> json_lines(const std::string& arguments) {
  const Ran r = run(arguments + " --json --seconds 0.02");
  EXPECT_EQ(r.code, 0) << arguments << "\n" << r.out;
  std::vector<Json> all;
  std::istringstream in(r.out);
  for (std::string line; std::getline(in, line);) {
    all.push_back(Json::parse(line, nullptr, false));
    EXPECT_TRUE(all.back().is_object()) << line;
  }
  return all;
}

std::set<std::string> keys_of(const Json& j) {
  std::set<std::string> keys;
  for (const auto& [key, value] : j.items()) keys.insert(key);
  return keys;
}

void expect_text(const std::string& arguments, const std::vector<std::string>& parts) {
  const Ran r = run(arguments);
  EXPECT_EQ(r.code, 0) << r.out;
  for (const std::string& part : parts)
    EXPECT_NE(r.out.find(part), std::string::npos) << "no '" << part << "' in\n" << r.out;
}

const std::string kCommon =
    " --vocab-src 20 --vocab-tgt 30 --emb 8 --batch 4 --src-len 5 --tgt-len 6";
const std::string kSmall = kCommon + " --hidden 16";
const std::string kSmallTransformer = kCommon + " --layers 1 --heads 2 --ff 16";

TEST(Bench, StepPrintsExactlyTheseKeys) {
  const std::set<std::string> keys{"config",
                                   "threads",
                                   "parameters",
                                   "target_tokens_per_second",
                                   "floor_target_tokens_per_second",
                                   "ratio_to_floor",
                                   "resident_mb",
                                   "allocations_per_step"};
  for (const char* config :
       {"toy-gru", "toy-lstm", "toy-transformer", "small-gru", "small-lstm", "small-transformer"}) {
    const bool transformer = std::string(config).ends_with("transformer");
    const auto lines = json_lines("step --config " + std::string(config) +
                                  (transformer ? kSmallTransformer : kSmall) + " --threads 2");
    ASSERT_EQ(lines.size(), 1u);
    const Json& j = lines[0];
    EXPECT_EQ(keys_of(j), keys);
    EXPECT_EQ(j.at("config"), config);
    EXPECT_EQ(j.at("threads"), 2);
    for (const char* key : {"target_tokens_per_second", "floor_target_tokens_per_second",
                            "ratio_to_floor", "resident_mb"})
      EXPECT_GT(j.at(key).get<double>(), 0) << key;
    EXPECT_DOUBLE_EQ(j.at("ratio_to_floor").get<double>(),
                     j.at("target_tokens_per_second").get<double>() /
                         j.at("floor_target_tokens_per_second").get<double>());
  }
}

// The sizes are those of PyTorch's layers of the same names, counted by hand.
TEST(Bench, TheModelsAreTheDocumentedOnes) {
  const auto parameters = [](const std::string& arguments) -> int64_t {
    const auto lines = json_lines("step --config " + arguments);
    return lines.empty() ? -1 : lines[0].at("parameters").get<int64_t>();
  };
  const int64_t V = 200, E = 64, H = 128;
  const int64_t gru = 2 * V * E + 2 * (3 * H * E + 3 * H * H + 6 * H) + (2 * H * H + H) +
                      (3 * H * H + H) + H + (3 * H * (E + 2 * H) + 3 * H * H + 6 * H) +
                      ((E + 3 * H) * V + V);
  EXPECT_EQ(parameters("toy-gru"), gru);
  const int64_t lstm =
      2 * V * E + 2 * (4 * H * E + 4 * H * H + 8 * H) + H * H + (2 * H * H + H) + (H * V + V);
  EXPECT_EQ(parameters("toy-lstm"), lstm);
  const int64_t F = 128, attention = 4 * E * E + 4 * E, feed = 2 * E * F + F + E, norm = 2 * E;
  const int64_t transformer = 2 * V * E + 2 * (attention + feed + 2 * norm) +
                              2 * (2 * attention + feed + 3 * norm) + (E * V + V);
  EXPECT_EQ(parameters("toy-transformer"), transformer);
}

TEST(Bench, EveryCellAndScoreCanBeMeasured) {
  for (const char* cell : {"gru", "lstm", "tanh"})
    for (const char* score : {"additive", "general", "concat", "location"})
      for (const char* config : {"toy-gru", "toy-lstm"})
        EXPECT_EQ(json_lines("step --layers 2 --config " + std::string(config) + kSmall +
                             " --cell " + cell + " --score " + score)
                      .size(),
                  1u);
}

TEST(Bench, StepSaysWhereTheTimeGoes) {
  expect_text("step --config toy-gru --seconds 0.02" + kSmall,
              {"target tokens/s", "floor", "ratio", "forward", "backward", "clip and Adam",
               "resident", "allocations per step", "first update", "BLAS core", "load",
               "gru_sequence", "cross_entropy", "linear"});
}

TEST(Bench, OpTimesThree) {
  const auto lines = json_lines("op");
  ASSERT_EQ(lines.size(), 3u);
  const char* ops[] = {"add", "tanh", "matmul"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lines[i].at("op"), ops[i]);
    EXPECT_GT(lines[i].at("nanoseconds").get<double>(), 0);
  }
  expect_text("op --seconds 0.02", {"add", "tanh", "matmul", " ns"});
}

TEST(Bench, ScalingDoublesTheThreads) {
  const auto lines = json_lines("scaling --threads 3 --config toy-gru" + kSmall);
  ASSERT_EQ(lines.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(lines[i].at("threads"), static_cast<int>(i) + 1);
  EXPECT_EQ(lines[0].at("speedup"), 1.0);
  expect_text("scaling --threads 1 --seconds 0.02 --config toy-gru" + kSmall,
              {"toy-gru", "target tokens/s", "CPU/wall"});
}

TEST(Bench, AStepAllocatesNothing) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  for (const std::string& of :
       {" --config toy-lstm,toy-gru" + kSmall, " --config toy-transformer" + kSmallTransformer})
    for (const std::string threads : {"1", "2"})
      for (const Json& j : json_lines("memory --steps 7 --threads " + threads + of)) {
        EXPECT_EQ(j.at("allocations_per_step"), 0) << j;
        EXPECT_EQ(j.at("new_buffers_per_step"), 0) << j;
      }
}

TEST(Bench, MemoryCountsTheSteps) {
  const auto lines = json_lines("memory --steps 7 --config toy-lstm,toy-gru" + kSmall);
  ASSERT_EQ(lines.size(), 2u);
  for (const Json& j : lines) {
    EXPECT_EQ(j.at("steps"), 27);  // 20 of warm-up
    EXPECT_GE(j.at("peak_resident_mb").get<double>(), j.at("warm_resident_mb").get<double>() * 0.9);
    EXPECT_GT(j.at("buffers_per_step").get<double>(), 0);
    EXPECT_TRUE(j.contains("allocations_per_step") && j.contains("new_buffers_per_step"));
  }
  expect_text("memory --steps 1 --config toy-gru" + kSmall, {"resident", "allocations per step"});
}

TEST(Bench, LookingCountsWhatIsThereToLookAt) {
  const auto lines = json_lines("looking --config toy-gru" + kSmall);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_GT(lines[0].at("ops").get<int>(), 6 * 5) << "a few for each of six words";
  EXPECT_GT(lines[0].at("scopes").get<int>(), 6);
  EXPECT_GT(lines[0].at("names").get<int>(), 6);
  for (const char* key : {"seconds", "off_share", "checked", "recorded"})
    EXPECT_GT(lines[0].at(key).get<double>(), 0) << key;
  expect_text("looking --seconds 0.02 --config toy-transformer" + kSmallTransformer,
              {"while off", "checked", "recorded"});
}

TEST(Bench, GemmComparesTheMakers) {
  const auto lines = json_lines("gemm");
  std::set<std::string> makers, shapes;
  for (const Json& j : lines) {
    EXPECT_GT(j.at("gflops").get<double>(), 0);
    EXPECT_FALSE(j.at("core").get<std::string>().empty());
    if (j.at("by") == "BLAS, its own choice") {  // this process has not multiplied: heed chose none
      EXPECT_EQ(j.at("core"), blas_core());
    }
    makers.insert(j.at("by").get<std::string>());
    shapes.insert(j.at("shape").get<std::string>());
  }
  EXPECT_EQ(makers.size(), 5u);
  EXPECT_EQ(lines.size(), makers.size() * shapes.size());
  expect_text("gemm --seconds 0.02", {"BLAS", "heed, copied", "1024x1024x1024"});
}

// Three products of 2 * rows * out * in operations for every layer of the model, written down once
// more from its equations.
TEST(Bench, GrowthKnowsTheArithmetic) {
  const double V = 30, E = 8, H = 16, B = 4, S = 5, T = 6;
  const double encoder = 2 * (S * B * 3 * H * E + S * B * 3 * H * H), bridge = B * H * 2 * H,
               keys = S * B * H * 2 * H;
  const double word = H * H + 3 * H * E + 3 * H * 2 * H + 3 * H * H + V * (E + 3 * H);
  const auto lines = json_lines("growth --doublings 1 --config toy-gru" + kSmall);
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_NEAR(lines[0].at("gflop").get<double>(), 6e-9 * (encoder + bridge + keys + T * B * word),
              1e-15);
  for (const Json& j : lines) {
    if (j.at("factor") == 1) continue;
    const auto arithmetic = j.at("arithmetic_per_doubling").get<double>();
    if (j.at("what") == "batch") {
      EXPECT_DOUBLE_EQ(arithmetic, 2);
    }
    if (j.at("what") == "hidden") {
      EXPECT_GT(arithmetic, 2);
    }
    if (j.at("what") == "vocabulary") {
      EXPECT_LT(arithmetic, 2);
    }
    for (const char* key : {"time_per_doubling", "memory_per_doubling"})
      EXPECT_GT(j.at(key).get<double>(), 0);
  }
  const double F = 16, L = 4 * E * E + 2 * E * F;  // a layer: attention and feed forward
  const double attention = 2 * B * E * (S * S + T * T + T * S);
  const auto transformer =
      json_lines("growth --doublings 1 --config toy-transformer" + kSmallTransformer);
  ASSERT_EQ(transformer.size(), 8u);
  EXPECT_NEAR(
      transformer[0].at("gflop").get<double>(),
      6e-9 * (S * B * (L + 2 * E * E) + T * B * (L + 2 * E * E) + attention + T * B * V * E),
      1e-15);
  expect_text("growth --doublings 1 --seconds 0.02 --config toy-transformer" + kSmallTransformer,
              {"batch", "length", "hidden", "vocabulary", "memory", "arithmetic", "S*T"});
}

TEST(Bench, AllIsOneTable) {
  const Ran r = run("all --threads 2 --seconds 0.02 --config toy-gru" + kSmall);
  ASSERT_EQ(r.code, 0) << r.out;
  int rows = 0, heads = 0;
  std::istringstream in(r.out);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("|")) continue;
    EXPECT_EQ(std::count(line.begin(), line.end(), '|'), 6) << line;
    heads += line.starts_with("|---");
    ++rows;
  }
  EXPECT_EQ(heads, 1) << r.out;
  EXPECT_GT(rows, 40) << r.out;
  for (const char* part : {"a training step", "scaling", "4x4", "GFLOP/s", "doubled"})
    EXPECT_NE(r.out.find(part), std::string::npos) << part;
}

TEST(Bench, WrongArgumentsAreRefused) {
  const auto refused = [](const std::string& arguments, const std::string& part) {
    const Ran r = run(arguments);
    EXPECT_EQ(r.code, 2) << arguments << "\n" << r.out;
    EXPECT_NE(r.out.find(part), std::string::npos) << arguments << "\n" << r.out;
    EXPECT_EQ(r.out.find("std::"), std::string::npos) << r.out;
  };
  refused("", "expected a command");
  refused("frobnicate", "frobnicate");
  refused("step", "--config");
  refused("step --config toy", "toy-gru");
  refused("step --config toy-gru --batch 0", "expected a number from 1 to");
  refused("step --config toy-gru --threads many", "expected a number from 1 to");
  refused("step --config toy-gru --seconds -1", "expected a number from 0.001");
  refused("step --config toy-gru --heads 2", "for the transformer");
  refused("step --config toy-transformer --hidden 8", "--emb");
  refused("step --config toy-transformer --heads 7", "heads");
  refused("step --config toy-gru --cell qrnn", "gru, lstm or tanh");
  refused("step --config toy-gru --score best", "additive");
  refused("step --config toy-gru --score dot", "dot");
  refused("step --config toy-gru --threads 5" + kSmall, "threads");
  refused("memory --config toy-gru --threads 5" + kSmall, "threads");
  refused("all --config toy-gru --ff 8", "for the transformer");
}

}  // namespace
}  // namespace heed::bench
