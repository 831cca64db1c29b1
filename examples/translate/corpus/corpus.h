// Micro en-fr: a small artificial corpus of English and French, made by a seeded synchronous
// grammar, in which every word link is known. 19 phenomena that need attention are tagged
// (grammar.h); each is in at least 300 of 1,000 test sentences, which works because a sentence
// carries about seven at once. What it is not: natural text. Its French is correct, its stories
// are not.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "examples/translate/corpus/dataset.h"

namespace heed::translate {

constexpr int kMicroVersion = 1;

struct MicroOptions {
  int64_t train = 20000, dev = 1000, test = 1000, combo = 1000, length = 500, contrast = 500;
  uint64_t seed = 1;
};

/// The corpus. The hash of the English side alone decides whether a sentence may be in train, dev
/// or test, whatever the seed; `combo` holds the sentences with a held-out noun-adjective or
/// verb-clitic pair, `length` those of 26 to 40 tokens (the others have 3 to 25), `contrast`
/// minimal pairs from the test side, `align` is the test set by its other name.
Dataset make_micro(const MicroOptions& options);

/// "train", "dev" or "test": 80, 10 and 10 percent of all sentences.
std::string_view split_of(std::span<const std::string> english);

}  // namespace heed::translate
