// A translator of two words on each side, with weights that are drawn and not learned.
#pragma once
#include "examples/translate/translator.h"

namespace heed::translate {

inline Translator small_translator(bool transformer, uint64_t seed = 3) {
  TokenCounts sources, targets;
  count_tokens(sources, std::vector<std::string>{"the", "cat"});
  count_tokens(targets, std::vector<std::string>{"le", "chat"});
  const Vocabulary source(sources, {}), target(targets, {});
  NetworkOptions options = Seq2SeqOptions{.source_vocabulary = source.size(),
                                          .target_vocabulary = target.size(),
                                          .embedding = 4,
                                          .encoder_hidden = 2,
                                          .decoder_hidden = 4};
  if (transformer)
    options = TransformerOptions{.source_vocabulary = source.size(),
                                 .target_vocabulary = target.size(),
                                 .model = 4,
                                 .heads = 2,
                                 .encoder_layers = 1,
                                 .decoder_layers = 1,
                                 .feed_forward = 6};
  Rng rng(seed);
  return {{},
          source,
          target,
          make_network(options, rng),
          {{"task", "none"}, {"seed", 1}, {"epochs", 1}, {"size", 1}, {"swap", false}}};
}

}  // namespace heed::translate
