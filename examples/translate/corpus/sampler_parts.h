// The parts of the sampler: random choices, noun phrases, clauses. Internal to sampler*.cpp.
#pragma once
#include <initializer_list>

#include "core/rng.h"
#include "examples/translate/corpus/derivation.h"

namespace heed::translate {

bool chance(Rng& rng, double p);
/// Index drawn by weight.
size_t pick(Rng& rng, std::initializer_list<double> weights);

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

// Noun phrases (sampler_noun.cpp): bare ones; adjectives, owners and numbers come in sampler.cpp.

NounPhrase pronoun(Pronoun p);
NounPhrase name(Rng& rng);
bool is_compound(const Noun& n);
/// A noun of these kinds, no compound.
int noun_index(Rng& rng, unsigned kinds);
/// Sets a determiner that is no indefinite plural, and with it the number: right after a
/// preposition, with 's, and under negation.
void plain_determiner(Rng& rng, NounPhrase& np, bool can_be_plural);
/// "the" with a noun before which de and à merge with the article: du, au, des, aux.
NounPhrase contracting(Rng& rng, unsigned kinds, bool singular);
/// Whose it is: a person.
NounPhrase owner_phrase(Rng& rng, bool singular);
/// A noun of these kinds with its determiner; `plain` as above.
NounPhrase noun_phrase_of(Rng& rng, unsigned kinds, bool plain);
NounPhrase subject_phrase(Rng& rng);

// Clauses (sampler_clause.cpp).

/// Any clause.
Clause clause(Rng& rng);
/// A clause that goes word by word: "the dog sees a cat".
Clause control_clause(Rng& rng);

}  // namespace heed::translate
