// Nouns and names of micro en-fr. Only nouns of one fixed gender, and no English word that could be
// read in two ways, so that the French side is a function of the English one.
// A noun without a plural is kept in the singular so that every form of the corpus is frequent.
#include "core/error.h"
#include "examples/translate/corpus/lexicon.h"

namespace heed::translate {
namespace {

constexpr bool m = false, f = true;
constexpr Kind P = Kind::person, A = Kind::animal, T = Kind::thing, F = Kind::food, L = Kind::place;

constexpr Noun kNouns[] = {
    {"man", "men", "homme", "", m, P},
    {"woman", "women", "femme", "", f, P},
    {"boy", "boys", "garçon", "", m, P},
    {"girl", "girls", "fille", "", f, P},
    {"teacher", "teachers", "professeur", "", m, P},
    {"brother", "brothers", "frère", "", m, P},
    {"sister", "sisters", "sœur", "", f, P},
    {"friend", "friends", "ami", "", m, P},
    {"child", "children", "enfant", "", m, P},
    {"king", "", "roi", "", m, P},
    {"queen", "", "reine", "", f, P},
    {"doctor", "", "médecin", "", m, P},
    {"student", "students", "étudiant", "", m, P},
    {"neighbor", "neighbors", "voisin", "", m, P},
    {"uncle", "", "oncle", "", m, P},
    {"aunt", "aunts", "tante", "", f, P},
    {"son", "sons", "fils", "fils", m, P},
    {"soldier", "soldiers", "soldat", "", m, P},
    {"hero", "heroes", "héros", "héros", m, P},
    {"singer", "singers", "chanteur", "", m, P},
    {"actress", "actresses", "actrice", "", f, P},
    {"nurse", "nurses", "infirmière", "", f, P},
    {"witch", "witches", "sorcière", "", f, P},
    {"grandmother", "", "grand-mère", "", f, P},
    {"nephew", "nephews", "neveu", "", m, P},
    {"princess", "", "princesse", "", f, P},
    {"dog", "dogs", "chien", "", m, A},
    {"cat", "cats", "chat", "", m, A},
    {"horse", "horses", "cheval", "", m, A},
    {"bird", "birds", "oiseau", "", m, A},
    {"cow", "cows", "vache", "", f, A},
    {"mouse", "mice", "souris", "souris", f, A},
    {"wolf", "wolves", "loup", "", m, A},
    {"fox", "", "renard", "", m, A},
    {"owl", "owls", "hibou", "hiboux", m, A},
    {"bear", "bears", "ours", "ours", m, A},
    {"rabbit", "rabbits", "lapin", "", m, A},
    {"hen", "hens", "poule", "", f, A},
    {"donkey", "", "âne", "", m, A},
    {"animal", "animals", "animal", "", m, A},
    {"hedgehog", "", "hérisson", "", m, A},
    {"duck", "ducks", "canard", "", m, A},
    {"ant", "ants", "fourmi", "", f, A},
    {"book", "books", "livre", "", m, T},
    {"car", "cars", "voiture", "", f, T},
    {"table", "", "table", "", f, T},
    {"chair", "chairs", "chaise", "", f, T},
    {"bed", "", "lit", "", m, T},
    {"door", "doors", "porte", "", f, T},
    {"key", "keys", "clé", "", f, T},
    {"letter", "letters", "lettre", "", f, T},
    {"clock", "clocks", "horloge", "", f, T},
    {"bottle", "bottles", "bouteille", "", f, T},
    {"knife", "knives", "couteau", "", m, T},
    {"boat", "boats", "bateau", "", m, T},
    {"hat", "hats", "chapeau", "", m, T},
    {"newspaper", "newspapers", "journal", "", m, T},
    {"gift", "gifts", "cadeau", "", m, T},
    {"axe", "", "hache", "", f, T},
    {"harp", "harps", "harpe", "", f, T},
    {"umbrella", "umbrellas", "parapluie", "", m, T},
    {"tree", "trees", "arbre", "", m, T},
    {"flower", "flowers", "fleur", "", f, T},
    {"stone", "stones", "pierre", "", f, T},
    {"jewel", "jewels", "bijou", "bijoux", m, T},
    {"game", "games", "jeu", "", m, T},
    {"painting", "paintings", "tableau", "", m, T},
    {"shoe", "shoes", "chaussure", "", f, T},
    {"shirt", "", "chemise", "", f, T},
    {"dress", "", "robe", "", f, T},
    {"lamp", "lamps", "lampe", "", f, T},
    {"picture", "pictures", "image", "", f, T},
    {"story", "stories", "histoire", "", f, T},
    {"ring", "rings", "bague", "", f, T},
    {"coat", "", "manteau", "", m, T},
    {"star", "stars", "étoile", "", f, T},
    {"tool", "tools", "outil", "", m, T},
    {"toy", "toys", "jouet", "", m, T},
    {"ladder", "", "échelle", "", f, T},
    {"screen", "", "écran", "", m, T},
    {"apple", "apples", "pomme", "", f, F},
    {"bread", "", "pain", "", m, F},
    {"cake", "cakes", "gâteau", "", m, F},
    {"egg", "eggs", "œuf", "", m, F},
    {"soup", "", "soupe", "", f, F},
    {"cheese", "", "fromage", "", m, F},
    {"bean", "beans", "haricot", "", m, F},
    {"lobster", "lobsters", "homard", "", m, F},
    {"onion", "onions", "oignon", "", m, F},
    {"pear", "pears", "poire", "", f, F},
    {"salad", "", "salade", "", f, F},
    {"strawberry", "strawberries", "fraise", "", f, F},
    {"nut", "nuts", "noix", "noix", f, F},
    {"house", "houses", "maison", "", f, L},
    {"school", "schools", "école", "", f, L},
    {"park", "parks", "parc", "", m, L},
    {"garden", "gardens", "jardin", "", m, L},
    {"hospital", "hospitals", "hôpital", "", m, L},
    {"hotel", "hotels", "hôtel", "", m, L},
    {"church", "churches", "église", "", f, L},
    {"city", "cities", "ville", "", f, L},
    {"village", "villages", "village", "", m, L},
    {"island", "islands", "île", "", f, L},
    {"castle", "castles", "château", "", m, L},
    {"market", "markets", "marché", "", m, L},
    {"kitchen", "", "cuisine", "", f, L},
    {"office", "offices", "bureau", "", m, L},
    {"forest", "forests", "forêt", "", f, L},
    {"beach", "", "plage", "", f, L},
    {"country", "countries", "pays", "pays", m, L},
    // Compounds: the words of one side have no word-by-word counterpart on the other.
    {"apple tree", "apple trees", "pommier", "", m, T},
    {"pear tree", "pear trees", "poirier", "", m, T},
    {"police officer", "police officers", "policier", "", m, P},
    {"swimming pool", "swimming pools", "piscine", "", f, L},
    {"train station", "train stations", "gare", "", f, L},
    {"potato", "potatoes", "pomme de terre", "pommes de terre", f, F},
    {"bathroom", "bathrooms", "salle de bain", "salles de bain", f, L},
    {"typewriter", "typewriters", "machine à écrire", "machines à écrire", f, T},
    {"toothbrush", "toothbrushes", "brosse à dents", "brosses à dents", f, T},
    {"windmill", "windmills", "moulin à vent", "moulins à vent", m, L},
    {"cherry tree", "cherry trees", "cerisier", "", m, T},
};

constexpr PartNoun kParts[] = {
    {"leg", "legs", {"", "", "jambe", "", f, T}, {"", "", "pied", "", m, T}, "table chair bed"},
    {"hand", "hands", {"", "", "main", "", f, T}, {"", "", "aiguille", "", f, T}, "clock"},
    {"neck", "", {"", "", "cou", "", m, T}, {"", "", "goulot", "", m, T}, "bottle"},
};

constexpr Name kNames[] = {
    {"paul", m},      {"marc", m},     {"luc", m},      {"jean", m},    {"louis", m},
    {"thomas", m},    {"nicolas", m},  {"david", m},    {"daniel", m},  {"simon", m},
    {"robert", m},    {"victor", m},   {"martin", m},   {"antoine", m}, {"olivier", m},
    {"alain", m},     {"eric", m},     {"arthur", m},   {"oscar", m},   {"gabriel", m},
    {"lucas", m},     {"adam", m},     {"bruno", m},    {"denis", m},   {"jacques", m},
    {"michel", m},    {"philippe", m}, {"vincent", m},  {"samuel", m},  {"xavier", m},
    {"marie", f},     {"anna", f},     {"emma", f},     {"alice", f},   {"julie", f},
    {"sophie", f},    {"claire", f},   {"laura", f},    {"sarah", f},   {"lucie", f},
    {"jeanne", f},    {"nina", f},     {"eva", f},      {"irene", f},   {"olga", f},
    {"lea", f},       {"manon", f},    {"nathalie", f}, {"pauline", f}, {"valerie", f},
    {"juliette", f},  {"caroline", f}, {"isabelle", f}, {"elise", f},   {"agathe", f},
    {"charlotte", f}, {"louise", f},   {"margot", f},   {"monique", f}, {"diane", f},
};

template <class Entry>
int find(std::span<const Entry> list, std::string_view word, const char* Entry::*key,
         const char* what) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].*key == word) return static_cast<int>(i);
  }
  require(false, "lexicon: expected a {} of micro en-fr, got '{}'", what, word);
  return -1;
}

}  // namespace

std::span<const Noun> nouns() {
  return kNouns;
}
std::span<const PartNoun> part_nouns() {
  return kParts;
}
std::span<const Name> names() {
  return kNames;
}

int find_noun(std::string_view en) {
  return find(nouns(), en, &Noun::en, "noun");
}
int find_adjective(std::string_view en) {
  return find(adjectives(), en, &Adjective::en, "adjective");
}
int find_name(std::string_view text) {
  return find(names(), text, &Name::text, "name");
}

}  // namespace heed::translate
