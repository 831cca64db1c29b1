// The two kinds of network that translate trains, recurrent and Transformer, behind one set of
// functions: the programs decode, align and measure either without asking which it is.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "layers/transformer_seq2seq.h"

namespace heed::translate {

struct Network {
  std::variant<Seq2Seq, TransformerSeq2Seq> kind;
  void visit(Visitor& see) {
    std::visit([&](auto& network) { network.visit(see); }, kind);
  }
};

/// "rnn" or "transformer".
std::string_view kind_of(const Network& network);
/// Whether it has attention from target to source.
bool has_attention(const Network& network);

/// What the encoder made of some sentences.
struct Source {
  std::variant<Encoded, TransformerEncoded> kind;
};
Source encode(const Network& network, const Tensor& source_ids,
              const std::vector<int64_t>& lengths);
Source rows_of(const Source& source, std::span<const int64_t> rows);
/// The decoder's state before the first word.
DecoderState start(const Network& network, const Source& source);
/// Feeds the words `ids` [B] to the decoder.
DecoderStep step(const Network& network, const Tensor& ids, const DecoderState& state,
                 const Source& source);
/// Teacher forcing over a whole batch. Throws std::invalid_argument when the call asks a
/// Transformer for its own words.
Seq2SeqOutput run(const Network& network, const Seq2SeqBatch& batch, const Seq2SeqCall& call = {});

using NetworkOptions = std::variant<Seq2SeqOptions, TransformerOptions>;
/// A fresh network. Throws std::invalid_argument for options that exclude each other.
Network make_network(const NetworkOptions& options, Rng& rng);

/// Its options as they stand in config.json, and back. Reading throws FileError that names `path`
/// for a kind or a setting that does not exist, and for sizes that no file of `weight_bytes` could
/// hold: sizes that a file names are only believed, and memory taken, when the weights are there.
nlohmann::ordered_json network_json(const Network& network);
NetworkOptions network_options(const std::string& path, const nlohmann::ordered_json& j,
                               uintmax_t weight_bytes);
/// Sizes of both vocabularies.
std::pair<int64_t, int64_t> vocabularies(const NetworkOptions& options);

}  // namespace heed::translate
