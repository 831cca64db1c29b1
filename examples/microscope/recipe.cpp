#include "examples/microscope/recipe.h"

#include <charconv>

#include "core/error.h"
#include "examples/microscope/case.h"
#include "examples/microscope/decompose.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"

namespace heed::microscope {
namespace {

// "src[1]=chat" as (1, "chat"); nothing for what is no word of that side.
struct WordChange {
  std::string side;
  size_t place;
  std::string word;
};
std::optional<WordChange> word_change(const std::string& text) {
  for (const char* side : {"src", "tgt"}) {
    if (!text.starts_with(std::string(side) + "[")) continue;
    WordChange w{.side = side, .place = 0, .word = {}};
    const size_t close = text.find(']');
    require(close != std::string::npos && close + 1 < text.size() && text[close + 1] == '=',
            "expected a word such as {}[1]=chat, got '{}'", side, harmless(text));
    const auto [end, error] = std::from_chars(text.data() + 4, text.data() + close, w.place);
    require(error == std::errc() && end == text.data() + close,
            "expected a word such as {}[1]=chat, got '{}'", side, harmless(text));
    w.word = text.substr(close + 2);
    (void)words_of(w.word, side);  // UTF-8, and not empty
    return w;
  }
  return {};
}

const char* source_of(const Json& run) {
  for (const char* key : {"case", "pair", "model"})
    if (run.contains(key)) return key;
  return nullptr;
}

}  // namespace

bool has_recipe(const Trace& trace) {
  return source_of(trace.run) != nullptr;
}

namespace {

Trace run_source(const Json& run, const std::string& path) {
  const char* source = source_of(run);
  require(source, "this trace does not say how it was made, so it cannot be made again");
  const auto decompose = run.value("decompose", std::set<std::string>{});
  const Json& recipe = run.at(source);
  if (run.contains("case")) {
    check_case(recipe, path);
    return record_case(recipe, decompose);
  }
  const Trace t = run.contains("pair") ? record_pair(pair_from(recipe, path))
                                       : record_model(model_from(recipe, path));
  return decompose.empty() ? t : decomposed(t, decompose);
}

}  // namespace

Trace run_recipe(const Json& run, const std::string& path) {
  Trace t = run_source(run, path);
  if (const int64_t most = sample_limit(run); most > 0) take_samples(t, most);
  return t;
}

Trace rerun(const Trace& trace, const std::vector<std::string>& changes, const std::string& path) {
  std::vector<std::string> settings;
  Json run = trace.run;
  const char* source = source_of(run);
  bool words = false;
  for (const std::string& text : changes) {
    const auto w = word_change(text);
    if (!w) {
      settings.push_back(text);
      continue;
    }
    require(source && run.at(source).contains(w->side),
            "{}: this trace is of no sentence pair, so it has no words to change", harmless(text));
    Json& sentence = run.at(source).at(w->side);
    require(sentence.is_array() && w->place < sentence.size(),
            "{}: expected a word below {}, got {}", w->side, sentence.size(), w->place);
    sentence[w->place] = w->word;
    words = true;
  }
  // Of large tensors a trace may hold samples: then the library has to make all numbers again.
  const bool anew = words || (source && holds_samples(trace));
  Trace from = anew ? run_source(run, path) : trace;
  if (anew && trace.meta.contains("title")) from.meta["title"] = trace.meta.at("title");
  // Settings that the trace was made with come with it where only numbers change.
  if (anew && run.contains("set"))
    settings.insert(settings.begin(), run.at("set").begin(), run.at("set").end());
  Session session(std::move(from));
  for (const std::string& text : settings) session.set(setting_of(session.original(), text));
  return session.trace();
}

}  // namespace heed::microscope
