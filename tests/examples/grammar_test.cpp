// The grammar of micro en-fr against sentences translated by hand, some for each phenomenon.
#include "examples/translate/corpus/grammar.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "examples/translate/corpus/french.h"

namespace heed::translate {
namespace {

using enum Pronoun;
using enum Tense;
using enum Negation;

// Small words to write derivations with.

NounPhrase pro(Pronoun p) {
  NounPhrase np;
  np.type = NounPhrase::Type::pronoun;
  np.pronoun = p;
  return np;
}

NounPhrase called(const char* text) {
  NounPhrase np;
  np.type = NounPhrase::Type::name;
  np.name = find_name(text);
  return np;
}

/// "big red car", with a "+" at the end for the plural; the noun may be two words joined by "_".
NounPhrase noun(Det det, std::string_view text) {
  NounPhrase np;
  np.det = det;
  np.plural = text.ends_with('+');
  if (np.plural) text.remove_suffix(1);
  std::vector<std::string> words = words_of(text);
  std::ranges::replace(words.back(), '_', ' ');
  np.noun = find_noun(words.back());
  words.pop_back();
  for (const std::string& w : words) np.adjectives.push_back(find_adjective(w));
  return np;
}

NounPhrase the(std::string_view text) {
  return noun(Det::the, text);
}

NounPhrase count(int n, std::string_view text) {
  NounPhrase np = noun(Det::number, text);
  np.number = n;
  return np;
}

NounPhrase owned(NounPhrase owner, std::string_view text, bool genitive = true) {
  NounPhrase np = the(text);
  np.owner = {std::move(owner)};
  np.genitive = genitive;
  return np;
}

NounPhrase part(int index, NounPhrase owner, bool genitive, bool plural = false) {
  NounPhrase np;
  np.type = NounPhrase::Type::part;
  np.noun = index;
  np.owner = {std::move(owner)};
  np.genitive = genitive;
  np.plural = plural;
  return np;
}

Clause does(NounPhrase subject, const Verb* verb, Tense tense = present, Negation n = none) {
  Clause c;
  c.subject = std::move(subject);
  c.verb = verb;
  c.tense = tense;
  c.negation = n;
  return c;
}

Clause does(NounPhrase subject, const char* verb, Tense tense = present, Negation n = none) {
  return does(std::move(subject), find_verb(verb), tense, n);
}

Clause with(Clause c, NounPhrase direct) {
  c.direct = {std::move(direct)};
  return c;
}

Clause to(Clause c, NounPhrase indirect) {
  c.indirect = {std::move(indirect)};
  return c;
}

Clause at(Clause c, NounPhrase place) {
  c.place = {std::move(place)};
  return c;
}

Clause where(Clause c, const char* preposition, NounPhrase np) {
  PrepPhrase p;
  while (prepositions()[size_t(p.preposition)].en != std::string_view(preposition)) ++p.preposition;
  p.noun = std::move(np);
  c.circumstance = {p};
  return c;
}

Clause swapped(NounPhrase subject, const Verb& verb, NounPhrase object, Tense tense = present,
               Negation n = none) {
  Clause c = with(does(std::move(subject), &verb, tense, n), std::move(object));
  c.type = Clause::Type::swap;
  return c;
}

Clause is(NounPhrase subject, const char* adjective, Negation n = none) {
  Clause c = does(std::move(subject), static_cast<const Verb*>(nullptr), present, n);
  c.type = Clause::Type::copula;
  c.predicate = find_adjective(adjective);
  return c;
}

Clause knows_that(NounPhrase subject, Clause content, Negation n = none) {
  Clause c = does(std::move(subject), static_cast<const Verb*>(nullptr), present, n);
  c.type = Clause::Type::know_that;
  c.content = {std::move(content)};
  return c;
}

NounPhrase that(NounPhrase np, Clause relative) {
  np.relative = {std::move(relative)};
  return np;
}

std::string joined(const std::vector<std::string>& tokens) {
  return fmt::format("{}", fmt::join(tokens, " "));
}

std::string links(const std::vector<Link>& list) {
  std::string text;
  for (const Link& l : list) text += fmt::format("{}{}-{}", text.empty() ? "" : " ", l.src, l.tgt);
  return text;
}

/// Realises and compares both sides; the tag, if any, must be among the tags.
void expect(const Sentence& s, std::string_view en, std::string_view fr, std::string_view tag) {
  const Example e = realise(s).example;
  EXPECT_EQ(joined(e.src), en);
  EXPECT_EQ(joined(e.tgt), fr);
  if (!tag.empty()) {
    EXPECT_NE(std::ranges::find(e.tags, tag), e.tags.end()) << en << ": no tag " << tag;
  }
}

void expect(const Clause& c, std::string_view en, std::string_view fr, std::string_view tag = "") {
  expect(Sentence{{c}}, en, fr, tag);
}

void expect_question(const Clause& c, std::string_view en, std::string_view fr, int word = -1) {
  expect(Sentence{{c}, true, word}, en, fr, "QUESTION");
}

TEST(MicroGrammar, PlainClauses) {
  expect(with(does(pro(he), "see"), the("dog")), "he sees the dog", "il voit le chien", "MONO");
  expect(with(does(pro(we), "eat"), noun(Det::each, "pear")), "we eat each pear",
         "nous mangeons chaque poire", "MONO");
  expect(does(pro(we), "begin"), "we begin", "nous commençons", "MONO");
  expect(with(does(pro(they), "buy"), noun(Det::a, "umbrella")), "they buy an umbrella",
         "ils achètent un parapluie", "MONO");
  expect(with(does(pro(you), "choose"), noun(Det::some, "shoe+")), "you choose some shoes",
         "vous choisissez des chaussures", "MONO");
}

TEST(MicroGrammar, AdjectivesStandBeforeOrAfterAndAgree) {
  expect(is(the("red car"), "dirty"), "the red car is dirty", "la voiture rouge est sale",
         "ADJ-POST");
  expect(with(does(pro(i), "want"), the("big red car")), "i want the big red car",
         "je veux la grande voiture rouge", "ADJ-MIX");
  expect(with(does(called("paul"), "sell"), noun(Det::a, "small green house")),
         "paul sells a small green house", "paul vend une petite maison verte", "AGR-NP");
  expect(with(does(pro(i), "see"), noun(Det::a, "beautiful tree")), "i see a beautiful tree",
         "je vois un bel arbre", "AGR-NP");
  expect(with(does(pro(i), "see"), the("new hotel")), "i see the new hotel",
         "je vois le nouvel hôtel", "AGR-NP");
  expect(with(does(pro(i), "see"), noun(Det::this_, "old man")), "i see this old man",
         "je vois ce vieil homme", "AGR-NP");
  expect(with(does(pro(i), "see"), noun(Det::this_, "old hero")), "i see this old hero",
         "je vois ce vieux héros");
  expect(with(does(pro(i), "see"), noun(Det::this_, "tree")), "i see this tree",
         "je vois cet arbre");
  expect(with(does(pro(i), "see"), noun(Det::some, "old white horse+")),
         "i see some old white horses", "je vois de vieux chevaux blancs", "ADJ-MIX");
  expect(with(does(pro(i), "see"), the("beautiful loyal animal+")),
         "i see the beautiful loyal animals", "je vois les beaux animaux loyaux", "AGR-NP");
  expect(with(does(pro(i), "see"), the("new dry clock+")), "i see the new dry clocks",
         "je vois les nouvelles horloges sèches", "ADJ-MIX");
}

TEST(MicroGrammar, AgreementOverAClause) {
  expect(is(that(the("girl+"), does(pro(i), "see")), "tall"), "the girls that i see are tall",
         "les filles que je vois sont grandes", "AGR-LONG");
  // the participle agrees with the object before it
  expect(is(that(the("letter+"), does(pro(he), "find", past)), "useless"),
         "the letters that he found are useless", "les lettres qu' il a trouvées sont inutiles",
         "AGR-LONG");
  expect(is(that(noun(Det::my, "aunt"), does(called("anna"), "invite", past)), "happy"),
         "my aunt that anna invited is happy", "ma tante qu' anna a invitée est heureuse",
         "AGR-LONG");
}

TEST(MicroGrammar, NegationSurroundsTheVerb) {
  expect(does(pro(i), "sleep", present, not_), "i do not sleep", "je ne dors pas", "NEG");
  expect(does(called("luc"), "work", past, never), "luc never worked", "luc n' a jamais travaillé",
         "NEG");
  expect(does(pro(she), "leave", past, not_), "she did not leave", "elle n' est pas partie", "NEG");
  expect(does(pro(he), "see", past, nothing), "he saw nothing", "il n' a rien vu", "NEG");
  expect(with(does(pro(they), "eat", future, no_longer), the("bread")),
         "they will no longer eat the bread", "ils ne mangeront plus le pain", "NEG");
  // un and des become de
  expect(with(does(pro(i), "have", present, not_), noun(Det::a, "dog")), "i do not have a dog",
         "je n' ai pas de chien", "NEG");
  expect(with(does(pro(i), "see", present, not_), noun(Det::some, "tree+")),
         "i do not see any trees", "je ne vois pas d' arbres", "NEG");
}

TEST(MicroGrammar, CliticsStandBeforeTheVerbInFixedOrder) {
  expect(with(does(pro(i), "see"), pro(he)), "i see him", "je le vois", "CLITIC");
  expect(with(to(does(pro(i), "give"), pro(she)), pro(it)), "i give it to her", "je le lui donne",
         "CLITIC");
  expect(with(to(does(pro(he), "give"), pro(i)), pro(it)), "he gives it to me", "il me le donne",
         "CLITIC");
  expect(with(to(does(pro(you), "show"), pro(they)), pro(she)), "you show her to them",
         "vous la leur montrez", "CLITIC");
  expect(with(does(called("marie"), "find", past), pro(she)), "marie found her",
         "marie l' a trouvée", "CLITIC");
  expect(with(does(pro(i), "see", past), pro(they)), "i saw them", "je les ai vus", "CLITIC");
  expect(with(does(pro(i), "see", present, not_), pro(he)), "i do not see him", "je ne le vois pas",
         "NEG+CLITIC");
  expect(with(does(pro(we), "help", present, never), pro(you)), "we never help you",
         "nous ne vous aidons jamais", "NEG+CLITIC");
  expect(with(does(pro(i), "lose", past, not_), pro(it)), "i did not lose it",
         "je ne l' ai pas perdu", "NEG+CLITIC");
}

TEST(MicroGrammar, ElisionDependsOnTheNextWord) {
  expect(with(does(pro(i), "love"), the("man")), "i love the man", "j' aime l' homme", "ELISION");
  expect(with(does(pro(i), "admire"), the("hero")), "i admire the hero", "j' admire le héros",
         "ELISION");
  expect(with(does(pro(i), "want"), the("axe")), "i want the axe", "je veux la hache", "ELISION");
  expect(with(does(pro(i), "see"), the("high house")), "i see the high house",
         "je vois la haute maison");
  expect(knows_that(pro(i), does(called("emma"), "sing")), "i know that emma sings",
         "je sais qu' emma chante", "ELISION");
}

TEST(MicroGrammar, PrepositionAndArticleContract) {
  expect(at(does(pro(he), "go"), the("park")), "he goes to the park", "il va au parc", "CONTRACT");
  expect(at(does(pro(he), "go"), the("school")), "he goes to the school", "il va à l' école");
  expect(at(does(pro(he), "go"), the("city")), "he goes to the city", "il va à la ville");
  expect(at(does(pro(we), "go", future), the("island+")), "we will go to the islands",
         "nous irons aux îles", "CONTRACT");
  expect(at(does(pro(they), "come"), the("office+")), "they come from the offices",
         "ils viennent des bureaux", "CONTRACT");
  expect(where(does(pro(i), "work"), "near", the("market")), "i work near the market",
         "je travaille près du marché", "CONTRACT");
  expect(where(does(pro(i), "sleep"), "in front of", the("house")), "i sleep in front of the house",
         "je dors devant la maison");
  expect(to(with(does(pro(i), "lend"), the("book")), the("nephew+")),
         "i lend the book to the nephews", "je prête le livre aux neveux", "CONTRACT");
}

TEST(MicroGrammar, GenitivesTurnRound) {
  expect(with(does(pro(i), "see"), owned(the("teacher"), "red book")),
         "i see the teacher 's red book", "je vois le livre rouge du professeur", "GENITIVE");
  expect(with(does(pro(i), "see"), owned(called("alice"), "cake+")), "i see alice 's cakes",
         "je vois les gâteaux d' alice", "GENITIVE");
  expect(with(does(pro(i), "see"), owned(noun(Det::my, "uncle"), "big clock")),
         "i see my uncle 's big clock", "je vois la grande horloge de mon oncle", "GENITIVE");
  expect(with(does(pro(i), "see"), owned(the("hero"), "horse", false)),
         "i see the horse of the hero", "je vois le cheval du héros", "CONTRACT");
}

TEST(MicroGrammar, CompoundsHaveOtherWordCounts) {
  expect(with(does(pro(i), "see"), noun(Det::a, "apple_tree")), "i see an apple tree",
         "je vois un pommier", "COMPOUND");
  expect(with(does(pro(i), "eat"), the("cold potato+")), "i eat the cold potatoes",
         "je mange les pommes de terre froides", "COMPOUND");
  expect(with(does(pro(i), "use"), noun(Det::her, "old typewriter")), "i use her old typewriter",
         "j' utilise sa vieille machine à écrire", "COMPOUND");
}

TEST(MicroGrammar, Tenses) {
  expect(with(does(pro(he), "eat", past), the("apple")), "he ate the apple", "il a mangé la pomme",
         "TENSE");
  expect(at(does(pro(she), "go", past), the("church")), "she went to the church",
         "elle est allée à l' église", "TENSE");
  expect(with(does(pro(he), "eat", future), the("apple")), "he will eat the apple",
         "il mangera la pomme", "TENSE");
  expect(with(does(pro(he), "eat", progressive), the("apple")), "he is eating the apple",
         "il mange la pomme", "TENSE");
  expect(does(the("nurse+"), "fall", past), "the nurses fell", "les infirmières sont tombées",
         "TENSE");
  expect(at(does(pro(i), "come", future), the("beach")), "i will come from the beach",
         "je viendrai de la plage", "TENSE");
}

TEST(MicroGrammar, Questions) {
  expect_question(with(does(pro(you), "see"), the("cat")), "do you see the cat ?",
                  "est-ce que vous voyez le chat ?");
  expect_question(with(does(pro(he), "see", past, not_), pro(they)), "did he not see them ?",
                  "est-ce qu' il ne les a pas vus ?");
  expect_question(is(the("soup"), "cold"), "is the soup cold ?",
                  "est-ce que la soupe est froide ?");
  expect_question(does(pro(she), "sing", progressive), "is she singing ?",
                  "est-ce qu' elle chante ?", -1);
  expect_question(does(called("adam"), "sleep"), "why does adam sleep ?",
                  "pourquoi est-ce qu' adam dort ?", 0);
}

TEST(MicroGrammar, ArgumentsChangePlaces) {
  expect(swapped(pro(i), kManquer, pro(you)), "i miss you", "vous me manquez", "SWAP-ARG");
  expect(swapped(the("man"), kManquer, the("girl")), "the man misses the girl",
         "la fille manque à l' homme", "SWAP-ARG");
  expect(swapped(the("king"), kManquer, pro(they), past), "the king missed them",
         "ils ont manqué au roi", "SWAP-ARG");
  expect(swapped(pro(they), kPlaire, the("story+"), present, not_), "they do not like the stories",
         "les histoires ne leur plaisent pas", "SWAP-ARG");
}

TEST(MicroGrammar, ContextChoosesTheWord) {
  expect(with(does(pro(i), &kConnaitre), called("eric")), "i know eric", "je connais eric",
         "LEX-CTX");
  expect(knows_that(pro(you), does(pro(he), "eat", present, nothing), not_),
         "you do not know that he eats nothing", "vous ne savez pas qu' il ne mange rien",
         "LEX-CTX");
  expect(with(does(pro(i), "see"), part(0, the("table"), false)), "i see the leg of the table",
         "je vois le pied de la table", "LEX-CTX");
  expect(with(does(pro(i), "see"), part(0, the("boy"), true, true)), "i see the boy 's legs",
         "je vois les jambes du garçon", "LEX-CTX");
  expect(with(does(pro(i), "see"), part(1, the("clock"), true, true)), "i see the clock 's hands",
         "je vois les aiguilles de l' horloge", "LEX-CTX");
  expect(with(does(pro(i), "see"), part(2, noun(Det::a, "bottle"), false)),
         "i see the neck of a bottle", "je vois le goulot d' une bouteille", "LEX-CTX");
}

TEST(MicroGrammar, Possessives) {
  expect(with(does(pro(i), "see"), noun(Det::her, "brother")), "i see her brother",
         "je vois son frère", "POSS");
  expect(with(does(pro(i), "see"), noun(Det::her, "sister")), "i see her sister", "je vois sa sœur",
         "POSS");
  expect(with(does(pro(i), "see"), noun(Det::his, "school")), "i see his school",
         "je vois son école", "POSS");
  expect(with(does(pro(i), "see"), noun(Det::his, "big school")), "i see his big school",
         "je vois sa grande école", "POSS");
  expect(with(does(pro(i), "see"), noun(Det::my, "axe")), "i see my axe", "je vois ma hache",
         "POSS");
  expect(with(does(pro(i), "see"), noun(Det::their, "egg+")), "i see their eggs",
         "je vois leurs œufs", "POSS");
}

TEST(MicroGrammar, NumbersAndQuantities) {
  expect(with(does(called("paul"), "have"), count(47, "book+")), "paul has 47 books",
         "paul a 47 livres", "NUM/NAME");
  expect(with(does(pro(i), "see"), count(0, "red car+")), "i see 0 red cars",
         "je vois 0 voiture rouge", "NUM/NAME");
  expect(with(does(pro(i), "see"), noun(Det::many, "friend+")), "i see many friends",
         "je vois beaucoup d' amis");
  expect(with(does(pro(i), "see"), noun(Det::all_the, "picture+")), "i see all the pictures",
         "je vois toutes les images");
  expect(to(with(does(pro(i), "show"), the("ring")), noun(Det::both, "brother+")),
         "i show the ring to both brothers", "je montre la bague aux deux frères", "CONTRACT");
  expect(with(does(pro(i), "see"), noun(Det::another, "island")), "i see another island",
         "je vois une autre île");
}

TEST(MicroGrammar, CoordinationAndLinks) {
  const Sentence s{{with(does(pro(he), "see"), the("dog")), does(pro(i), "sleep", present, not_),
                    swapped(pro(i), kManquer, pro(you))}};
  expect(s, "he sees the dog and i do not sleep and i miss you",
         "il voit le chien et je ne dors pas et vous me manquez", "COORD");
  const Example e = realise(s).example;
  EXPECT_EQ(links(e.sure), "0-0 1-1 2-2 3-3 4-4 5-5 7-6 8-7 7-8 9-9 12-10 10-11 11-12");
  EXPECT_EQ(links(e.possible), "6-7");
}

TEST(MicroGrammar, LinksOfTheAwkwardWords) {
  const auto both = [](const Clause& c, bool question = false) {
    const Example e = realise(Sentence{{c}, question}).example;
    return links(e.sure) + " | " + links(e.possible);
  };
  // he goes to the park : il va au parc
  EXPECT_EQ(both(at(does(pro(he), "go"), the("park"))), "0-0 1-1 2-2 4-3 | 3-2");
  // i see the teacher 's red book : je vois le livre rouge du professeur
  EXPECT_EQ(both(with(does(pro(i), "see"), owned(the("teacher"), "red book"))),
            "0-0 1-1 6-3 5-4 4-5 3-6 | 2-2 2-5");
  // i give it to her : je le lui donne
  EXPECT_EQ(both(with(to(does(pro(i), "give"), pro(she)), pro(it))), "0-0 2-1 4-2 1-3 | 3-2");
  // do you see the cat ? : est-ce que vous voyez le chat ?
  EXPECT_EQ(both(with(does(pro(you), "see"), the("cat")), true),
            "1-2 2-3 3-4 4-5 5-6 | 0-0 0-1 0-3");
  // i see an apple tree : je vois un pommier
  EXPECT_EQ(both(with(does(pro(i), "see"), noun(Det::a, "apple_tree"))), "0-0 1-1 2-2 3-3 | 4-3");
  // i eat the potato : je mange la pomme de terre
  EXPECT_EQ(both(with(does(pro(i), "eat"), the("potato"))), "0-0 1-1 2-2 3-3 | 3-4 3-5");
  // she went to the church : elle est allée à l' église
  EXPECT_EQ(both(at(does(pro(she), "go", past), the("church"))), "0-0 1-2 2-3 3-4 4-5 | 1-1");
}

TEST(MicroGrammar, RefusesAQuestionOfTwoClauses) {
  EXPECT_THROW(realise(Sentence{{does(pro(i), "sleep"), does(pro(he), "sing")}, true}),
               std::invalid_argument);
}

}  // namespace
}  // namespace heed::translate
