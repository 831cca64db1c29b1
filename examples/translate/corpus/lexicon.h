// The words of micro en-fr, as plain tables: what a dictionary would say, no grammar.
// Sorted by what they are, not by how they are used; `find_*` is for tests and hand-made sentences.
#pragma once
#include <span>
#include <string_view>

namespace heed::translate {

enum class Kind : unsigned { person = 1, animal = 2, thing = 4, food = 8, place = 16 };
constexpr unsigned bits(Kind k) {
  return static_cast<unsigned>(k);
}
constexpr unsigned kAnyKind = 31;

struct Noun {
  const char *en, *en_plural;  ///< plural "" = used in the singular only; spaces separate tokens
  const char *fr, *fr_plural;  ///< fr_plural "" = by rule
  bool feminine;
  Kind kind;
};

/// Body parts whose French word depends on the owner: the leg of a table is its foot.
struct PartNoun {
  const char *en, *en_plural;
  Noun of_person, of_thing;
  const char* things;  ///< the owners that are things, by their English nouns
};

struct Adjective {
  const char* en;
  const char *fr, *fr_feminine;
  const char* fr_vowel;  ///< masculine singular before a vowel sound (bel), or "" = the same
  bool before_noun;
  bool predicate;  ///< can follow "is"
};

enum Frame : unsigned {
  kIntransitive = 1,
  kTransitive = 2,
  kDitransitive = 4,
  kTo = 8,
  kFrom = 16
};

struct Verb {
  const char *en, *en_s;
  const char *en_past, *en_ing;  ///< "" = the verb is not used in that tense
  const char* infinitive;        ///< group 1 (-er) and 2 (-ir) are conjugated by rule ...
  const char* present;           ///< ... others list je, il, nous, vous, ils; "" = by rule
  const char* participle;        ///< "" = by rule
  const char* future_stem;       ///< "" = not used in the future
  bool etre;                     ///< the perfect takes être
  unsigned frames;
  unsigned objects;  ///< kinds of noun the verb takes as direct object
};

struct Name {
  const char* text;
  bool feminine;
};

struct Preposition {
  const char *en, *fr;
  int en_head;       ///< which English token carries the sure link
  unsigned objects;  ///< kinds of noun it takes
};

struct WordPair {
  const char *en, *fr;
};

std::span<const Noun> nouns();
std::span<const PartNoun> part_nouns();
std::span<const Adjective> adjectives();
std::span<const Verb> verbs();  ///< ordinary verbs; the special ones follow by name
extern const Verb kConnaitre, kSavoir, kManquer, kPlaire, kEtre, kAvoir;
std::span<const Name> names();
std::span<const Preposition> prepositions();
std::span<const WordPair> adverbs();
std::span<const WordPair> question_words();

/// Index of the entry with this English word. Throws std::invalid_argument if there is none.
int find_noun(std::string_view en);
int find_adjective(std::string_view en);
int find_name(std::string_view text);
const Verb* find_verb(std::string_view en);

/// True for the few French words here whose h forbids elision (le héros, la hache).
bool is_h_aspire(std::string_view fr);

}  // namespace heed::translate
