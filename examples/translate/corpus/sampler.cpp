// See sampler.h. The probabilities below are tuned by hand to the tag counts that
// tests/examples/corpus_test.cpp asks for; they are the only numbers of the corpus that are.
#include "examples/translate/corpus/sampler.h"

#include <initializer_list>
#include <string_view>

#include "examples/translate/corpus/french.h"

namespace heed::translate {
namespace {

bool chance(Rng& rng, double p) { return rng.uniform() < p; }

/// Index drawn by weight.
size_t pick(Rng& rng, std::initializer_list<double> weights) {
  double total = 0;
  for (const double w : weights) total += w;
  double at = rng.uniform() * total;
  size_t i = 0;
  for (const double w : weights) {
    if (at < w || i + 1 == weights.size()) return i;
    at -= w;
    ++i;
  }
  return i;
}

template <class T>
T choose(Rng& rng, std::initializer_list<T> options) {
  return options.begin()[rng.below(options.size())];
}

/// A random index of `list` that satisfies the condition; one must exist.
template <class List, class Condition>
int draw(Rng& rng, const List& list, Condition fits) {
  for (;;) {
    const auto i = static_cast<size_t>(rng.below(list.size()));
    if (fits(list[i])) return static_cast<int>(i);
  }
}

NounPhrase pronoun(Pronoun p) {
  NounPhrase np;
  np.type = NounPhrase::Type::pronoun;
  np.pronoun = p;
  return np;
}

NounPhrase name(Rng& rng) {
  NounPhrase np;
  np.type = NounPhrase::Type::name;
  np.name = static_cast<int>(rng.below(names().size()));
  return np;
}

Clause clause_of(Clause::Type type) {
  Clause c;
  c.type = type;
  return c;
}

/// Determiners that do not mark an indefinite: after a preposition or 's, and under negation.
void plain_determiner(Rng& rng, NounPhrase& np, bool can_be_plural) {
  using enum Det;
  np.plural = false;
  switch (pick(rng, {0.60, 0.22, 0.10, 0.08})) {
    case 0: np.det = the; break;
    case 1: np.det = choose(rng, {my, his, her, our, your, their}); break;
    case 2: np.det = this_; break;
    default: np.det = a; np.plural = false; return;
  }
  np.plural = can_be_plural && chance(rng, 0.4);
}

/// Quantifiers as well; numbers come with `decorate`.
void any_determiner(Rng& rng, NounPhrase& np, bool can_be_plural) {
  using enum Det;
  switch (pick(rng, {0.48, 0.25, can_be_plural ? 0.45 : 0.0})) {
    case 0: plain_determiner(rng, np, can_be_plural); break;
    case 1: np.det = choose(rng, {a, a, each, every, another}); break;
    default:
      np.det = choose(rng, {some, some, many, few, enough, too_many, so_many, fewer, several,
                            certain, all_the, both});
      np.plural = true;
  }
}

bool is_compound(const Noun& n) {
  return std::string_view(n.en).find(' ') != std::string_view::npos ||
         std::string_view(n.fr).find(' ') != std::string_view::npos;
}

/// A noun of these kinds, no compound.
int noun_index(Rng& rng, unsigned kinds) {
  return draw(rng, nouns(),
              [&](const Noun& n) { return (bits(n.kind) & kinds) != 0 && !is_compound(n); });
}

/// "the" with a noun before which de and à merge with the article: du, au, des, aux.
NounPhrase contracting(Rng& rng, unsigned kinds, bool singular) {
  NounPhrase np;
  for (;;) {
    np.noun = noun_index(rng, kinds);
    const Noun& noun = nouns()[size_t(np.noun)];
    np.plural = !singular && *noun.en_plural && chance(rng, 0.4);
    if (np.plural || (!noun.feminine && !vowel_sound(noun.fr))) return np;
  }
}

NounPhrase owner_phrase(Rng& rng, bool singular) {
  if (chance(rng, 0.15)) return name(rng);
  if (chance(rng, 0.75)) return contracting(rng, bits(Kind::person), singular);
  NounPhrase np;
  np.noun = noun_index(rng, bits(Kind::person));
  plain_determiner(rng, np, !singular && *nouns()[size_t(np.noun)].en_plural);
  return np;
}

/// The leg of a table or of a man.
NounPhrase part_phrase(Rng& rng) {
  NounPhrase np;
  np.type = NounPhrase::Type::part;
  np.noun = static_cast<int>(rng.below(part_nouns().size()));
  const PartNoun& part = part_nouns()[size_t(np.noun)];
  if (chance(rng, 0.5)) {
    NounPhrase thing;
    const auto owners = words_of(part.things);
    thing.noun = find_noun(owners[size_t(rng.below(owners.size()))]);
    plain_determiner(rng, thing, false);
    np.owner = {thing};
  } else {
    np.owner = {owner_phrase(rng, true)};
  }
  np.genitive = chance(rng, 0.5);
  np.plural = *part.en_plural && chance(rng, 0.5);
  return np;
}

/// A bare noun with its determiner. `plain`: no indefinite determiner.
NounPhrase noun_phrase_of(Rng& rng, unsigned kinds, bool plain) {
  if ((kinds & bits(Kind::thing)) && chance(rng, 0.07)) return part_phrase(rng);
  NounPhrase np;
  np.noun = noun_index(rng, kinds);
  const bool can_be_plural = *nouns()[size_t(np.noun)].en_plural;
  plain ? plain_determiner(rng, np, can_be_plural) : any_determiner(rng, np, can_be_plural);
  return np;
}

NounPhrase subject_phrase(Rng& rng) {
  using enum Pronoun;
  switch (pick(rng, {0.46, 0.18, 0.36})) {
    case 0: return pronoun(choose(rng, {i, i, he, she, we, we, you, you, they}));
    case 1: return name(rng);
    default: return noun_phrase_of(rng, bits(Kind::person) | bits(Kind::animal), true);
  }
}

/// First or second person, which cannot be their own object ("i see me").
bool same_speaker(const NounPhrase& subject, Pronoun object) {
  if (subject.type != NounPhrase::Type::pronoun) return false;
  const auto group = [](Pronoun p) {
    return p == Pronoun::i || p == Pronoun::we ? 1 : p == Pronoun::you ? 2 : 0;
  };
  return group(subject.pronoun) != 0 && group(subject.pronoun) == group(object);
}

NounPhrase object_pronoun(Rng& rng, const NounPhrase& subject, bool person) {
  using enum Pronoun;
  for (;;) {
    const Pronoun p = person ? choose(rng, {i, he, she, we, you, they})
                             : choose(rng, {he, she, it, it, they});
    if (!same_speaker(subject, p)) return pronoun(p);
  }
}

/// The present with probability p, else one of the other tenses the verb is used in, if any.
Tense tense_of(Rng& rng, const Verb& v, double p) {
  std::vector<Tense> others;
  if (*v.en_ing) others.push_back(Tense::progressive);
  if (*v.en_past) others.push_back(Tense::past);
  if (*v.future_stem) others.push_back(Tense::future);
  if (others.empty() || chance(rng, p)) return Tense::present;
  return others[size_t(rng.below(others.size()))];
}

Negation negation_of(Rng& rng, double p) {
  if (!chance(rng, p)) return Negation::none;
  return choose(rng, {Negation::not_, Negation::not_, Negation::not_, Negation::never,
                      Negation::no_longer});
}

/// "never" and "no longer" do not go with "is eating".
void settle(Clause& c) {
  if (c.tense == Tense::progressive && (c.negation == Negation::never || c.negation == Negation::no_longer)) {
    c.negation = Negation::not_;
  }
}

const Verb* verb_with(Rng& rng, unsigned frames) {
  return &verbs()[size_t(draw(rng, verbs(), [=](const Verb& v) { return v.frames & frames; }))];
}

Clause transitive(Rng& rng) {
  Clause c;
  c.subject = subject_phrase(rng);
  c.verb = verb_with(rng, kTransitive | kDitransitive);
  c.tense = tense_of(rng, *c.verb, 0.4);
  const bool clitic = chance(rng, 0.55);
  c.negation = negation_of(rng, clitic ? 0.88 : 0.12);
  const bool negative = c.negation != Negation::none;
  if (clitic) {
    c.direct = {object_pronoun(rng, c.subject, c.verb->objects & bits(Kind::person))};
  } else if (chance(rng, 0.06)) {
    c.negation = Negation::nothing;
  } else {
    c.direct = {noun_phrase_of(rng, c.verb->objects, negative)};
    // under negation "a dog" and "any dogs" are indefinite: pas de chien(s)
    NounPhrase& np = c.direct[0];
    if (negative && np.type == NounPhrase::Type::noun && !np.genitive && chance(rng, 0.4)) {
      np.det = np.plural ? Det::some : Det::a;
    }
  }
  if (c.verb->frames & kDitransitive && c.negation != Negation::nothing) {
    const bool third = !clitic || c.direct[0].pronoun == Pronoun::he ||
                       c.direct[0].pronoun == Pronoun::she || c.direct[0].pronoun == Pronoun::it ||
                       c.direct[0].pronoun == Pronoun::they;
    if (third && chance(rng, clitic ? 0.6 : 0.4)) {
      c.indirect = {object_pronoun(rng, c.subject, true)};
    } else {
      c.indirect = {chance(rng, 0.3) ? name(rng)
                                     : noun_phrase_of(rng, bits(Kind::person), true)};
    }
  }
  settle(c);
  return c;
}

void add_circumstance(Rng& rng, Clause& c, double p) {
  if (!chance(rng, p)) return;
  if (chance(rng, 0.35)) {
    c.adverb = static_cast<int>(rng.below(adverbs().size()));
    return;
  }
  PrepPhrase pp;
  pp.preposition = static_cast<int>(rng.below(prepositions().size()));
  const Preposition& word = prepositions()[size_t(pp.preposition)];
  pp.noun = word.objects & bits(Kind::person) && chance(rng, 0.4)
                ? name(rng)
                : noun_phrase_of(rng, word.objects, true);
  c.circumstance = {pp};
}

Clause intransitive(Rng& rng) {
  Clause c;
  c.subject = subject_phrase(rng);
  const bool motion = chance(rng, 0.4);
  c.verb = motion ? verb_with(rng, kTo | kFrom) : verb_with(rng, kIntransitive);
  c.tense = tense_of(rng, *c.verb, 0.35);
  c.negation = negation_of(rng, 0.2);
  if (motion) {
    c.place = {chance(rng, 0.6) ? contracting(rng, bits(Kind::place), false)
                                : noun_phrase_of(rng, bits(Kind::place), true)};
  } else {
    add_circumstance(rng, c, 0.8);
  }
  settle(c);
  return c;
}

/// "the girls that i see are tall", or the bare "paul is tall".
Clause copula(Rng& rng, bool relative) {
  Clause c = clause_of(Clause::Type::copula);
  if (relative) {
    Clause r;
    r.subject = subject_phrase(rng);
    const bool know = chance(rng, 0.12);
    r.verb = know ? &kConnaitre : verb_with(rng, kTransitive);
    r.tense = tense_of(rng, *r.verb, 0.6);
    c.subject.noun = noun_index(rng, r.verb->objects);
    const bool can_be_plural = *nouns()[size_t(c.subject.noun)].en_plural;
    plain_determiner(rng, c.subject, can_be_plural);
    c.subject.plural = can_be_plural && c.subject.det != Det::a && chance(rng, 0.5);
    c.subject.relative = {r};
  } else {
    c.subject = subject_phrase(rng);
  }
  c.negation = negation_of(rng, 0.15);
  c.predicate = draw(rng, adjectives(), [](const Adjective& a) { return a.predicate; });
  return c;
}

/// "i miss you" and "paul likes the car".
Clause swapped(Rng& rng) {
  Clause c = clause_of(Clause::Type::swap);
  c.verb = chance(rng, 0.6) ? &kManquer : &kPlaire;
  c.subject = subject_phrase(rng);
  c.tense = tense_of(rng, *c.verb, 0.6);
  c.negation = negation_of(rng, c.subject.type == NounPhrase::Type::pronoun ? 0.55 : 0.2);
  if (chance(rng, 0.5)) {
    c.direct = {object_pronoun(rng, c.subject, true)};
  } else if (chance(rng, 0.4)) {
    c.direct = {name(rng)};
  } else {
    c.direct = {noun_phrase_of(rng, kAnyKind, true)};
  }
  return c;
}

Clause known_person(Rng& rng) {
  Clause c;
  c.subject = subject_phrase(rng);
  c.verb = &kConnaitre;
  const bool clitic = chance(rng, 0.4);
  c.negation = negation_of(rng, clitic ? 0.8 : 0.15);
  if (clitic) {
    c.direct = {object_pronoun(rng, c.subject, true)};
  } else if (chance(rng, 0.35)) {
    c.direct = {name(rng)};
  } else {
    c.direct = {noun_phrase_of(rng, bits(Kind::person), true)};
  }
  return c;
}

Clause plain_clause(Rng& rng) {
  switch (pick(rng, {0.52, 0.42, 0.06})) {
    case 0: return transitive(rng);
    case 1: return intransitive(rng);
    default: return copula(rng, false);
  }
}

Clause clause(Rng& rng) {
  switch (pick(rng, {0.33, 0.23, 0.23, 0.12, 0.09})) {
    case 0: return plain_clause(rng);
    case 1: return copula(rng, true);
    case 2: return swapped(rng);
    case 3: return known_person(rng);
    default: {
      Clause c = clause_of(Clause::Type::know_that);
      c.subject = subject_phrase(rng);
      c.negation = negation_of(rng, 0.2);
      c.content = {chance(rng, 0.5) ? plain_clause(rng) : swapped(rng)};
      return c;
    }
  }
}

// Decoration: each phenomenon of the noun phrase is put on one phrase of the sentence that can
// take it, with a probability per sentence, so that the tags are as frequent as we like.

void collect(Clause& c, std::vector<NounPhrase*>& found) {
  found.push_back(&c.subject);
  for (auto* list : {&c.direct, &c.indirect, &c.place}) {
    for (NounPhrase& np : *list) found.push_back(&np);
  }
  for (PrepPhrase& p : c.circumstance) found.push_back(&p.noun);
  for (Clause& inner : c.content) collect(inner, found);
}

/// With probability p, applies `change` to one phrase that fits.
template <class Fits, class Change>
void decorate_one(Rng& rng, const std::vector<NounPhrase*>& phrases, double p, Fits fits,
                  Change change) {
  if (!chance(rng, p)) return;
  std::vector<NounPhrase*> able;
  for (NounPhrase* np : phrases) {
    if (np->type == NounPhrase::Type::noun && fits(*np)) able.push_back(np);
  }
  if (!able.empty()) change(*able[size_t(rng.below(able.size()))]);
}

int adjective(Rng& rng, bool before) {
  return draw(rng, adjectives(), [=](const Adjective& a) { return a.before_noun == before; });
}

void decorate(Rng& rng, Sentence& s) {
  std::vector<NounPhrase*> phrases;
  for (Clause& c : s.clauses) collect(c, phrases);
  const auto kind = [](const NounPhrase& np) { return nouns()[size_t(np.noun)].kind; };
  const auto bare = [](const NounPhrase& np) { return np.adjectives.empty(); };
  const auto free = [](const NounPhrase& np) { return np.owner.empty() && np.relative.empty(); };
  const auto can_be_plural = [](const NounPhrase& np) {
    return *nouns()[size_t(np.noun)].en_plural != 0;
  };
  decorate_one(
      rng, phrases, 0.46, [&](const NounPhrase& np) { return kind(np) != Kind::animal; },
      [&](NounPhrase& np) {
        const Kind k = kind(np);
        np.noun = draw(rng, nouns(), [=](const Noun& n) { return n.kind == k && is_compound(n); });
      });
  decorate_one(rng, phrases, 0.66, free, [&](NounPhrase& np) {
    np.genitive = chance(rng, 0.9);
    np.owner = {owner_phrase(rng, np.genitive)};
    np.det = Det::the;
    np.plural = np.plural && np.number != 0;
  });
  decorate_one(rng, phrases, 0.46, bare, [&](NounPhrase& np) {
    np.adjectives = {adjective(rng, true), adjective(rng, false)};
  });
  decorate_one(rng, phrases, 0.60, bare,
               [&](NounPhrase& np) { np.adjectives = {adjective(rng, false)}; });
  decorate_one(rng, phrases, 0.08, bare,
               [&](NounPhrase& np) { np.adjectives = {adjective(rng, true)}; });
  decorate_one(
      rng, phrases, 0.45,
      [&](const NounPhrase& np) { return free(np) && can_be_plural(np); },
      [&](NounPhrase& np) {
        np.det = Det::number;
        np.number = static_cast<int>(rng.below(100));
        np.plural = np.number != 1;
      });
  decorate_one(rng, phrases, 0.25, free, [&](NounPhrase& np) {
    using enum Det;
    np.det = choose(rng, {my, his, her, our, your, their});
  });
}

/// A clause that goes word by word: "the dog sees a cat".
Clause control_clause(Rng& rng) {
  if (chance(rng, 0.3)) {
    Clause c = copula(rng, true);
    c.negation = Negation::none;
    return c;
  }
  Clause c;
  c.subject = subject_phrase(rng);
  c.verb = verb_with(rng, kTransitive);
  NounPhrase object;
  object.noun = noun_index(rng, c.verb->objects);
  plain_determiner(rng, object, *nouns()[size_t(object.noun)].en_plural);
  c.direct = {object};
  return c;
}

Sentence question(Rng& rng) {
  Sentence s;
  s.clauses = {clause(rng)};
  s.question = true;
  if (chance(rng, 0.3)) s.question_word = static_cast<int>(rng.below(question_words().size()));
  decorate(rng, s);
  return s;
}

/// Clauses joined by "and"; one may stay plain.
Sentence coordination(Rng& rng, size_t count) {
  Sentence s;
  const bool control = chance(rng, 0.8);
  for (size_t i = control ? 1 : 0; i < count; ++i) s.clauses.push_back(clause(rng));
  decorate(rng, s);
  if (control) {
    const auto place = static_cast<std::ptrdiff_t>(rng.below(count));
    s.clauses.insert(s.clauses.begin() + place, control_clause(rng));
  }
  return s;
}

}  // namespace

Sentence sample_sentence(Rng& rng, bool longer) {
  if (longer) return coordination(rng, 4 + rng.below(3));
  switch (pick(rng, {0.44, 0.30, 0.26})) {
    case 0: return coordination(rng, 3 + pick(rng, {0.84, 0.13, 0.03}));
    case 1: return question(rng);
    default: break;
  }
  Sentence s;
  s.clauses = {chance(rng, 0.25) ? control_clause(rng) : clause(rng)};
  decorate(rng, s);
  return s;
}

}  // namespace heed::translate
