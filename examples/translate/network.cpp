#include "examples/translate/network.h"

#include <algorithm>

#include "core/error.h"
#include "examples/translate/settings.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

// The value of a setting that is a word.
template <class Find>
auto word(const std::string& path, const Json& j, const char* key, Find find) {
  const auto text = j.at(key).get<std::string>();
  const auto found = find(text);
  if (!found) fail_file(path, "unknown {} '{}'", key, text.substr(0, 40));
  return *found;
}

Json to_json(const Seq2SeqOptions& o) {
  return {{"kind", "rnn"},
          {"source_vocabulary", o.source_vocabulary},
          {"target_vocabulary", o.target_vocabulary},
          {"embedding", o.embedding},
          {"encoder_hidden", o.encoder_hidden},
          {"decoder_hidden", o.decoder_hidden},
          {"encoder_layers", o.encoder_layers},
          {"decoder_layers", o.decoder_layers},
          {"bidirectional", o.bidirectional},
          {"residual", o.residual},
          {"cell", name_of(o.cell)},
          {"decoder", name_of(o.decoder)},
          {"input_feeding", o.input_feeding},
          {"bridge", name_of(o.bridge)},
          {"attention", o.attention},
          {"score", name_of(o.score)},
          {"attention_width", o.attention_width},
          {"longest", o.longest},
          {"window", name_of(o.window)},
          {"reach", o.reach},
          {"hard", name_of(o.hard)},
          {"temperature", o.temperature},
          {"readout", o.readout},
          {"tied", o.tied},
          {"dropout", o.dropout}};
}

Seq2SeqOptions rnn_options(const std::string& path, const Json& j) {
  const auto whole = [&](const char* key) { return whole_number(path, j, key); };
  return {.source_vocabulary = whole("source_vocabulary"),
          .target_vocabulary = whole("target_vocabulary"),
          .embedding = whole("embedding"),
          .encoder_hidden = whole("encoder_hidden"),
          .decoder_hidden = whole("decoder_hidden"),
          .attention_width = whole("attention_width"),
          .score = word(path, j, "score", score_named),
          .attention = j.at("attention"),
          .readout = whole("readout"),
          .tied = j.at("tied"),
          .dropout = j.at("dropout"),
          .cell = word(path, j, "cell", cell_named),
          .decoder = word(path, j, "decoder", decoder_named),
          .input_feeding = j.at("input_feeding"),
          .bridge = word(path, j, "bridge", bridge_named),
          .encoder_layers = whole("encoder_layers"),
          .decoder_layers = whole("decoder_layers"),
          .bidirectional = j.at("bidirectional"),
          .residual = j.at("residual"),
          .window = word(path, j, "window", window_named),
          .reach = whole("reach"),
          .longest = whole("longest"),
          .hard = word(path, j, "hard", hard_named),
          .temperature = j.at("temperature")};
}

Json to_json(const TransformerOptions& o) {
  return {{"kind", "transformer"},
          {"source_vocabulary", o.source_vocabulary},
          {"target_vocabulary", o.target_vocabulary},
          {"model", o.model},
          {"heads", o.heads},
          {"encoder_layers", o.encoder_layers},
          {"decoder_layers", o.decoder_layers},
          {"feed_forward", o.feed_forward},
          {"pre_norm", o.pre_norm},
          {"learned_positions", o.learned_positions},
          {"tied", o.tied},
          {"weights_layer", o.weights_layer},
          {"dropout", o.dropout}};
}

TransformerOptions transformer_options(const std::string& path, const Json& j) {
  const auto whole = [&](const char* key) { return whole_number(path, j, key); };
  return {.source_vocabulary = whole("source_vocabulary"),
          .target_vocabulary = whole("target_vocabulary"),
          .model = whole("model"),
          .heads = whole("heads"),
          .encoder_layers = whole("encoder_layers"),
          .decoder_layers = whole("decoder_layers"),
          .feed_forward = whole("feed_forward"),
          .dropout = j.at("dropout"),
          .pre_norm = j.at("pre_norm"),
          .learned_positions = whole("learned_positions"),
          .tied = j.at("tied"),
          .weights_layer = whole("weights_layer")};
}

// Fewer numbers than the network has, and the smallest of its sizes.
struct Extent {
  double numbers = 0;
  int64_t least = 1;
  void add(std::initializer_list<int64_t> sizes) {
    double product = 1;
    for (const int64_t n : sizes) product *= static_cast<double>(n), least = std::min(least, n);
    numbers += product;
  }
};

Extent extent(const Seq2SeqOptions& o) {
  Extent all;
  const int64_t e = o.embedding, h = o.decoder_hidden;
  all.add({o.source_vocabulary, e});
  all.add({o.target_vocabulary, e});
  all.add({o.encoder_layers, o.encoder_hidden, o.encoder_hidden});
  all.add({o.encoder_hidden, e});
  all.add({o.decoder_layers, h, h});
  all.add({h, e});
  all.add({h, o.encoder_hidden});
  all.add({o.readout + 1});
  if (o.readout > 0) all.add({o.readout, h});
  if (o.attention) all.add({o.attention_width + 1});
  if (o.attention && o.score == Score::location) all.add({o.longest, h});
  if (o.attention && o.attention_width > 0 &&
      (o.score == Score::additive || o.score == Score::concat))
    all.add({o.attention_width, h});
  const bool wide = o.readout == 0;
  if (!o.tied) all.add({wide ? h : o.readout, o.target_vocabulary});
  return all;
}

Extent extent(const TransformerOptions& o) {
  Extent all;
  all.add({o.source_vocabulary, o.model});
  all.add({o.target_vocabulary, o.model});
  all.add({o.encoder_layers, 4, o.model, o.model});
  all.add({o.decoder_layers, 8, o.model, o.model});
  all.add({o.encoder_layers, 2, o.model, o.feed_forward});
  all.add({o.decoder_layers, 2, o.model, o.feed_forward});
  all.add({o.learned_positions + 1});
  if (o.learned_positions > 0) all.add({o.learned_positions, 2, o.model});
  return all;
}

}  // namespace

std::string_view kind_of(const Network& network) {
  return std::holds_alternative<Seq2Seq>(network.kind) ? "rnn" : "transformer";
}

bool has_attention(const Network& network) {
  const auto* rnn = std::get_if<Seq2Seq>(&network.kind);
  return !rnn || rnn->options.attention;
}

Source encode(const Network& network, const Tensor& ids, const std::vector<int64_t>& lengths) {
  return std::visit([&](const auto& n) { return Source{n.encode(ids, lengths)}; }, network.kind);
}

Source rows_of(const Source& source, std::span<const int64_t> rows) {
  return std::visit([&](const auto& s) { return Source{heed::rows_of(s, rows)}; }, source.kind);
}

DecoderState start(const Network& network, const Source& source) {
  if (const auto* encoded = std::get_if<Encoded>(&source.kind)) return encoded->state;
  return std::get<TransformerSeq2Seq>(network.kind)
      .start(std::get<TransformerEncoded>(source.kind));
}

DecoderStep step(const Network& network, const Tensor& ids, const DecoderState& state,
                 const Source& source) {
  if (const auto* rnn = std::get_if<Seq2Seq>(&network.kind))
    return rnn->step(ids, state, std::get<Encoded>(source.kind));
  return std::get<TransformerSeq2Seq>(network.kind)
      .step(ids, state, std::get<TransformerEncoded>(source.kind));
}

Seq2SeqOutput run(const Network& network, const Seq2SeqBatch& batch, const Seq2SeqCall& call) {
  if (const auto* rnn = std::get_if<Seq2Seq>(&network.kind)) return (*rnn)(batch, call);
  require(call.forcing == 1,
          "the transformer computes all target steps at once, so it is only trained on gold words: "
          "expected a teacher-forcing ratio of 1, got {}",
          call.forcing);
  return std::get<TransformerSeq2Seq>(network.kind)(batch, call.dropout);
}

Network make_network(const NetworkOptions& options, Rng& rng) {
  if (const auto* rnn = std::get_if<Seq2SeqOptions>(&options)) return {Seq2Seq(*rnn, rng)};
  return {TransformerSeq2Seq(std::get<TransformerOptions>(options), rng)};
}

Json network_json(const Network& network) {
  return std::visit([](const auto& n) { return to_json(n.options); }, network.kind);
}

NetworkOptions network_options(const std::string& path, const Json& j, uintmax_t weight_bytes) {
  const auto kind = j.at("kind").get<std::string>();
  if (kind != "rnn" && kind != "transformer")
    fail_file(path, "unknown kind of network '{}'", kind.substr(0, 40));
  const NetworkOptions options = kind == "rnn" ? NetworkOptions(rnn_options(path, j))
                                               : NetworkOptions(transformer_options(path, j));
  const Extent e = std::visit([](const auto& o) { return extent(o); }, options);
  if (e.least < 1) fail_file(path, "expected sizes of 1 or more, got {}", e.least);
  if (4 * e.numbers > static_cast<double>(weight_bytes))
    fail_file(path, "names a larger network than the weights beside it hold");
  return options;
}

std::pair<int64_t, int64_t> vocabularies(const NetworkOptions& options) {
  return std::visit(
      [](const auto& o) { return std::pair(o.source_vocabulary, o.target_vocabulary); }, options);
}

}  // namespace heed::translate
