// Adjectives, verbs and small words of micro en-fr. Each verb lists the tenses it is used in, so
// that every form is frequent enough to be learned from 20,000 sentences; verbs of state have no
// "-ing", and no verb is used whose English past looks like its present.
#include "examples/translate/corpus/lexicon.h"

#include <algorithm>

#include "core/error.h"

namespace heed::translate {
namespace {

constexpr bool kBefore = true, kAfter = false;

constexpr Adjective kAdjectives[] = {
    {"big", "grand", "grande", "", kBefore, true},
    {"tall", "grand", "grande", "", kBefore, true},
    {"small", "petit", "petite", "", kBefore, true},
    {"good", "bon", "bonne", "", kBefore, true},
    {"bad", "mauvais", "mauvaise", "", kBefore, true},
    {"young", "jeune", "jeune", "", kBefore, true},
    {"pretty", "joli", "jolie", "", kBefore, true},
    {"fat", "gros", "grosse", "", kBefore, true},
    {"long", "long", "longue", "", kBefore, true},
    {"high", "haut", "haute", "", kBefore, true},
    {"kind", "gentil", "gentille", "", kBefore, true},
    {"first", "premier", "première", "", kBefore, false},
    {"last", "dernier", "dernière", "", kBefore, false},
    {"real", "vrai", "vraie", "", kBefore, false},
    {"former", "ancien", "ancienne", "", kBefore, false},
    {"beautiful", "beau", "belle", "bel", kBefore, true},
    {"new", "nouveau", "nouvelle", "nouvel", kBefore, false},
    {"old", "vieux", "vieille", "vieil", kBefore, true},
    // fou and mou have vowel forms too, but only before a noun, where they are not used today.
    {"crazy", "fou", "folle", "", kAfter, true},
    {"soft", "mou", "molle", "", kAfter, true},
    {"red", "rouge", "rouge", "", kAfter, true},
    {"green", "vert", "verte", "", kAfter, true},
    {"blue", "bleu", "bleue", "", kAfter, true},
    {"black", "noir", "noire", "", kAfter, true},
    {"white", "blanc", "blanche", "", kAfter, true},
    {"yellow", "jaune", "jaune", "", kAfter, true},
    {"grey", "gris", "grise", "", kAfter, true},
    {"rich", "riche", "riche", "", kAfter, true},
    {"strange", "étrange", "étrange", "", kAfter, true},
    {"calm", "calme", "calme", "", kAfter, true},
    {"dirty", "sale", "sale", "", kAfter, true},
    {"clean", "propre", "propre", "", kAfter, true},
    {"sad", "triste", "triste", "", kAfter, true},
    {"happy", "heureux", "heureuse", "", kAfter, true},
    {"dangerous", "dangereux", "dangereuse", "", kAfter, true},
    {"expensive", "cher", "chère", "", kAfter, true},
    {"famous", "célèbre", "célèbre", "", kAfter, true},
    {"french", "français", "française", "", kAfter, true},
    {"english", "anglais", "anglaise", "", kAfter, true},
    {"italian", "italien", "italienne", "", kAfter, true},
    {"heavy", "lourd", "lourde", "", kAfter, true},
    {"round", "rond", "ronde", "", kAfter, true},
    {"cold", "froid", "froide", "", kAfter, true},
    {"dry", "sec", "sèche", "", kAfter, true},
    {"empty", "vide", "vide", "", kAfter, true},
    {"modern", "moderne", "moderne", "", kAfter, true},
    {"weak", "faible", "faible", "", kAfter, true},
    {"useless", "inutile", "inutile", "", kAfter, true},
    {"loyal", "loyal", "loyale", "", kAfter, true},
    {"active", "actif", "active", "", kAfter, true},
};

constexpr unsigned kPerson = bits(Kind::person), kThing = bits(Kind::thing),
                   kFood = bits(Kind::food), kBeing = kPerson | bits(Kind::animal),
                   kGoods = kThing | kFood;

constexpr Verb kVerbs[] = {
    {"see", "sees", "saw", "", "voir", "vois voit voyons voyez voient", "vu", "verr", false,
     kTransitive, kAnyKind},
    {"love", "loves", "", "", "aimer", "", "", "", false, kTransitive, kAnyKind},
    {"find", "finds", "found", "", "trouver", "", "", "", false, kTransitive, kAnyKind},
    {"draw", "draws", "", "drawing", "dessiner", "", "", "", false, kTransitive, kAnyKind},
    {"admire", "admires", "", "", "admirer", "", "", "", false, kTransitive, kAnyKind},
    {"hear", "hears", "", "", "entendre", "entends entend entendons entendez entendent", "", "",
     false, kTransitive, kBeing},
    {"choose", "chooses", "chose", "", "choisir", "", "", "", false, kTransitive, kAnyKind},
    {"lose", "loses", "lost", "", "perdre", "perds perd perdons perdez perdent", "perdu", "", false,
     kTransitive, kGoods},
    {"carry", "carries", "", "carrying", "porter", "", "", "", false, kTransitive, kGoods | kBeing},
    {"watch", "watches", "", "watching", "regarder", "", "", "", false, kTransitive, kAnyKind},
    {"paint", "paints", "painted", "painting", "peindre", "peins peint peignons peignez peignent",
     "peint", "", false, kTransitive, kAnyKind},
    {"punish", "punishes", "", "", "punir", "", "", "", false, kTransitive, kBeing},
    {"help", "helps", "", "helping", "aider", "", "", "", false, kTransitive, kBeing},
    {"invite", "invites", "invited", "", "inviter", "", "", "", false, kTransitive, kPerson},
    {"thank", "thanks", "", "", "remercier", "", "", "", false, kTransitive, kPerson},
    {"eat", "eats", "ate", "eating", "manger", "", "", "manger", false, kTransitive, kFood},
    {"taste", "tastes", "", "", "goûter", "", "", "", false, kTransitive, kFood},
    {"share", "shares", "", "", "partager", "", "", "", false, kTransitive, kGoods},
    {"buy", "buys", "", "buying", "acheter", "achète achète achetons achetez achètent", "", "",
     false, kTransitive, kAnyKind & ~kPerson},
    {"break", "breaks", "", "", "casser", "", "", "", false, kTransitive, kThing},
    {"wash", "washes", "", "washing", "laver", "", "", "", false, kTransitive, kGoods | kBeing},
    {"build", "builds", "", "", "bâtir", "", "", "", false, kTransitive, bits(Kind::place)},
    {"repair", "repairs", "", "repairing", "réparer", "", "", "", false, kTransitive, kThing},
    {"use", "uses", "", "", "utiliser", "", "", "", false, kTransitive, kThing},
    {"want", "wants", "", "", "vouloir", "veux veut voulons voulez veulent", "", "", false,
     kTransitive, kAnyKind & ~kPerson},
    {"have", "has", "", "", "avoir", "ai a avons avez ont", "", "", false, kTransitive, kAnyKind},
    {"give", "gives", "gave", "", "donner", "", "", "", false, kDitransitive, kGoods},
    {"show", "shows", "", "", "montrer", "", "", "", false, kDitransitive, kAnyKind},
    {"lend", "lends", "", "", "prêter", "", "", "", false, kDitransitive, kThing},
    {"sell", "sells", "", "", "vendre", "vends vend vendons vendez vendent", "", "", false,
     kDitransitive, kAnyKind & ~kPerson},
    {"bring", "brings", "", "", "apporter", "", "", "", false, kDitransitive, kGoods},
    {"sleep", "sleeps", "slept", "sleeping", "dormir", "dors dort dormons dormez dorment", "dormi",
     "", false, kIntransitive, 0},
    {"sing", "sings", "sang", "singing", "chanter", "", "", "", false, kIntransitive, 0},
    {"work", "works", "worked", "working", "travailler", "", "", "", false, kIntransitive, 0},
    {"begin", "begins", "", "", "commencer", "", "", "", false, kIntransitive, 0},
    {"go", "goes", "went", "", "aller", "vais va allons allez vont", "allé", "ir", true, kTo, 0},
    {"come", "comes", "came", "", "venir", "viens vient venons venez viennent", "venu", "viendr",
     true, kFrom, 0},
    {"arrive", "arrives", "arrived", "arriving", "arriver", "", "", "", true, kIntransitive, 0},
    {"leave", "leaves", "left", "leaving", "partir", "pars part partons partez partent", "parti",
     "", true, kIntransitive, 0},
    {"fall", "falls", "fell", "", "tomber", "", "", "", true, kIntransitive, 0},
    {"stay", "stays", "stayed", "", "rester", "", "", "", true, kIntransitive, 0},
};

constexpr Preposition kPrepositions[] = {
    {"in", "dans", 0, bits(Kind::place)},
    {"behind", "derrière", 0, bits(Kind::place)},
    {"near", "près de", 0, bits(Kind::place)},
    {"in front of", "devant", 1, bits(Kind::place)},
    {"under", "sous", 0, bits(Kind::thing)},
    {"with", "avec", 0, kBeing},
    {"without", "sans", 0, kBeing},
    {"for", "pour", 0, kPerson},
    {"before", "avant", 0, kPerson},
    {"after", "après", 0, kPerson},
};

constexpr WordPair kAdverbs[] = {
    {"here", "ici"},          {"now", "maintenant"},     {"today", "aujourd'hui"},
    {"slowly", "lentement"},  {"quickly", "rapidement"}, {"outside", "dehors"},
    {"quietly", "doucement"}, {"together", "ensemble"},
};

constexpr WordPair kQuestionWords[] = {{"why", "pourquoi"}, {"when", "quand"}, {"where", "où"}};

}  // namespace

const Verb kConnaitre = {"know",
                         "knows",
                         "",
                         "",
                         "connaître",
                         "connais connaît connaissons connaissez connaissent",
                         "",
                         "",
                         false,
                         kTransitive,
                         bits(Kind::person)};
const Verb kSavoir = {"know", "knows", "",    "", "savoir", "sais sait savons savez savent",
                      "",     "",      false, 0,  0};
const Verb kManquer = {"miss", "misses", "missed", "", "manquer", "", "", "manquer", false, 0, 0};
const Verb kPlaire = {"like", "likes", "",    "", "plaire", "plais plaît plaisons plaisez plaisent",
                      "plu",  "",      false, 0,  0};
const Verb kEtre = {"be", "is", "", "", "être", "suis est sommes êtes sont", "", "", false, 0, 0};
const Verb kAvoir = {"have", "has", "", "", "avoir", "ai a avons avez ont", "", "", false, 0, 0};

std::span<const Adjective> adjectives() {
  return kAdjectives;
}
std::span<const Verb> verbs() {
  return kVerbs;
}
std::span<const Preposition> prepositions() {
  return kPrepositions;
}
std::span<const WordPair> adverbs() {
  return kAdverbs;
}
std::span<const WordPair> question_words() {
  return kQuestionWords;
}

const Verb* find_verb(std::string_view en) {
  for (const Verb& v : verbs()) {
    if (v.en == en) return &v;
  }
  require(false, "lexicon: expected a verb of micro en-fr, got '{}'", en);
  return nullptr;
}

bool is_h_aspire(std::string_view fr) {
  static constexpr std::string_view kWords[] = {
      "héros",    "hibou",  "hiboux",  "hérisson", "hache", "harpe", "harpes", "haricot",
      "haricots", "homard", "homards", "haut",     "haute", "hauts", "hautes"};
  return std::ranges::find(kWords, fr) != std::end(kWords);
}

}  // namespace heed::translate
