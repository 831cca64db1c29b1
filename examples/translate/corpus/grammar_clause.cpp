// Clauses: tense, negation, clitics, agreement of verb and participle, inversion of arguments.
#include <algorithm>

#include "core/error.h"
#include "examples/translate/corpus/draft.h"

namespace heed::translate {
namespace {

const Verb& french_verb(const Clause& c) {
  if (c.type == Clause::Type::copula) return kEtre;
  if (c.type == Clause::Type::know_that) return kSavoir;
  return *c.verb;
}

/// Auxiliary ("" = none) and main verb ("" = none, the copula).
struct EnglishVerb {
  std::string aux, main;
};

EnglishVerb english_verb(const Clause& c, Slot slot, bool question) {
  const std::string be = slot == Slot::je ? "am" : slot == Slot::il ? "is" : "are";
  if (c.type == Clause::Type::copula) return {be, ""};
  const Verb& verb = french_verb(c);
  const bool support = question || c.negation == Negation::not_;
  switch (c.tense) {
    case Tense::progressive:
      return {be, verb.en_ing};
    case Tense::future:
      return {"will", verb.en};
    case Tense::past:
      return support ? EnglishVerb{"did", verb.en} : EnglishVerb{"", verb.en_past};
    case Tense::present:
      break;
  }
  if (support) return {slot == Slot::il ? "does" : "do", verb.en};
  return {"", slot == Slot::il ? verb.en_s : verb.en};
}

std::string finite_form(const Verb& verb, Tense tense, Slot slot) {
  if (tense == Tense::past) return present(verb.etre ? kEtre : kAvoir, slot);
  return tense == Tense::future ? future(verb, slot) : present(verb, slot);
}

/// The finite verb with its foils: another person of the same number, the other number.
int finite_word(Draft& d, const Verb& verb, Tense tense, Slot slot) {
  using enum Slot;
  static constexpr Slot kOtherPerson[] = {il, je, vous, nous, nous};
  static constexpr Slot kOtherNumber[] = {nous, ils, je, vous, il};
  const int f = d.french(finite_form(verb, tense, slot));
  FrenchWord& word = d.fr[size_t(f)];
  const auto foil = [&](FoilKind kind, Slot other) {
    const std::string form = finite_form(verb, tense, other);
    if (form != word.text) word.foil[kind] = form;
  };
  foil(kPerson, kOtherPerson[size_t(slot)]);
  foil(kNumber, kOtherNumber[size_t(slot)]);
  return f;
}

/// The verb group under construction, by id; -1 = absent.
struct Group {
  int en_aux = -1, en_main = -1, fr_finite = -1, fr_participle = -1;
  std::vector<int> en_negation, fr_ne, fr_second;  ///< not; ne; pas
  int en_nothing = -1;
};

void negation(Draft& d, Negation n, Group& g) {
  if (n == Negation::none) return;
  static constexpr const char* kSecond[] = {"", "pas", "jamais", "plus", "rien"};
  static constexpr const char* kFoil[] = {"", "plus", "pas", "pas", "pas"};
  const int ne = d.french("ne"), second = d.french(kSecond[size_t(n)]);
  d.fr[size_t(second)].foil[kNegation] = kFoil[size_t(n)];
  g.fr_ne = {ne};
  g.fr_second = {second};
  if (n == Negation::no_longer) {
    g.en_negation = {d.english("no"), d.english("longer")};
  } else if (n == Negation::nothing) {
    g.en_nothing = d.english("nothing");
  } else {
    g.en_negation = {d.english(n == Negation::not_ ? "not" : "never")};
  }
  const int first = g.en_nothing >= 0 ? g.en_nothing : g.en_negation.front();
  const int last = g.en_nothing >= 0 ? g.en_nothing : g.en_negation.back();
  d.sure(first, ne);
  d.sure(last, second);
  d.tag(Tag::neg, {ne, second});
}

/// Whom a participle agrees with, and whether that is only our convention (i, we, you).
struct Agrees {
  Agreement with;
  bool convention = true;
};

int participle_word(Draft& d, const Verb& verb, const Agrees& a) {
  const int f = d.french(participle(verb, a.with.feminine, a.with.plural));
  if (!a.convention) {
    d.fr[size_t(f)].foil[kGender] = participle(verb, !a.with.feminine, a.with.plural);
    d.fr[size_t(f)].foil[kNumber] = participle(verb, a.with.feminine, !a.with.plural);
  }
  return f;
}

Group verb_group(Draft& d, const Clause& c, bool question, Slot english, Slot french,
                 const Agrees& agrees) {
  Group g;
  const EnglishVerb en = english_verb(c, english, question);
  const Verb& verb = french_verb(c);
  if (!en.aux.empty()) g.en_aux = d.english(en.aux);
  if (!en.main.empty()) g.en_main = d.english(en.main);
  g.fr_finite = finite_word(d, verb, c.tense, french);
  if (c.tense == Tense::past) {
    g.fr_participle = participle_word(d, verb, agrees);
    d.sure(g.en_main, g.fr_participle);
    d.possible(g.en_main, g.fr_finite);
  } else {
    d.sure(g.en_main >= 0 ? g.en_main : g.en_aux, g.fr_finite);
  }
  if (g.en_aux >= 0 && g.en_main >= 0) d.possible(g.en_aux, g.fr_finite);
  negation(d, c.negation, g);
  if (c.tense != Tense::present) {
    d.tag(Tag::tense, g.fr_finite);
    if (g.fr_participle >= 0) d.tag(Tag::tense, g.fr_participle);
  }
  return g;
}

/// The arguments of a clause, each on its place on either side.
struct Arguments {
  Nominal subject;    ///< the French subject
  Slot english_slot;  ///< the English subject's
  std::vector<int> en_subject;
  Phrase after;               ///< what follows the verb on either side
  std::vector<int> clitics;   ///< French, in order
  std::vector<int> relation;  ///< all words of an inverted relation (SWAP-ARG), without the verb
  Agrees participle;
};

/// me, te, nous, vous before le, la, les before lui, leur.
int clitic_rank(const std::string& word) {
  if (word == "lui" || word == "leur") return 2;
  return word == "le" || word == "la" || word == "les" ? 1 : 0;
}

void add_clitic(Draft& d, const Clause& c, Arguments& a, int f) {
  d.held_out |= is_held_out(french_verb(c).infinitive, d.fr[size_t(f)].text);
  a.clitics.push_back(f);
}

/// Preposition and noun phrase, both sides, at the end of the clause.
void prepositional(Draft& d, Arguments& a, std::string_view en, std::string_view fr, int en_head,
                   const NounPhrase& np) {
  std::vector<int> e, f;
  for (const auto& word : words_of(en)) e.push_back(d.english(word));
  for (const auto& word : words_of(fr)) f.push_back(d.french(word));
  d.sure(e[size_t(en_head)], f[0]);
  for (size_t i = 0; i < e.size(); ++i) {
    if (static_cast<int>(i) != en_head) d.possible(e[i], f[0]);
  }
  for (size_t j = 1; j < f.size(); ++j) d.possible(e[size_t(en_head)], f[j]);
  const Phrase p = noun_phrase(d, np).phrase;
  append(a.after.en, e);
  append(a.after.en, p.en);
  append(a.after.fr, f);
  append(a.after.fr, p.fr);
}

bool is_pronoun(const NounPhrase& np) {
  return np.type == NounPhrase::Type::pronoun;
}

/// Subject and object change places: "i miss you" is "vous me manquez".
Arguments swapped(Draft& d, const Clause& c) {
  Arguments a;
  const NounPhrase &x = c.subject, &y = c.direct.at(0);
  const Nominal from =
      is_pronoun(x) ? pronoun_phrase(d, x.pronoun, true, Role::indirect) : noun_phrase(d, x);
  a.english_slot = from.agreement.slot;
  a.en_subject = from.phrase.en;
  a.subject =
      is_pronoun(y) ? pronoun_phrase(d, y.pronoun, false, Role::subject) : noun_phrase(d, y);
  a.after.en = a.subject.phrase.en;
  if (is_pronoun(x)) {
    add_clitic(d, c, a, from.phrase.fr[0]);
  } else {
    const int to = d.french("à");
    a.after.fr = {to};
    append(a.after.fr, from.phrase.fr);
  }
  a.relation = a.subject.phrase.fr;
  append(a.relation, a.clitics);
  append(a.relation, a.after.fr);
  return a;
}

void direct_object(Draft& d, const Clause& c, Arguments& a) {
  const NounPhrase& np = c.direct[0];
  if (!is_pronoun(np)) {
    const Phrase p = noun_phrase(d, np, c.negation != Negation::none).phrase;
    append(a.after.en, p.en);
    append(a.after.fr, p.fr);
    return;
  }
  const Nominal p = pronoun_phrase(d, np.pronoun, false, Role::direct);
  append(a.after.en, p.phrase.en);
  add_clitic(d, c, a, p.phrase.fr[0]);
  a.participle = {p.agreement, p.convention};
}

void indirect_object(Draft& d, const Clause& c, Arguments& a) {
  const NounPhrase& np = c.indirect[0];
  if (!is_pronoun(np)) {
    prepositional(d, a, "to", "à", 0, np);
    return;
  }
  const int to = d.english("to");
  const Nominal p = pronoun_phrase(d, np.pronoun, false, Role::indirect);
  a.after.en.push_back(to);
  append(a.after.en, p.phrase.en);
  d.possible(to, p.phrase.fr[0]);
  add_clitic(d, c, a, p.phrase.fr[0]);
}

Arguments straight(Draft& d, const Clause& c, const Agreement* antecedent) {
  Arguments a;
  a.subject = noun_phrase(d, c.subject);
  a.english_slot = a.subject.agreement.slot;
  a.en_subject = a.subject.phrase.en;
  if (c.verb && c.verb->etre) a.participle = {a.subject.agreement, a.subject.convention};
  if (antecedent) a.participle = {*antecedent, false};
  if (!c.direct.empty()) direct_object(d, c, a);
  if (!c.indirect.empty()) indirect_object(d, c, a);
  std::ranges::stable_sort(a.clitics, {}, [&](int f) { return clitic_rank(d.fr[size_t(f)].text); });
  if (!c.place.empty()) {
    const bool to = c.verb->frames & kTo;
    prepositional(d, a, to ? "to" : "from", to ? "à" : "de", 0, c.place[0]);
  }
  return a;
}

void complements(Draft& d, const Clause& c, Arguments& a) {
  if (c.predicate >= 0) {
    const auto [e, f] =
        adjective_pair(d, c.predicate, a.subject.agreement, "", a.subject.convention);
    a.after.en.push_back(e);
    a.after.fr.push_back(f);
    if (c.subject.type == NounPhrase::Type::noun) {
      d.held_out |=
          is_held_out(nouns()[size_t(c.subject.noun)].en, adjectives()[size_t(c.predicate)].en);
    }
    if (!c.subject.relative.empty()) d.tag(Tag::agr_long, f);
  }
  for (const PrepPhrase& p : c.circumstance) {
    const Preposition& word = prepositions()[size_t(p.preposition)];
    prepositional(d, a, word.en, word.fr, word.en_head, p.noun);
  }
  if (c.adverb >= 0) {
    const auto [e, f] = d.pair(adverbs()[size_t(c.adverb)].en, adverbs()[size_t(c.adverb)].fr);
    a.after.en.push_back(e);
    a.after.fr.push_back(f);
  }
  if (!c.content.empty()) {
    const auto [e, f] = d.pair("that", "que");
    const Phrase p = clause_phrase(d, c.content[0], false, nullptr);
    a.after.en.push_back(e);
    a.after.fr.push_back(f);
    append(a.after.en, p.en);
    append(a.after.fr, p.fr);
  }
}

void tag_clause(Draft& d, const Clause& c, const Arguments& a, const Group& g) {
  std::vector<int> verb = {g.fr_finite};
  if (g.fr_participle >= 0) verb.push_back(g.fr_participle);
  if (!a.clitics.empty()) {
    d.tag(Tag::clitic, a.clitics);
    if (c.negation != Negation::none) {
      std::vector<int> all = g.fr_ne;
      append(all, a.clitics);
      append(all, g.fr_second);
      d.tag(Tag::neg_clitic, all);
    }
  }
  if (c.type == Clause::Type::swap) {
    d.tag(Tag::swap_arg, a.relation);
    d.tag(Tag::swap_arg, verb);
    // the à of "manque à l' homme" comes from the verb
    if (a.clitics.empty()) d.possible(g.en_main, a.after.fr[0]);
  }
  if (c.type == Clause::Type::know_that || c.verb == &kConnaitre) d.tag(Tag::lex_ctx, verb);
  if (!c.subject.relative.empty()) d.tag(Tag::agr_long, verb);
}

}  // namespace

Phrase clause_phrase(Draft& d, const Clause& c, bool question, const Agreement* antecedent) {
  Arguments a = c.type == Clause::Type::swap ? swapped(d, c) : straight(d, c, antecedent);
  const Group g =
      verb_group(d, c, question, a.english_slot, a.subject.agreement.slot, a.participle);
  tag_clause(d, c, a, g);
  complements(d, c, a);
  Phrase out;
  if (question) {
    const int est_ce = d.french("est-ce"), que = d.french("que");
    d.possible(g.en_aux, est_ce);
    d.possible(g.en_aux, que);
    d.tag(Tag::question, {est_ce, que});
    out.fr = {est_ce, que};
    out.en = {g.en_aux};
  }
  append(out.en, a.en_subject);
  if (!question && g.en_aux >= 0) out.en.push_back(g.en_aux);
  append(out.en, g.en_negation);
  if (g.en_main >= 0) out.en.push_back(g.en_main);
  if (g.en_nothing >= 0) out.en.push_back(g.en_nothing);
  append(out.en, a.after.en);
  append(out.fr, a.subject.phrase.fr);
  append(out.fr, g.fr_ne);
  append(out.fr, a.clitics);
  out.fr.push_back(g.fr_finite);
  append(out.fr, g.fr_second);
  if (g.fr_participle >= 0) out.fr.push_back(g.fr_participle);
  append(out.fr, a.after.fr);
  return out;
}

}  // namespace heed::translate
