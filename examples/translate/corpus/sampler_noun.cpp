// Random choices and random noun phrases. See sampler_parts.h.
#include <string_view>

#include "examples/translate/corpus/french.h"
#include "examples/translate/corpus/sampler_parts.h"

namespace heed::translate {

bool chance(Rng& rng, double p) {
  return rng.uniform() < p;
}

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

void plain_determiner(Rng& rng, NounPhrase& np, bool can_be_plural) {
  using enum Det;
  np.plural = false;
  switch (pick(rng, {0.60, 0.22, 0.10, 0.08})) {
    case 0:
      np.det = the;
      break;
    case 1:
      np.det = choose(rng, {my, his, her, our, your, their});
      break;
    case 2:
      np.det = this_;
      break;
    default:
      np.det = a;
      np.plural = false;
      return;
  }
  np.plural = can_be_plural && chance(rng, 0.4);
}

bool is_compound(const Noun& n) {
  return std::string_view(n.en).find(' ') != std::string_view::npos ||
         std::string_view(n.fr).find(' ') != std::string_view::npos;
}

int noun_index(Rng& rng, unsigned kinds) {
  return draw(rng, nouns(),
              [&](const Noun& n) { return (bits(n.kind) & kinds) != 0 && !is_compound(n); });
}

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
  if (chance(rng, 0.85)) return contracting(rng, bits(Kind::person), singular);
  NounPhrase np;
  np.noun = noun_index(rng, bits(Kind::person));
  plain_determiner(rng, np, !singular && *nouns()[size_t(np.noun)].en_plural);
  return np;
}

namespace {

/// Indefinite ones as well; numbers and quantifiers come with `decorate`.
void any_determiner(Rng& rng, NounPhrase& np, bool can_be_plural) {
  using enum Det;
  switch (pick(rng, {0.60, 0.25, can_be_plural ? 0.15 : 0.0})) {
    case 0:
      plain_determiner(rng, np, can_be_plural);
      break;
    case 1:
      np.det = choose(rng, {a, a, each, every, another});
      break;
    default:
      np.det = some;
      np.plural = true;
  }
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

}  // namespace

NounPhrase noun_phrase_of(Rng& rng, unsigned kinds, bool plain) {
  if ((kinds & bits(Kind::thing)) && chance(rng, 0.13)) return part_phrase(rng);
  NounPhrase np;
  np.noun = noun_index(rng, kinds);
  const bool can_be_plural = *nouns()[size_t(np.noun)].en_plural;
  plain ? plain_determiner(rng, np, can_be_plural) : any_determiner(rng, np, can_be_plural);
  return np;
}

NounPhrase subject_phrase(Rng& rng) {
  using enum Pronoun;
  switch (pick(rng, {0.48, 0.10, 0.42})) {
    case 0:
      return pronoun(choose(rng, {i, i, he, she, we, we, you, you, they}));
    case 1:
      return name(rng);
    default:
      return noun_phrase_of(rng, bits(Kind::person) | bits(Kind::animal), true);
  }
}

}  // namespace heed::translate
