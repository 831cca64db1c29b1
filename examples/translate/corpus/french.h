// French word forms: conjugation, agreement, plurals, and what a vowel does to the word before it.
// Knows no English and no syntax; covers the words of lexicon.h, not the French language.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/translate/corpus/lexicon.h"

namespace heed::translate {

/// Who a verb or an adjective agrees with.
enum class Slot { je, il, nous, vous, ils };
struct Agreement {
  Slot slot = Slot::il;
  bool feminine = false, plural = false;
};

/// True if le, la, je, ... lose their vowel before this word (h aspiré and digits: false).
bool vowel_sound(std::string_view word);

/// Plural of a noun or a masculine adjective by rule: -s, -x (eau, eu), -aux (al), or unchanged.
std::string plural_form(std::string_view word);

/// The form of the adjective; `before` is the next word ("" = none), for bel, nouvel, vieil.
std::string agree(const Adjective& adjective, bool feminine, bool plural, std::string_view before);

std::string present(const Verb& verb, Slot slot);
std::string future(const Verb& verb, Slot slot);
std::string participle(const Verb& verb, bool feminine, bool plural);

/// de + le, à + les, ...: the merged word, or "" if the two stay apart.
std::string contract(std::string_view preposition, std::string_view article);

/// l', j', n', ... for le, la, je, me, ne, de, que; "" for a word that does not elide.
std::string elided(std::string_view word);

/// The text cut at single spaces.
std::vector<std::string> words_of(std::string_view text);

}  // namespace heed::translate
