// Noun phrases: determiner, adjectives on their side of the noun, compounds, owners, relatives.
// French is written from right to left where a form depends on the next word (bel, mon, cet).
#include "core/error.h"
#include "examples/translate/corpus/draft.h"

namespace heed::translate {
namespace {

struct PronounForms {
  const char *en_subject, *en_object, *fr_subject, *fr_direct, *fr_indirect;
  Agreement agreement;
  bool convention;
};

const PronounForms& forms(Pronoun p) {
  static constexpr PronounForms kForms[] = {
      {"i", "me", "je", "me", "me", {Slot::je, false, false}, true},
      {"he", "him", "il", "le", "lui", {Slot::il, false, false}, false},
      {"she", "her", "elle", "la", "lui", {Slot::il, true, false}, false},
      {"we", "us", "nous", "nous", "nous", {Slot::nous, false, true}, true},
      {"you", "you", "vous", "vous", "vous", {Slot::vous, false, true}, true},
      {"they", "them", "ils", "les", "leur", {Slot::ils, false, true}, false},
      {"it", "it", "il", "le", "lui", {Slot::il, false, false}, false},
  };
  return kForms[static_cast<size_t>(p)];
}

bool begins_with_vowel_letter(std::string_view english) {
  return std::string_view("aeiou").find(english.front()) != std::string_view::npos;
}

/// What a determiner is about: the noun's features and the words that follow on both sides.
struct DetContext {
  bool feminine, plural, en_plural;
  std::string fr_next, en_next;
  bool negated, adjective_first;
};

const char* article(const DetContext& c) {
  return c.plural ? "les" : c.feminine ? "la" : "le";
}

/// "many" -> "beaucoup de": the last English word carries the last sure link.
void quantity(Draft& d, Phrase& p, std::string_view en, std::string_view head) {
  for (const auto& word : words_of(en)) p.en.push_back(d.english(word));
  p.fr = {d.french(head), d.french("de")};
  d.sure(p.en.front(), p.fr[0]);
  for (const int e : p.en) {
    if (e != p.en.front()) d.possible(e, p.fr[0]);
    d.possible(e, p.fr[1]);
  }
}

void possessive(Draft& d, Phrase& p, Det det, const DetContext& c) {
  struct Row {
    const char *en, *masculine, *feminine, *plural;
  };
  static constexpr Row kRows[] = {
      {"my", "mon", "ma", "mes"},        {"his", "son", "sa", "ses"},
      {"her", "son", "sa", "ses"},       {"our", "notre", "notre", "nos"},
      {"your", "votre", "votre", "vos"}, {"their", "leur", "leur", "leurs"}};
  const Row& row = kRows[static_cast<size_t>(det) - static_cast<size_t>(Det::my)];
  const bool vowel = vowel_sound(c.fr_next);
  const char* word = c.plural ? row.plural : c.feminine && !vowel ? row.feminine : row.masculine;
  const auto [e, f] = d.pair(row.en, word);
  if (!c.plural && !vowel && row.feminine != std::string_view(row.masculine)) {
    d.fr[static_cast<size_t>(f)].foil[kGender] = c.feminine ? row.masculine : row.feminine;
  }
  d.tag(Tag::poss, f);
  p = {{e}, {f}};
}

/// One English word, one French word, both inflected.
void simple(Draft& d, Phrase& p, std::string_view en, std::string_view fr,
            std::string_view other_gender) {
  const auto [e, f] = d.pair(en, fr);
  d.fr[static_cast<size_t>(f)].foil[kGender] = other_gender;
  p = {{e}, {f}};
}

/// Several words on a side: `sure` lists {english, french} places; the rest is possible.
void unequal(Draft& d, Phrase& p, std::string_view en, std::string_view fr,
             std::span<const Link> sure, std::span<const Link> possible) {
  for (const auto& word : words_of(en)) p.en.push_back(d.english(word));
  for (const auto& word : words_of(fr)) p.fr.push_back(d.french(word));
  for (const Link& l : sure) d.sure(p.en[size_t(l.src)], p.fr[size_t(l.tgt)]);
  for (const Link& l : possible) d.possible(p.en[size_t(l.src)], p.fr[size_t(l.tgt)]);
}

/// Under negation "un chien" and "des chiens" are "de chien(s)", and de has no sure counterpart.
void bare_de(Draft& d, Phrase& p, std::string_view en) {
  p = {{d.english(en)}, {d.french("de")}};
  d.possible(p.en[0], p.fr[0]);
}

Phrase determiner(Draft& d, const NounPhrase& np, const DetContext& c) {
  Phrase p;
  const char* an = begins_with_vowel_letter(c.en_next) ? "an" : "a";
  const bool fem = c.feminine;
  switch (np.det) {
    case Det::the:
      simple(d, p, "the", article(c), c.plural ? "" : fem ? "le" : "la");
      break;
    case Det::a:
      if (c.negated) {
        bare_de(d, p, an);
      } else {
        simple(d, p, an, fem ? "une" : "un", fem ? "un" : "une");
      }
      break;
    case Det::this_:
      if (c.plural) {
        simple(d, p, "these", "ces", "");
      } else if (fem || !vowel_sound(c.fr_next)) {
        simple(d, p, "this", fem ? "cette" : "ce",
               vowel_sound(c.fr_next) ? ""
               : fem                  ? "ce"
                                      : "cette");
      } else {
        simple(d, p, "this", "cet", "cette");
      }
      break;
    case Det::some:
      if (c.negated) {
        bare_de(d, p, "any");
      } else {  // des becomes de before an adjective: de petites maisons
        simple(d, p, "some", c.adjective_first ? "de" : "des", "");
      }
      break;
    case Det::many:
      quantity(d, p, "many", "beaucoup");
      break;
    case Det::few:
      quantity(d, p, "few", "peu");
      break;
    case Det::enough:
      quantity(d, p, "enough", "assez");
      break;
    case Det::too_many:
      quantity(d, p, "too many", "trop");
      break;
    case Det::so_many:
      quantity(d, p, "so many", "tant");
      break;
    case Det::fewer:
      quantity(d, p, "fewer", "moins");
      break;
    case Det::each:
      simple(d, p, "each", "chaque", "");
      break;
    case Det::every:
      simple(d, p, "every", "chaque", "");
      break;
    case Det::several:
      simple(d, p, "several", "plusieurs", "");
      break;
    case Det::certain:
      simple(d, p, "certain", fem ? "certaines" : "certains", fem ? "certains" : "certaines");
      break;
    case Det::all_the: {
      static constexpr Link kSure[] = {{0, 0}, {1, 1}};
      unequal(d, p, "all the", fem ? "toutes les" : "tous les", kSure, {});
      d.fr[size_t(p.fr[0])].foil[kGender] = fem ? "tous" : "toutes";
      break;
    }
    case Det::both: {
      static constexpr Link kSure[] = {{0, 1}}, kPossible[] = {{0, 0}};
      unequal(d, p, "both", "les deux", kSure, kPossible);
      break;
    }
    case Det::another: {
      static constexpr Link kSure[] = {{0, 1}}, kPossible[] = {{0, 0}};
      unequal(d, p, "another", fem ? "une autre" : "un autre", kSure, kPossible);
      d.fr[size_t(p.fr[0])].foil[kGender] = fem ? "un" : "une";
      break;
    }
    case Det::number: {
      const std::string digits = std::to_string(np.number);
      simple(d, p, digits, digits, "");
      d.tag(Tag::num_name, p.fr);
      break;
    }
    default:
      possessive(d, p, np.det, c);
  }
  return p;
}

/// The noun itself: the first words of a compound carry the sure link.
Phrase noun_words(Draft& d, std::string_view english, const Noun& noun, bool plural,
                  bool other_exists) {
  const std::string fr_plural_form =
      *noun.fr_plural ? std::string(noun.fr_plural) : plural_form(noun.fr);
  const auto en = words_of(english);
  const auto fr = words_of(plural ? fr_plural_form : noun.fr);
  const auto other = words_of(plural ? noun.fr : fr_plural_form);
  Phrase p;
  for (const auto& word : en) p.en.push_back(d.english(word));
  for (const auto& word : fr) p.fr.push_back(d.french(word));
  d.sure(p.en[0], p.fr[0]);
  for (size_t i = 1; i < en.size(); ++i) d.possible(p.en[i], p.fr[0]);
  for (size_t j = 1; j < fr.size(); ++j) d.possible(p.en[0], p.fr[j]);
  if (other[0] != fr[0] && other_exists) d.fr[size_t(p.fr[0])].foil[kNumber] = other[0];
  if (en.size() + fr.size() > 2) d.tag(Tag::compound, p.fr);
  return p;
}

/// The English words of the noun: singular and plural ("" = none).
std::pair<const char*, const char*> english_noun(const NounPhrase& np) {
  if (np.type == NounPhrase::Type::part) {
    return {part_nouns()[size_t(np.noun)].en, part_nouns()[size_t(np.noun)].en_plural};
  }
  return {nouns()[size_t(np.noun)].en, nouns()[size_t(np.noun)].en_plural};
}

/// What gives the French noun.
const Noun& noun_of(const NounPhrase& np) {
  if (np.type == NounPhrase::Type::noun) return nouns()[size_t(np.noun)];
  const NounPhrase& owner = np.owner.at(0);
  const bool person =
      owner.type != NounPhrase::Type::noun || nouns()[size_t(owner.noun)].kind == Kind::person;
  const PartNoun& part = part_nouns()[size_t(np.noun)];
  return person ? part.of_person : part.of_thing;
}

/// AGR-NP: the adjective shows a gender or a number that English does not.
void tag_agreement(Draft& d, int adjective, int f) {
  if (d.fr[size_t(f)].text != adjectives()[size_t(adjective)].fr) d.tag(Tag::agr_np, f);
}

struct Core {
  std::vector<int> en, fr;  ///< adjectives and noun in order
  bool adjective_first = false;
};

/// Noun with its adjectives, and the tags of adjective order and agreement.
Core noun_and_adjectives(Draft& d, const NounPhrase& np, const Noun& noun, const Agreement& a) {
  Core core;
  const auto [singular, plural] = english_noun(np);
  const Phrase head = noun_words(d, np.plural ? plural : singular, noun, a.plural, *plural);
  core.fr = head.fr;
  std::vector<int> en_adjectives(np.adjectives.size());
  bool after = false;
  for (size_t i = 0; i < np.adjectives.size(); ++i) {  // after the noun, left to right
    if (adjectives()[size_t(np.adjectives[i])].before_noun) continue;
    const auto [e, f] = adjective_pair(d, np.adjectives[i], a, "", false);
    en_adjectives[i] = e;
    core.fr.push_back(f);
    tag_agreement(d, np.adjectives[i], f);
    after = true;
  }
  for (size_t i = np.adjectives.size(); i-- > 0;) {  // before the noun, right to left
    if (!adjectives()[size_t(np.adjectives[i])].before_noun) continue;
    const std::string next = d.fr[size_t(core.fr.front())].text;  // a copy: d.fr grows
    const auto [e, f] = adjective_pair(d, np.adjectives[i], a, next, false);
    en_adjectives[i] = e;
    core.fr.insert(core.fr.begin(), f);
    tag_agreement(d, np.adjectives[i], f);
    core.adjective_first = true;
  }
  for (const int adjective : np.adjectives) {
    d.held_out |= is_held_out(singular, adjectives()[size_t(adjective)].en);
  }
  if (after) d.tag(core.adjective_first ? Tag::adj_mix : Tag::adj_post, core.fr);
  core.en = en_adjectives;
  append(core.en, head.en);
  return core;
}

}  // namespace

Nominal pronoun_phrase(Draft& d, Pronoun p, bool english_subject, Role french) {
  const PronounForms& form = forms(p);
  const char* fr = french == Role::subject  ? form.fr_subject
                   : french == Role::direct ? form.fr_direct
                                            : form.fr_indirect;
  const auto [e, f] = d.pair(english_subject ? form.en_subject : form.en_object, fr);
  return {{{e}, {f}}, form.agreement, form.convention};
}

std::pair<int, int> adjective_pair(Draft& d, int adjective, const Agreement& a,
                                   std::string_view before, bool convention) {
  const Adjective& adj = adjectives()[size_t(adjective)];
  const std::string form = agree(adj, a.feminine, a.plural, before);
  const auto [e, f] = d.pair(adj.en, form);
  if (!convention) {
    FrenchWord& word = d.fr[size_t(f)];
    const std::string gender = agree(adj, !a.feminine, a.plural, before);
    const std::string number = agree(adj, a.feminine, !a.plural, before);
    if (gender != form) word.foil[kGender] = gender;
    if (number != form) word.foil[kNumber] = number;
  }
  return {e, f};
}

Nominal noun_phrase(Draft& d, const NounPhrase& np, bool negated) {
  if (np.type == NounPhrase::Type::pronoun) {
    return pronoun_phrase(d, np.pronoun, true, Role::subject);
  }
  if (np.type == NounPhrase::Type::name) {
    const Name& name = names()[size_t(np.name)];
    const auto [e, f] = d.pair(name.text, name.text);
    d.tag(Tag::num_name, f);
    return {{{e}, {f}}, {Slot::il, name.feminine, false}};
  }
  const Noun& noun = noun_of(np);
  const bool plural = np.plural && !(np.det == Det::number && np.number == 0);
  Nominal out{{}, {plural ? Slot::ils : Slot::il, noun.feminine, plural}};
  const Core core = noun_and_adjectives(d, np, noun, out.agreement);
  if (np.type == NounPhrase::Type::part) d.tag(Tag::lex_ctx, core.fr);
  const DetContext context{noun.feminine,
                           plural,
                           np.plural,
                           d.fr[size_t(core.fr[0])].text,
                           d.en[size_t(core.en[0])],
                           negated,
                           core.adjective_first};
  Phrase owner;
  if (!np.owner.empty()) owner = noun_phrase(d, np.owner[0]).phrase;
  if (np.genitive) {
    const int s = d.english("'s"), de = d.french("de"), le = d.french(article(context));
    d.sure(s, de);
    const bool the = np.owner[0].type == NounPhrase::Type::noun && np.owner[0].det == Det::the;
    d.possible(the ? owner.en.front() : s, le);
    out.phrase = {owner.en, {le}};
    out.phrase.en.push_back(s);
    append(out.phrase.en, core.en);
    append(out.phrase.fr, core.fr);
    out.phrase.fr.push_back(de);
    append(out.phrase.fr, owner.fr);
    d.tag(Tag::genitive, out.phrase.fr);
    return out;
  }
  out.phrase = determiner(d, np, context);
  if (np.det == Det::number && np.number == 0) d.fr[size_t(core.fr[0])].foil[kNumber].clear();
  append(out.phrase.en, core.en);
  append(out.phrase.fr, core.fr);
  if (!np.owner.empty()) {
    const auto [of, de] = d.pair("of", "de");
    out.phrase.en.push_back(of);
    out.phrase.fr.push_back(de);
    append(out.phrase.en, owner.en);
    append(out.phrase.fr, owner.fr);
  }
  if (!np.relative.empty()) {
    const auto [that, que] = d.pair("that", "que");
    out.phrase.en.push_back(that);
    out.phrase.fr.push_back(que);
    const Phrase clause = clause_phrase(d, np.relative[0], false, &out.agreement);
    append(out.phrase.en, clause.en);
    append(out.phrase.fr, clause.fr);
  }
  return out;
}

}  // namespace heed::translate
