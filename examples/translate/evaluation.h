// What a trained translator is worth on a set of pairs: figures first, then what a person looks at.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/translate/alignment.h"
#include "examples/translate/decode.h"
#include "examples/translate/source.h"

namespace heed::translate {

/// Agreement of attention with the gold links, by forced decoding of the reference. Offset 0 reads
/// the step that predicts a word, offset +1 the step that has consumed it.
struct AlignmentReport {
  AlignmentScore offset0, offset1;
  AlignmentScore oracle;  // the best that one link per target token can do
  AlignmentScore diagonal, ibm1;
  double mass = 0;  // mean attention on gold positions, offset 0
};

struct Evaluation {
  int64_t sentences = 0;
  Likelihood likelihood;
  Rate exact, tokens;
  Bleu bleu;
  double chrf = 0;
  int64_t cut = 0;  // translations that reached the length limit
  std::vector<Rate> by_tag, by_length;
  std::optional<AlignmentReport> alignment;  // with gold links and attention only
  std::vector<Decoded> decoded;
};

/// Greedy decoding of all pairs. `train` serves IBM Model 1 and may be empty (then it learns from
/// the test pairs alone). `threads` decode at the same time.
Evaluation evaluate(const Translator& translator, std::span<const Example> pairs,
                    std::span<const Example> train = {}, int64_t threads = 1);

/// For a terminal of this width: the figures, accuracy by phenomenon and length, alignment.
std::string evaluation_text(const Evaluation& evaluation);
/// The first `count` translations with source and reference.
std::string translations_text(const Evaluation& evaluation, std::span<const Example> pairs,
                              const TextOptions& text, int64_t count = 10);

/// The keys that `train` and `evaluate` share; null where a figure does not apply.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation);

/// Whether the goals are met, and the sentence that says so: "PASS: ...", "FAIL: ...", or "done:
/// ..." where there are none.
struct Verdict {
  bool met = true;
  std::string text;
};
Verdict judge(const Evaluation& evaluation, std::span<const Example> pairs, const Goals& goals);

/// Links by forced decoding of the references, one list per pair.
std::vector<Links> attention_links(const Translator& translator, std::span<const Example> pairs,
                                   int offset);

}  // namespace heed::translate
