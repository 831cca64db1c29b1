// A sentence pair through an encoder-decoder: a fresh one whose first weights depend on a seed and
// on the words alone, or one that `translate train` has trained. Tensors are named x (words of the
// source), h (what the encoder makes of them), s0, y (words of the target), and in each step s, e,
// a, c, r; z logits, L_t the loss of each word, L their mean. No training, no search.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"
#include "examples/translate/translator.h"

namespace heed::microscope {

/// What `run.pair` of a trace holds; the fields are documented in docs/microscope.md.
struct PairOptions {
  std::string mech = "additive";   // a score, local_m, local_p, none; multi_head: a Transformer
  std::string score = "additive";  // of local_m and local_p
  std::string hard = "none";       // argmax, reinforce, straight_through, gumbel
  std::string enc = "gru";         // gru, lstm, tanh: both sides
  std::string decoder = "bahdanau", bridge = "learned";
  bool bidirectional = true, input_feeding = false, pre_norm = false;
  int64_t reach = 2, layers = 1, d = 8, heads = 2, ff = 16;
  double temperature = 1, label_smoothing = 0;
  std::string mode = "teacher_forcing";  // free_running: the decoder reads its own words
  int64_t pad = 0;                       // padding behind the source, masked
  std::vector<std::string> src, tgt;     // words
  uint64_t seed = 1;
  DType dtype = f64;
};

Json to_json(const PairOptions& options);
/// Throws FileError "path: run.pair.d: expected ..." for fields that are missing, of another kind
/// or out of bounds; `where` is what stands in front of the field.
PairOptions pair_from(const Json& json, const std::string& path,
                      const std::string& where = "run.pair");

/// Words at spaces and tabs. Throws std::invalid_argument where there are none, or too many.
std::vector<std::string> words_of(const std::string& text, const char* side);

/// Runs the pair through a fresh network and records it. Throws std::invalid_argument for options
/// that exclude each other.
Trace record_pair(const PairOptions& options);

/// The same through a trained model directory, in the dtype f32 or f64. Throws FileError.
struct ModelOptions {
  std::string directory;
  std::vector<std::string> src, tgt;  // words; no tgt: what the model itself says, greedily
  /// With a beam of so many sentences: the search is kept in views.beam, and without tgt what is
  /// differentiated is its hypothesis of this rank, 1 being the best. 0: no search.
  int64_t beam = 0, hypothesis = 1;
  double label_smoothing = 0;
  DType dtype = f32;
};
Json to_json(const ModelOptions& options);
ModelOptions model_from(const Json& json, const std::string& path);
Trace record_model(const ModelOptions& options);

/// The words of a line as this model was trained on them.
std::vector<std::string> words_of(const translate::Translator& model, const std::string& text);
std::vector<std::string> target_words_of(const translate::Translator& model,
                                         const std::string& text);

}  // namespace heed::microscope
