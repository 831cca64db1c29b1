// The options of `translate train` that say which network to train, and which of them belong
// together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "examples/console/command_line.h"
#include "examples/translate/network.h"
#include "examples/translate/source.h"

namespace heed::translate {

struct NetworkFlags {
  std::string model = "rnn", cell = "gru", decoder = "bahdanau", score = "additive",
              window = "global", hard = "none", bridge = "learned";
  bool unidirectional = false;
  int64_t layers = 0;  // 0: 1 of the rnn, 2 of the transformer
  std::optional<double> dropout;
  Seq2SeqOptions rnn{.source_vocabulary = 0, .target_vocabulary = 0};
  TransformerOptions transformer{.source_vocabulary = 0, .target_vocabulary = 0};
  // Options that only one kind of network has, and those of which one that is given replaces the
  // task's sizes of the output layer.
  std::vector<Option> rnn_only, transformer_only, output;
};

std::shared_ptr<NetworkFlags> add_network_flags(CommandLine& app);

/// The network that was asked for, without its vocabularies; what was not asked for is as the
/// task's preset has it. Throws std::invalid_argument that gives the reason for options that
/// exclude each other.
NetworkOptions options_of(const NetworkFlags& flags, const Preset& preset);

/// "gru bahdanau additive" or "transformer": for people.
std::string describe(const NetworkOptions& options);

}  // namespace heed::translate
