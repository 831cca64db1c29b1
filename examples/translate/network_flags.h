// The options of `translate train` that say which network to train, and which of them belong
// together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "examples/console/command_line.h"
#include "examples/translate/network.h"

namespace heed::translate {

struct NetworkFlags {
  std::string model = "rnn", cell = "gru", decoder = "bahdanau", score = "additive",
              window = "global", hard = "none", bridge = "learned";
  bool unidirectional = false;
  int64_t layers = 0;  // 0: 1 of the rnn, 2 of the transformer
  std::optional<double> dropout;
  // Without: as wide as the word vectors, and tied to them. On small data that is the better
  // network, and the faster one where the vocabulary is large.
  std::optional<int64_t> readout;
  Seq2SeqOptions rnn{.source_vocabulary = 0, .target_vocabulary = 0, .embedding = 128};
  TransformerOptions transformer{.source_vocabulary = 0, .target_vocabulary = 0};
  // Options given on the command line that only one kind of network has.
  std::vector<Option> rnn_only, transformer_only;
};

std::shared_ptr<NetworkFlags> add_network_flags(CommandLine& app);

/// The network that was asked for, without its vocabularies. Throws std::invalid_argument that
/// gives the reason for options that exclude each other.
NetworkOptions options_of(const NetworkFlags& flags, double default_dropout);

/// "gru bahdanau additive" or "transformer": for people.
std::string describe(const NetworkOptions& options);

}  // namespace heed::translate
