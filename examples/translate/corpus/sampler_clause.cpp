// Random clauses. The weights are tuned to the tag counts that tests/examples/corpus_test.cpp asks
// for.
#include <vector>

#include "examples/translate/corpus/sampler_parts.h"

namespace heed::translate {
namespace {

Clause clause_of(Clause::Type type) {
  Clause c;
  c.type = type;
  return c;
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
    const Pronoun p =
        person ? choose(rng, {i, he, she, we, you, they}) : choose(rng, {he, she, it, it, they});
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
  return choose(
      rng, {Negation::not_, Negation::not_, Negation::not_, Negation::never, Negation::no_longer});
}

/// "never" and "no longer" do not go with "is eating".
void settle(Clause& c) {
  if (c.tense == Tense::progressive &&
      (c.negation == Negation::never || c.negation == Negation::no_longer)) {
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
  c.tense = tense_of(rng, *c.verb, 0.28);
  const bool clitic = chance(rng, 0.66);
  c.negation = negation_of(rng, clitic ? 0.97 : 0.06);
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
      c.indirect = {chance(rng, 0.15) ? name(rng) : contracting(rng, bits(Kind::person), false)};
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
  c.negation = negation_of(rng, 0.14);
  if (motion) {
    c.place = {chance(rng, 0.8) ? contracting(rng, bits(Kind::place), false)
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
  c.negation = negation_of(rng, 0.12);
  c.predicate = draw(rng, adjectives(), [](const Adjective& a) { return a.predicate; });
  return c;
}

/// "i miss you" and "paul likes the car".
Clause swapped(Rng& rng) {
  Clause c = clause_of(Clause::Type::swap);
  c.verb = chance(rng, 0.6) ? &kManquer : &kPlaire;
  c.subject = subject_phrase(rng);
  if (c.subject.type == NounPhrase::Type::noun && chance(rng, 0.4)) {
    c.subject = contracting(rng, bits(Kind::person) | bits(Kind::animal), false);
  }
  c.tense = tense_of(rng, *c.verb, 0.6);
  c.negation = negation_of(rng, c.subject.type == NounPhrase::Type::pronoun ? 0.65 : 0.12);
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
  const bool clitic = chance(rng, 0.5);
  c.negation = negation_of(rng, clitic ? 0.9 : 0.1);
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
    case 0:
      return transitive(rng);
    case 1:
      return intransitive(rng);
    default:
      return copula(rng, false);
  }
}

}  // namespace

Clause clause(Rng& rng) {
  switch (pick(rng, {0.30, 0.25, 0.22, 0.13, 0.10})) {
    case 0:
      return plain_clause(rng);
    case 1:
      return copula(rng, true);
    case 2:
      return swapped(rng);
    case 3:
      return known_person(rng);
    default: {
      Clause c = clause_of(Clause::Type::know_that);
      c.subject = subject_phrase(rng);
      c.negation = negation_of(rng, 0.14);
      c.content = {chance(rng, 0.5) ? plain_clause(rng) : swapped(rng)};
      return c;
    }
  }
}

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

}  // namespace heed::translate
