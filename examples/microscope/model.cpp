// A sentence pair through a model that `translate train` has trained (pair.h).
#include <algorithm>

#include "core/error.h"
#include "examples/console/utf8.h"
#include "examples/microscope/case.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/sentence.h"
#include "examples/translate/beam.h"

namespace heed::microscope {
namespace {

std::vector<std::string> cut(const translate::Translator& model, const std::string& text,
                             translate::Tokeniser how) {
  const auto bad = find_invalid_utf8(text);
  require(!bad, "expected UTF-8, byte {} is none", bad ? bad->column : 0);
  std::vector<std::string> words =
      translate::tokenise(model.text.lowercase ? lowercase(text) : text, how);
  require(!words.empty() && words.size() <= kMostWords, "expected 1 to {} words, got {}",
          kMostWords, words.size());
  return words;
}

// The tree of the search, and where the sentence that is differentiated stands in it: its nodes
// lead to the losses of the words.
Json beam_view(const translate::BeamSearch& search, const translate::Translator& model,
               const std::vector<int64_t>& said, int losses) {
  Json list = Json::array();
  for (size_t i = 0; i < search.tree.size(); ++i) {
    const translate::BeamNode& node = search.tree[i];
    list.push_back({{"id", i},
                    {"parent", node.parent < 0 ? Json(nullptr) : Json(node.parent)},
                    {"tok", node.word == translate::kEos ? "</s>" : model.target.token(node.word)},
                    {"logp", json_number(node.log_probability)}});
  }
  for (size_t rank = 0; rank < search.hypotheses.size(); ++rank) {
    Json& last = list[static_cast<size_t>(search.hypotheses[rank].node)];
    last["rank"] = rank + 1;
    last["score"] = json_number(search.hypotheses[rank].score);
  }
  int at = -1;
  for (const int64_t word : said) {
    const auto next = std::find_if(
        search.tree.begin(), search.tree.end(),
        [&](const translate::BeamNode& n) { return n.parent == at && n.word == word; });
    if (next == search.tree.end()) break;
    at = static_cast<int>(next - search.tree.begin());
    list[static_cast<size_t>(at)]["tensor"] = losses;
  }
  return list;
}

}  // namespace

std::vector<std::string> words_of(const translate::Translator& model, const std::string& text) {
  return cut(model, text, model.text.source);
}
std::vector<std::string> target_words_of(const translate::Translator& model,
                                         const std::string& text) {
  return cut(model, text, model.text.target);
}

Trace record_model(const ModelOptions& asked) {
  ModelOptions o = asked;
  translate::Translator model = translate::load_translator(o.directory);
  require(!o.src.empty(), "model: expected a source sentence");
  translate::BeamSearch search;
  if (o.beam > 0) {
    search = translate::beam_search(model, o.src, {.width = o.beam});
    require(o.hypothesis <= std::ssize(search.hypotheses),
            "model: expected a hypothesis of 1 to {}, which the beam has, got {}",
            search.hypotheses.size(), o.hypothesis);
    if (o.tgt.empty()) o.tgt = search.hypotheses[static_cast<size_t>(o.hypothesis - 1)].tokens;
  } else if (o.tgt.empty()) {
    o.tgt = translate::decode_greedy(model, std::vector<translate::Tokens>{o.src})[0].tokens;
  }
  require(!o.tgt.empty(), "model: it says nothing to this sentence; give a target with --tgt");
  to(model.network, o.dtype);
  const auto known = [](const translate::Vocabulary& v, const std::vector<std::string>& words) {
    std::vector<std::string> read;
    for (const int64_t id : v.encode(words)) read.push_back(v.token(id));
    return read;
  };
  const translate::IdPair ids = model.encode(o.src, o.tgt);
  const Sentence sentence =
      sentence_of(known(model.source, o.src), ids.src, known(model.target, o.tgt), ids.tgt, 0);
  Trace t = record(model.network, sentence, o.label_smoothing, {});
  if (o.beam > 0) t.views["beam"] = beam_view(search, model, sentence.said, t.find("L_t"));
  t.meta = meta_of(o.dtype);
  t.run["model"] = to_json(o);
  t.run["mode"] =
      "teacher_forcing";  // also of words that the model said itself, once they are said
  return t;
}

}  // namespace heed::microscope
