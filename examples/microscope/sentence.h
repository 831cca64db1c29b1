// One sentence pair as a network reads it, and its recorded pass: what pair.cpp (a fresh network)
// and model.cpp (a trained one) have in common.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"
#include "examples/translate/network.h"

namespace heed::microscope {

/// At most so many words on either side.
inline constexpr size_t kMostWords = 200;

/// One sentence pair in ids, and what its columns and rows are called.
struct Sentence {
  std::vector<int64_t> source, read, said;  // with </s>, from <s> on, up to </s>
  std::vector<std::string> columns, rows, fed;
  int64_t pad = 0;
};
/// `pad`: so many <pad> behind the source, masked.
Sentence sentence_of(const std::vector<std::string>& src, const std::vector<int64_t>& src_ids,
                     const std::vector<std::string>& tgt, const std::vector<int64_t>& tgt_ids,
                     int64_t pad);

/// Runs it and differentiates the mean loss of its words.
Trace record(translate::Network& network, const Sentence& sentence, double smoothing,
             const Seq2SeqCall& call);

}  // namespace heed::microscope
