// What a sentence of micro en-fr says, before it is put into words: a tree of plain data.
// `realise` (grammar.h) turns it into English, French and their links. A derivation can be written
// by hand; nothing here knows a word form. A vector of one or no element is an optional child.
#pragma once
#include <vector>

#include "examples/translate/corpus/lexicon.h"

namespace heed::translate {

/// you = vous (plural), they = ils, it = le: fixed, so that French is a function of English.
/// i, we and you are masculine.
enum class Pronoun { i, he, she, we, you, they, it };

enum class Det {
  the,
  a,
  this_,
  some,
  many,
  few,
  enough,
  too_many,
  so_many,
  fewer,
  each,
  every,
  several,
  certain,
  all_the,
  both,
  another,
  my,
  his,
  her,
  our,
  your,
  their,
  number
};

enum class Tense { present, progressive, past, future };
enum class Negation { none, not_, never, no_longer, nothing };

struct Clause;

/// A pronoun, a name, or a noun with its satellites.
struct NounPhrase {
  enum class Type { pronoun, name, noun, part } type = Type::noun;
  Pronoun pronoun = Pronoun::he;
  int name = 0;
  int noun = 0;  ///< index into nouns(), or into part_nouns() for Type::part (which has an owner)
  bool plural = false;
  Det det = Det::the;
  int number = 0;                 ///< for Det::number; 1 is singular, 0 is plural in English only
  std::vector<int> adjectives;    ///< English order
  std::vector<NounPhrase> owner;  ///< of the teacher, the teacher 's
  bool genitive = false;         ///< the owner takes 's and stands first in English; singular owner
  std::vector<Clause> relative;  ///< that SUBJECT VERB: the noun is the verb's direct object
};

struct PrepPhrase {
  int preposition = 0;
  NounPhrase noun;
};

struct Clause {
  enum class Type { verb, copula, swap, know_that } type = Type::verb;
  NounPhrase subject;
  const Verb* verb = nullptr;  ///< not for copula and know_that
  Tense tense = Tense::present;
  Negation negation = Negation::none;
  std::vector<NounPhrase> direct, indirect;
  std::vector<NounPhrase> place;  ///< to or from it, for verbs of motion
  std::vector<PrepPhrase> circumstance;
  int adverb = -1;              ///< index into adverbs()
  int predicate = -1;           ///< adjective of a copula
  std::vector<Clause> content;  ///< what is known, for know_that
};

struct Sentence {
  std::vector<Clause> clauses;  ///< joined by "and"
  bool question = false;        ///< of one clause
  int question_word = -1;       ///< index into question_words(), or none
};

}  // namespace heed::translate
