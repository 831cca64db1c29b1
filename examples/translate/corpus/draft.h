// A sentence pair under construction: words by id, links and tags by id, so that phrases can be put
// in different orders on the two sides. Internal to the grammar.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "examples/translate/corpus/french.h"
#include "examples/translate/corpus/grammar.h"

namespace heed::translate {

enum FoilKind { kGender, kNumber, kNegation, kPerson, kFoilKinds };

struct FrenchWord {
  std::string text;
  std::array<std::string, kFoilKinds> foil;  ///< "" = none of this kind
};

/// Words of a phrase in the order of each side, by id.
struct Phrase {
  std::vector<int> en, fr;
};

struct Draft {
  std::vector<std::string> en;
  std::vector<FrenchWord> fr;
  struct IdLink {
    int en, fr;
    bool sure;
  };
  std::vector<IdLink> links;
  std::array<std::vector<int>, kTags> owned;  ///< French ids by tag
  std::vector<Phrase> clauses;                ///< for MONO
  bool held_out = false;

  int english(std::string_view word);
  int french(std::string_view word);
  void sure(int e, int f) { links.push_back({e, f, true}); }
  void possible(int e, int f) { links.push_back({e, f, false}); }
  void tag(Tag t, int f) { owned[static_cast<size_t>(t)].push_back(f); }
  void tag(Tag t, const std::vector<int>& f);
  /// A word pair that translates one to one; returns {english id, french id}.
  std::pair<int, int> pair(std::string_view e, std::string_view f);
};

void append(std::vector<int>& to, const std::vector<int>& from);

/// Keeps one pair in twenty, by the words, for the combo split.
bool is_held_out(std::string_view a, std::string_view b);

/// Contraction, elision, positions, MONO: the last pass over the whole sentence.
Realised finish(Draft d, const Phrase& sentence);

// Noun phrases (grammar_noun.cpp).
struct Nominal {
  Phrase phrase;
  Agreement agreement;
  bool convention = false;  ///< i, we, you: the agreement is ours, another would be French as well
};
enum class Role { subject, direct, indirect };
/// `negated`: a direct object under negation, where un and des become de.
Nominal noun_phrase(Draft& d, const NounPhrase& np, bool negated = false);
/// English and French forms of a pronoun in the roles it has on the two sides.
Nominal pronoun_phrase(Draft& d, Pronoun p, bool english_subject, Role french);
/// An adjective that agrees; `before` is the next French word or "". Returns {english, french}.
std::pair<int, int> adjective_pair(Draft& d, int adjective, const Agreement& a,
                                   std::string_view before, bool convention);

// Clauses (grammar_clause.cpp).
/// `antecedent`: the agreement of the noun a relative clause hangs on, its direct object.
Phrase clause_phrase(Draft& d, const Clause& c, bool question, const Agreement* antecedent);

}  // namespace heed::translate
