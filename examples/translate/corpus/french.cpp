// See french.h. Suffix rules first, the lexicon's explicit forms win.
#include "examples/translate/corpus/french.h"

#include "core/error.h"

namespace heed::translate {
namespace {

std::string cut(std::string_view word, size_t n) {
  return std::string(word.substr(0, word.size() - n));
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool vowel_sound(std::string_view word) {
  if (word.starts_with('h')) return !is_h_aspire(word);
  static constexpr std::string_view kVowels[] = {"a", "e", "i", "o", "u", "à", "â",
                                                 "é", "è", "ê", "î", "ô", "œ"};
  for (const std::string_view v : kVowels) {
    if (word.starts_with(v)) return true;
  }
  return false;
}

std::string plural_form(std::string_view word) {
  if (word.ends_with('s') || word.ends_with('x') || word.ends_with('z')) return std::string(word);
  if (word.ends_with("al")) return cut(word, 1) + "ux";
  if (word.ends_with("eau") || (word.ends_with("eu") && word != "bleu")) {
    return std::string(word) + "x";
  }
  return std::string(word) + "s";
}

std::string agree(const Adjective& adjective, bool feminine, bool plural, std::string_view before) {
  if (feminine) return std::string(adjective.fr_feminine) + (plural ? "s" : "");
  if (plural) return plural_form(adjective.fr);
  return *adjective.fr_vowel && vowel_sound(before) ? adjective.fr_vowel : adjective.fr;
}

std::string present(const Verb& verb, Slot slot) {
  const auto index = static_cast<size_t>(slot);
  if (*verb.present) return words_of(verb.present).at(index);
  const std::string_view infinitive = verb.infinitive;
  std::string stem = cut(infinitive, 2);
  if (infinitive.ends_with("ir")) {
    static constexpr const char* kEndings[] = {"is", "it", "issons", "issez", "issent"};
    return stem + kEndings[index];
  }
  require(infinitive.ends_with("er"), "french: expected -er or -ir for a rule, got '{}'",
          infinitive);
  static constexpr const char* kEndings[] = {"e", "e", "ons", "ez", "ent"};
  if (slot == Slot::nous) {  // the sound of the stem stays: mangeons, commençons
    if (stem.ends_with('g')) stem += 'e';
    if (stem.ends_with('c')) stem = cut(stem, 1) + "ç";
  }
  return stem + kEndings[index];
}

std::string future(const Verb& verb, Slot slot) {
  static constexpr const char* kEndings[] = {"ai", "a", "ons", "ez", "ont"};
  return std::string(verb.future_stem) + kEndings[static_cast<size_t>(slot)];
}

std::string participle(const Verb& verb, bool feminine, bool plural) {
  std::string form = verb.participle;
  if (form.empty()) {
    const std::string_view infinitive = verb.infinitive;
    form = cut(infinitive, 2) + (infinitive.ends_with("er")   ? "é"
                                 : infinitive.ends_with("ir") ? "i"
                                                              : "u");
  }
  return form + (feminine ? "e" : "") + (plural ? "s" : "");
}

std::string contract(std::string_view preposition, std::string_view article) {
  if (preposition == "de") return article == "le" ? "du" : article == "les" ? "des" : "";
  if (preposition == "à") return article == "le" ? "au" : article == "les" ? "aux" : "";
  return "";
}

std::string elided(std::string_view word) {
  for (const std::string_view w : {"le", "la", "je", "me", "ne", "de"}) {
    if (word == w) return cut(w, 1) + "'";
  }
  return word == "que" ? "qu'" : "";
}

}  // namespace heed::translate
