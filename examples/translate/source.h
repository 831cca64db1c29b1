// Where sentence pairs come from: a built-in task, one TSV file, or parallel files; and with them
// the settings that suit the task.
#pragma once
#include <string>

#include "examples/translate/data.h"
#include "examples/translate/tasks.h"
#include "examples/translate/training.h"

namespace heed::translate {

/// What the user said about data. Exactly one of `task`, `file`, `train_src` + `train_tgt`.
struct SourceOptions {
  std::string task;
  std::string file;  // TSV: split by source sentence
  std::string train_src, train_tgt, valid_src, valid_tgt, test_src, test_tgt;
  bool all_test = false;  // for evaluation: all pairs of files are test pairs
  int64_t size = 0;       // training pairs of a task; 0: its default
  uint64_t seed = 1;
  DataOptions data;
};

/// A task's or a file's splits. `gold` says whether the pairs carry links.
struct Corpus {
  std::string name{};
  Dataset sets{};
  TextOptions text{};
  std::vector<std::string> notes{};  // one per file: read, kept, dropped and why
  bool gold = false;
};

/// Throws std::invalid_argument (which data?) or FileError.
Corpus load_corpus(const SourceOptions& options);

/// What a run on a task should reach; negative: no such goal.
struct Goals {
  double exact = -1;         // share, or of the sources up to `exact_length` tokens
  int64_t exact_length = 0;  // 0: all
  double bleu = -1;
  double aer = -1;  // at most
};

/// Settings that are known to reach a task's goals; plain defaults for everything else.
struct Preset {
  int64_t epochs, batch_tokens;
  double rate;
  double dropout, label_smoothing;
  Goals goals;
  int64_t warmup = 0;
  std::string_view keep = "best";  // or "last": whose weights stay
};
Preset preset_for(std::string_view task, bool transformer = false);

}  // namespace heed::translate
