// The mechanisms of the library side by side: each is trained on the same tasks with the same
// settings, and what it reached stands in one table.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/translate/evaluation.h"
#include "examples/translate/setup.h"

namespace heed::translate {

struct Mechanism {
  std::string name;   // "luong-feeding"
  std::string about;  // "Luong's decoder, general score, input feeding"
  NetworkOptions network;
  double aer = -1;  // at most, on micro en-fr; negative: no bar
};
/// All of them, the baseline without attention last.
std::vector<Mechanism> mechanisms();

/// The tasks of the table.
inline constexpr const char* kMechanismTasks[] = {"copy", "reverse", "micro-en-fr"};

/// What a mechanism should reach on a task; no goals where there is none.
Goals goals_of(const Mechanism& mechanism, const std::string& task);

/// How it is trained: the task's preset, in shorter form where that is enough for the bars.
TrainingOptions training_of(const Mechanism& mechanism, const std::string& task);

/// Trains it and measures it on the test set: an object with mechanism, task, exact_match (on
/// sources as long as those of the training set), bleu, aer, aer_layer (of a Transformer: its best
/// layer, from 0), seconds, parameters, goals, met.
nlohmann::ordered_json measure(const Mechanism& mechanism, const std::string& task,
                               const TrainingOptions& training, const Corpus& corpus);

/// The Markdown table of such objects, a row per mechanism, with the aligners' figures beneath it.
std::string mechanisms_table(const std::vector<nlohmann::ordered_json>& results);

}  // namespace heed::translate
