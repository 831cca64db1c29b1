// Random sentences: clauses, then decoration. The probabilities here and in sampler_clause.cpp are
// tuned by hand to the tag counts that tests/examples/corpus_test.cpp asks for.
#include "examples/translate/corpus/sampler.h"

#include <vector>

#include "examples/translate/corpus/sampler_parts.h"

namespace heed::translate {
namespace {

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
      rng, phrases, 0.48, [&](const NounPhrase& np) { return kind(np) != Kind::animal; },
      [&](NounPhrase& np) {
        const Kind k = kind(np);
        np.noun = draw(rng, nouns(), [=](const Noun& n) { return n.kind == k && is_compound(n); });
      });
  decorate_one(rng, phrases, 0.62, free, [&](NounPhrase& np) {
    np.genitive = chance(rng, 0.9);
    np.owner = {owner_phrase(rng, np.genitive)};
    np.det = Det::the;
    np.plural = np.plural && np.number != 0;
  });
  decorate_one(rng, phrases, 0.44, bare, [&](NounPhrase& np) {
    np.adjectives = {adjective(rng, true), adjective(rng, false)};
  });
  decorate_one(rng, phrases, 0.66, bare,
               [&](NounPhrase& np) { np.adjectives = {adjective(rng, false)}; });
  decorate_one(rng, phrases, 0.08, bare,
               [&](NounPhrase& np) { np.adjectives = {adjective(rng, true)}; });
  decorate_one(
      rng, phrases, 0.28, [&](const NounPhrase& np) { return free(np) && can_be_plural(np); },
      [&](NounPhrase& np) {
        using enum Det;
        np.det = choose(
            rng, {many, few, enough, too_many, so_many, fewer, several, certain, all_the, both});
        np.plural = true;
      });
  decorate_one(rng, phrases, 0.58, free, [&](NounPhrase& np) {
    using enum Det;
    np.det = choose(rng, {my, his, her, our, your, their});
  });
  decorate_one(
      rng, phrases, 0.44, [&](const NounPhrase& np) { return free(np) && can_be_plural(np); },
      [&](NounPhrase& np) {
        np.det = Det::number;
        np.number = static_cast<int>(rng.below(100));
        np.plural = np.number != 1;
      });
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
  const bool control = chance(rng, 0.9);
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
  switch (pick(rng, {0.435, 0.295, 0.27})) {
    case 0:
      return coordination(rng, 3 + pick(rng, {0.84, 0.13, 0.03}));
    case 1:
      return question(rng);
    default:
      break;
  }
  Sentence s;
  s.clauses = {chance(rng, 0.25) ? control_clause(rng) : clause(rng)};
  decorate(rng, s);
  return s;
}

}  // namespace heed::translate
