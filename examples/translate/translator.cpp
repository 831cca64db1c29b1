#include "examples/translate/translator.h"

#include <filesystem>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string in(const std::string& directory, const char* file) {
  return (fs::path(directory) / file).string();
}

Json network_json(const Seq2SeqOptions& o) {
  return {{"kind", "rnn"},
          {"source_vocabulary", o.source_vocabulary},
          {"target_vocabulary", o.target_vocabulary},
          {"embedding", o.embedding},
          {"encoder_hidden", o.encoder_hidden},
          {"decoder_hidden", o.decoder_hidden},
          {"attention", o.attention},
          {"readout", o.readout},
          {"tied", o.tied},
          {"attention_width", o.attention_width},
          {"score", name_of(o.score)},
          {"dropout", o.dropout}};
}

Seq2SeqOptions network_options(const std::string& path, const Json& j) {
  const auto score = score_named(j.at("score").get<std::string>());
  if (!score) fail_file(path, "unknown score '{}'", j.at("score").get<std::string>());
  return {.source_vocabulary = j.at("source_vocabulary"),
          .target_vocabulary = j.at("target_vocabulary"),
          .embedding = j.at("embedding"),
          .encoder_hidden = j.at("encoder_hidden"),
          .decoder_hidden = j.at("decoder_hidden"),
          .attention_width = j.at("attention_width"),
          .score = *score,
          .attention = j.at("attention"),
          .readout = j.at("readout"),
          .tied = j.at("tied"),
          .dropout = j.at("dropout")};
}

// A size that a file names is only believed when the weights beside it are that large.
void require_plausible(const std::string& path, const Seq2SeqOptions& o) {
  for (const int64_t size :
       {o.source_vocabulary, o.target_vocabulary, o.embedding, o.encoder_hidden, o.decoder_hidden})
    if (size < 1 || size > 10'000'000) fail_file(path, "expected sizes of 1 or more, got {}", size);
}

Json parse(const std::string& path, const std::string& text) {
  Json config = Json::parse(text, nullptr, false);
  if (config.is_discarded() || !config.is_object())
    fail_file(path, "expected a JSON object; this is not a model directory of translate");
  const std::string format = config.value("format", "");
  if (format != kModelFormat)
    fail_file(path, "expected format {}, got {}; train the model again with this version",
              kModelFormat, format.empty() ? "none" : format);
  return config;
}

}  // namespace

void require_writable(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) fail_file(directory, "cannot make this directory: {}", error.message());
  const std::string probe = in(directory, ".probe");
  write_file(probe, "");
  fs::remove(probe, error);
}

void save_translator(const std::string& directory, Translator& t) {
  require_writable(directory);
  write_file(in(directory, "source.vocab"), t.source.text());
  write_file(in(directory, "target.vocab"), t.target.text());
  save(in(directory, "weights.safetensors"), t.network, {{"format", kModelFormat}});
  const Json config{{"format", kModelFormat},
                    {"text",
                     {{"source_tokeniser", name_of(t.text.source)},
                      {"target_tokeniser", name_of(t.text.target)},
                      {"lowercase", t.text.lowercase}}},
                    {"network", network_json(t.network.options)},
                    {"about", t.about}};
  write_file(in(directory, "config.json"), config.dump(2) + "\n");
}

Translator load_translator(const std::string& directory) {
  if (!fs::is_directory(directory))
    fail_file(directory, "expected a model directory; make one with: translate train --out {}",
              directory);
  const std::string path = in(directory, "config.json");
  if (!fs::exists(path))
    fail_file(directory,
              "there is no config.json in it: not a model directory, or training did "
              "not finish");
  const Json config = parse(path, read_file(path, 1 << 20));
  const std::string source = in(directory, "source.vocab"), target = in(directory, "target.vocab");
  constexpr uint64_t kMost = uint64_t{1} << 30;
  try {
    const Json& text = config.at("text");
    const Seq2SeqOptions options = network_options(path, config.at("network"));
    require_plausible(path, options);
    Translator t{
        {parse_tokeniser(text.at("source_tokeniser").get<std::string>()),
         parse_tokeniser(text.at("target_tokeniser").get<std::string>()), text.at("lowercase")},
        Vocabulary::parse(source, read_file(source, kMost)),
        Vocabulary::parse(target, read_file(target, kMost)),
        {},
        config.value("about", Json::object())};
    if (t.source.size() != options.source_vocabulary ||
        t.target.size() != options.target_vocabulary)
      fail_file(path,
                "the network was made for vocabularies of {} and {}, the files beside it hold "
                "{} and {}",
                options.source_vocabulary, options.target_vocabulary, t.source.size(),
                t.target.size());
    Rng unused(0);  // the first values are overwritten
    t.network = Seq2Seq(options, unused);
    load(in(directory, "weights.safetensors"), t.network);
    return t;
  } catch (const nlohmann::json::exception& e) {
    fail_file(path, "a setting is missing or of the wrong kind ({})", e.what());
  } catch (const std::invalid_argument& e) {
    fail_file(path, "{}", e.what());
  }
}

}  // namespace heed::translate
