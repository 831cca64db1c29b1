// translate mechanisms: every mechanism of the library trained on the same tasks, as one table.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/translate/commands.h"
#include "examples/translate/console.h"
#include "examples/translate/mechanisms.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kQuickPairs = 300;
constexpr size_t kQuickTests = 50;

struct MechanismsCommand {
  std::string out = "mechanisms";
  std::vector<std::string> only, tasks;
  std::optional<int64_t> epochs, size;
  int64_t threads = 1;
  uint64_t seed = 1;
  bool quick = false, json = false;
};

// The results of earlier runs into the same folder; none when there is no such file.
std::vector<Json> earlier(const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  const Json all = Json::parse(read_file(path, 1 << 24), nullptr, false);
  const auto foreign = [](const Json& r) {
    if (!r.is_object()) return true;
    const auto is = [&r](const char* key, auto kind) {
      return r.contains(key) && (r.at(key).*kind)();
    };
    for (const char* number : {"exact_match", "bleu", "cpu_seconds"})
      if (!is(number, &Json::is_number)) return true;
    for (const char* may_be_null : {"aer", "ibm1_aer", "diagonal_aer"})
      if (!is(may_be_null, &Json::is_number) && !is(may_be_null, &Json::is_null)) return true;
    return !is("mechanism", &Json::is_string) || !is("task", &Json::is_string) ||
           !is("met", &Json::is_boolean) || !is("parameters", &Json::is_number_integer);
  };
  if (!all.is_array() || std::any_of(all.begin(), all.end(), foreign))
    fail_file(path, "expected the results of translate mechanisms; choose another --out folder");
  return {all.begin(), all.end()};
}

void write_results(const std::string& folder, const std::vector<Json>& results) {
  write_file(folder + "/mechanisms.json", Json(results).dump(1) + "\n");
  write_file(folder + "/mechanisms.md", mechanisms_table(results));
}

std::vector<Mechanism> chosen(const std::vector<std::string>& only) {
  std::vector<Mechanism> all = mechanisms();
  std::vector<std::string> names;
  for (const Mechanism& m : all) names.push_back(m.name);
  for (const std::string& name : only)
    require(std::find(names.begin(), names.end(), name) != names.end(),
            "mechanisms: expected --only {}, got '{}'", fmt::join(names, ", "), name);
  if (!only.empty())
    std::erase_if(all, [&](const Mechanism& m) {
      return std::find(only.begin(), only.end(), m.name) == only.end();
    });
  return all;
}

int run(const MechanismsCommand& c) {
  const OutputFolder folder(c.out);
  Console console(c.json);
  std::vector<Json> results = c.quick ? std::vector<Json>{} : earlier(c.out + "/mechanisms.json");
  bool met = true;
  const auto all = chosen(c.only);
  console.say("seed {}, threads {}, {} mechanisms", c.seed, c.threads, all.size());
  for (const char* task : kMechanismTasks) {
    if (!c.tasks.empty() && std::find(c.tasks.begin(), c.tasks.end(), task) == c.tasks.end())
      continue;
    SourceOptions source;
    source.task = task, source.size = c.size.value_or(c.quick ? kQuickPairs : 0);
    source.seed = c.seed;
    Corpus corpus = load_corpus(source);
    if (c.quick)
      for (auto* set : {&corpus.sets.dev, &corpus.sets.test})
        set->resize(std::min(set->size(), kQuickTests));
    for (const Mechanism& m : all) {
      TrainingOptions run = training_of(m, task);
      run.epochs = c.epochs.value_or(c.quick ? 1 : run.epochs);
      run.threads = c.threads;
      run.seed = c.seed;
      Json r = measure(m, task, run, corpus);
      if (c.quick) r["met"] = true;  // so few pairs are there to see that it runs
      met = met && r.at("met").get<bool>();
      console.say(
          "{:<12} {:<16} exact match {:6.2f} %, BLEU {:6.2f}{}, {:.0f} s{}", task, m.name,
          100 * r.at("exact_match").get<double>(), r.at("bleu").get<double>(),
          r.at("aer").is_null() ? "" : fmt::format(", AER {:.3f}", r.at("aer").get<double>()),
          r.at("seconds").get<double>(), r.at("met").get<bool>() ? "" : "  MISSED");
      std::erase_if(results, [&](const Json& old) {
        return old.at("mechanism") == m.name && old.at("task") == task;
      });
      results.push_back(std::move(r));
      write_results(c.out, results);
    }
  }
  console.say("\n{}", mechanisms_table(results));
  console.say("table {}/mechanisms.md\n{}", c.out,
              c.quick ? "done: all run; --quick judges nothing"
              : met   ? "PASS: every bar is met"
                      : "FAIL: some bars are missed");
  if (c.json) print_json(Json{{"goals_met", met}, {"results", results}});
  return met ? 0 : 1;
}

}  // namespace

Run add_mechanisms(CommandLine& program) {
  auto c = std::make_shared<MechanismsCommand>();
  CommandLine sub = program.add_command("mechanisms", "Train every mechanism and compare them");
  sub.add_option("-o,--out", c->out, "Folder of the table; results that are there are kept")
      .show_default();
  sub.add_flag("--quick", c->quick, "A few pairs only: to see that all of them run");
  sub.add_option("--only", c->only, "Some mechanisms, by comma").delimiter(',');
  sub.add_option("--tasks", c->tasks, "Some tasks, by comma: copy, reverse, micro-en-fr")
      .delimiter(',')
      .one_of({kMechanismTasks[0], kMechanismTasks[1], kMechanismTasks[2]});
  sub.add_option("--epochs", c->epochs, "Passes over the data (without: the task's)")
      .between(1, 1e6);
  sub.add_option("--size", c->size, "Training pairs (without: the task's)").between(1, 1e7);
  sub.add_option("--seed", c->seed, "Of all that is random").show_default();
  c->threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 2);
  sub.add_option("--threads", c->threads, "Shards of every batch, one thread each")
      .show_default()
      .between(1, 256);
  sub.add_flag("--json", c->json, "Print one JSON object; text goes to standard error");
  return [c] { return run(*c); };
}

}  // namespace heed::translate
