// The built-in tasks by name: micro en-fr and the small generators on which sequence models are
// usually tried. Everything is made from a seed; no file is read, nothing is downloaded.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "examples/translate/corpus/dataset.h"
#include "examples/translate/text.h"

namespace heed::translate {

struct TaskInfo {
  std::string_view name, summary;
  int64_t train, dev, test;  ///< default number of pairs
  Tokeniser src_tokeniser, tgt_tokeniser;
};

struct TaskOptions {
  int64_t train = 0;  ///< training pairs; 0: the task's default
  uint64_t seed = 1;
  bool swap_sides = false;  ///< the other direction: fr-en, words to digits; no contrast pairs then
};

/// All tasks.
std::span<const TaskInfo> tasks();

/// The task of this name. Throws std::invalid_argument that lists the known names.
const TaskInfo& find_task(std::string_view name);

/// Makes the pairs of a task. The hash of the source (of the date, of the two numbers) alone
/// decides between train, dev and test, so no split holds what another trains on, whatever the
/// seed. Throws std::invalid_argument for an unknown name, or a size that the task has not enough
/// different pairs for.
Dataset make_task(std::string_view name, const TaskOptions& options);

}  // namespace heed::translate
