// From a corpus to an untrained translator: vocabularies, and a network of their sizes.
#pragma once
#include "examples/translate/source.h"

namespace heed::translate {

/// Vocabularies of the training pairs and a fresh network. The first weights depend on `seed`
/// alone. A location score gets a number for every position of the corpus's longest source.
Translator make_translator(const Corpus& corpus, NetworkOptions network,
                           const VocabularyOptions& vocabulary, uint64_t seed);

/// "vocabulary: 628 source, ...", with the share of the test set that it does not know.
std::string vocabulary_text(const Translator& translator, const Corpus& corpus);

}  // namespace heed::translate
