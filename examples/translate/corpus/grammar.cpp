// From clauses to a finished sentence: joining, contraction (de + le -> du), elision (le + a -> l'
// a), then positions instead of ids.
#include "examples/translate/corpus/grammar.h"

#include <algorithm>

#include "core/error.h"
#include "examples/translate/corpus/draft.h"

namespace heed::translate {

std::string_view tag_name(Tag tag) {
  static constexpr std::string_view kNames[] = {
      "MONO",       "ADJ-POST", "ADJ-MIX",  "AGR-NP",   "AGR-LONG", "NEG",   "CLITIC",
      "NEG+CLITIC", "ELISION",  "CONTRACT", "GENITIVE", "COMPOUND", "TENSE", "QUESTION",
      "SWAP-ARG",   "LEX-CTX",  "POSS",     "NUM/NAME", "COORD"};
  return kNames[static_cast<size_t>(tag)];
}

int Draft::english(std::string_view word) {
  en.emplace_back(word);
  return static_cast<int>(en.size()) - 1;
}

int Draft::french(std::string_view word) {
  fr.push_back({std::string(word), {}});
  return static_cast<int>(fr.size()) - 1;
}

void Draft::tag(Tag t, const std::vector<int>& f) {
  append(owned[static_cast<size_t>(t)], f);
}

std::pair<int, int> Draft::pair(std::string_view e, std::string_view f) {
  const std::pair<int, int> ids{english(e), french(f)};
  sure(ids.first, ids.second);
  return ids;
}

void append(std::vector<int>& to, const std::vector<int>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

bool is_held_out(std::string_view a, std::string_view b) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a over "a|b"
  for (const std::string_view part : {a, std::string_view("|"), b}) {
    for (const char ch : part) hash = (hash ^ static_cast<unsigned char>(ch)) * 1099511628211u;
  }
  return (hash ^ (hash >> 32)) % 20 == 0;
}

namespace {

/// Merges preposition and article. The merged word keeps the preposition's links; the article's
/// become possible, unless the preposition has no sure link of its own.
void contract_all(Draft& d, std::vector<int>& fr, std::vector<int>& merged_into) {
  std::vector<int> out;
  for (size_t i = 0; i < fr.size(); ++i) {
    const int p = fr[i];
    out.push_back(p);
    if (i + 1 == fr.size()) break;
    const int article = fr[i + 1];
    std::string& word = d.fr[size_t(p)].text;
    const std::string next = i + 2 < fr.size() ? d.fr[size_t(fr[i + 2])].text : "";
    const std::string merged = contract(word, d.fr[size_t(article)].text);
    if (merged.empty() || (d.fr[size_t(article)].text == "le" && vowel_sound(next))) {
      if (word == "de" || word == "à")
        d.fr[size_t(article)].foil = {};  // "de le" is no one-word slip
      continue;
    }
    word = merged;
    const bool has_sure =
        std::ranges::any_of(d.links, [p](const Draft::IdLink& l) { return l.fr == p && l.sure; });
    for (Draft::IdLink& l : d.links) {
      if (l.fr == article) l = {l.en, p, l.sure && !has_sure};
    }
    merged_into[size_t(article)] = p;
    d.tag(Tag::contract, p);
    ++i;
  }
  fr = out;
}

void elide_all(Draft& d, const std::vector<int>& fr) {
  for (size_t i = 0; i + 1 < fr.size(); ++i) {
    FrenchWord& word = d.fr[size_t(fr[i])];
    const std::string& next = d.fr[size_t(fr[i + 1])].text;
    const std::string short_form = elided(word.text);
    if (short_form.empty()) continue;
    if (vowel_sound(next)) {
      word = {short_form, {}};
      d.tag(Tag::elision, fr[i]);
    } else if (is_h_aspire(next)) {
      d.tag(Tag::elision, fr[i]);  // the choice not to elide
    }
  }
}

std::vector<int> positions(size_t ids, const std::vector<int>& order) {
  std::vector<int> at(ids, -1);
  for (size_t i = 0; i < order.size(); ++i) at[size_t(order[i])] = static_cast<int>(i);
  return at;
}

/// MONO: a clause whose words link one to one in order, and nothing else.
void tag_mono(Draft& d, const std::vector<int>& en_at, const std::vector<int>& fr_at) {
  for (const Phrase& c : d.clauses) {
    bool mono = c.en.size() == c.fr.size();
    for (size_t i = 0; mono && i < c.fr.size(); ++i) {
      mono = fr_at[size_t(c.fr[i])] >= 0;
      for (const Draft::IdLink& l : d.links) {
        if (l.fr == c.fr[i]) {
          mono &= l.sure && en_at[size_t(l.en)] - en_at[size_t(c.en[0])] == static_cast<int>(i);
        }
      }
    }
    if (mono) d.tag(Tag::mono, c.fr);
  }
}

void collect_links(const Draft& d, const std::vector<int>& en_at, const std::vector<int>& fr_at,
                   Example& e) {
  for (const Draft::IdLink& l : d.links) {
    const Link link{en_at[size_t(l.en)], fr_at[size_t(l.fr)]};
    (l.sure ? e.sure : e.possible).push_back(link);
  }
  const auto by_target = [](const Link& a, const Link& b) {
    return std::pair(a.tgt, a.src) < std::pair(b.tgt, b.src);
  };
  std::ranges::sort(e.sure, by_target);
  std::ranges::sort(e.possible, by_target);
  e.possible.erase(std::unique(e.possible.begin(), e.possible.end()), e.possible.end());
  std::erase_if(e.possible,
                [&e](const Link& l) { return std::ranges::find(e.sure, l) != e.sure.end(); });
}

}  // namespace

Realised finish(Draft d, const Phrase& sentence) {
  std::vector<int> fr = sentence.fr;
  std::vector<int> merged_into(d.fr.size(), -1);
  contract_all(d, fr, merged_into);
  elide_all(d, fr);
  const std::vector<int> en_at = positions(d.en.size(), sentence.en);
  const std::vector<int> fr_at = positions(d.fr.size(), fr);
  tag_mono(d, en_at, fr_at);

  Realised out;
  out.held_out = d.held_out;
  for (const int e : sentence.en) out.example.src.push_back(d.en[size_t(e)]);
  for (size_t i = 0; i < fr.size(); ++i) {
    const FrenchWord& word = d.fr[size_t(fr[i])];
    out.example.tgt.push_back(word.text);
    static constexpr const char* kKinds[] = {"gender", "number", "negation", "person"};
    for (size_t kind = 0; kind < kFoilKinds; ++kind) {
      const std::string& foil = word.foil[kind];
      if (foil.empty() || foil == word.text || vowel_sound(foil) != vowel_sound(word.text))
        continue;
      out.foils.push_back({static_cast<int>(i), foil, kKinds[kind]});
    }
  }
  collect_links(d, en_at, fr_at, out.example);
  for (size_t t = 0; t < kTags; ++t) {
    std::vector<int> at;
    for (const int id : d.owned[t]) {
      at.push_back(fr_at[size_t(merged_into[size_t(id)] >= 0 ? merged_into[size_t(id)] : id)]);
    }
    if (at.empty()) continue;
    std::ranges::sort(at);
    at.erase(std::unique(at.begin(), at.end()), at.end());
    out.example.tags.emplace_back(tag_name(static_cast<Tag>(t)));
    out.example.tag_tokens.push_back(std::move(at));
  }
  return out;
}

Realised realise(const Sentence& sentence) {
  Draft d;
  Phrase whole;
  require(!sentence.question || sentence.clauses.size() == 1,
          "realise: expected one clause in a question, got {}", sentence.clauses.size());
  if (sentence.question_word >= 0) {
    const WordPair& word = question_words()[size_t(sentence.question_word)];
    const auto [e, f] = d.pair(word.en, word.fr);
    d.tag(Tag::question, f);
    whole = {{e}, {f}};
  }
  for (size_t i = 0; i < sentence.clauses.size(); ++i) {
    if (i > 0) {
      const auto [e, f] = d.pair("and", "et");
      whole.en.push_back(e);
      whole.fr.push_back(f);
    }
    const Phrase clause = clause_phrase(d, sentence.clauses[i], sentence.question, nullptr);
    append(whole.en, clause.en);
    append(whole.fr, clause.fr);
    d.clauses.push_back(clause);
  }
  if (sentence.question) {
    const auto [e, f] = d.pair("?", "?");
    whole.en.push_back(e);
    whole.fr.push_back(f);
  }
  if (sentence.clauses.size() >= 3) d.tag(Tag::coord, whole.fr);
  return finish(std::move(d), whole);
}

}  // namespace heed::translate
