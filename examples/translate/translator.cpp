#include "examples/translate/translator.h"

#include <algorithm>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char *kConfig = "config.json", *kWeights = "weights.safetensors",
                     *kSource = "source.vocab", *kTarget = "target.vocab";

std::string in(const std::string& directory, const std::string& file) {
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

// Sizes that a file names are only believed, and memory taken, when the weights are that large.
void require_plausible(const std::string& path, const Seq2SeqOptions& o, uintmax_t weight_bytes) {
  const int64_t least =
      std::min({o.source_vocabulary, o.target_vocabulary, o.embedding, o.encoder_hidden,
                o.decoder_hidden, o.readout + 1, o.attention_width + 1});
  if (least < 1) fail_file(path, "expected sizes of 1 or more, got {}", least);
  const auto product = [](int64_t a, int64_t b) {
    return static_cast<double>(a) * static_cast<double>(b);
  };
  const int64_t e = o.embedding, h = o.decoder_hidden;
  const double numbers =  // fewer than there are
      product(o.source_vocabulary, e) + product(o.target_vocabulary, e) +
      product(o.encoder_hidden, o.encoder_hidden) + product(h, h) + product(h, e) +
      product(o.encoder_hidden, e) + product(h, o.encoder_hidden) + product(o.readout, h) +
      (o.attention ? product(o.attention_width, h) : 0) +
      (o.tied ? 0 : product(o.readout > 0 ? o.readout : h, o.target_vocabulary));
  if (4 * numbers > static_cast<double>(weight_bytes))
    fail_file(path, "names a larger network than the weights beside it hold");
}

Json parse(const std::string& path, const std::string& text) {
  Json config = Json::parse(text, nullptr, false);
  if (config.is_discarded() || !config.is_object())
    fail_file(path, "expected a JSON object; this is not a model directory of translate");
  const auto format = config.value("format", Json("none"));
  if (format != kModelFormat)
    fail_file(path, "expected format {}, got {}; train the model again with this version",
              kModelFormat, format.dump(-1, ' ', true).substr(0, 60));
  return config;
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path) : OutputFolder() {  // throwing destroys
  std::error_code error;
  for (fs::path p = path; !p.empty() && !fs::exists(p, error); p = p.parent_path())
    made_.push_back(p);
  fs::create_directories(path, error);
  if (error) fail_file(path, "cannot be made a folder: {}", error.message());
  const std::string probe = in(path, ".probe");
  write_file(probe, "");
  fs::remove(probe, error);
}

OutputFolder::~OutputFolder() {
  std::error_code not_empty;
  for (const fs::path& p : made_) fs::remove(p, not_empty);
}

void save_translator(const std::string& directory, Translator& t) {
  const OutputFolder folder(directory);
  const Json config{{"format", kModelFormat},
                    {"text",
                     {{"source_tokeniser", name_of(t.text.source)},
                      {"target_tokeniser", name_of(t.text.target)},
                      {"lowercase", t.text.lowercase}}},
                    {"network", network_json(t.network.options)},
                    {"about", t.about}};
  const auto part = [&](const std::string& file) { return in(directory, file + ".part"); };
  try {
    write_file(part(kSource), t.source.text());
    write_file(part(kTarget), t.target.text());
    save(part(kWeights), t.network, {{"format", kModelFormat}});
    write_file(part(kConfig),
               config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");  // file names
    fs::remove(in(directory, kConfig));
    for (const char* file : {kSource, kTarget, kWeights, kConfig})
      fs::rename(part(file), in(directory, file));
  } catch (const std::exception& e) {
    std::error_code gone;
    for (const char* file : {kSource, kTarget, kWeights, kConfig}) fs::remove(part(file), gone);
    fail_file(directory, "the model cannot be written: {}", e.what());
  }
}

Translator load_translator(const std::string& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    fail_file(directory, "expected a model directory; make one with: translate train --out {}",
              directory);
  const std::string path = in(directory, kConfig);
  if (!fs::exists(path, error))
    fail_file(directory,
              "there is no config.json in it: not a model directory, or training did "
              "not finish");
  const Json config = parse(path, read_file(path, 1 << 20));
  const std::string source = in(directory, kSource), target = in(directory, kTarget),
                    weights = in(directory, kWeights);
  constexpr uint64_t kMost = uint64_t{1} << 30;
  try {
    const Json& text = config.at("text");
    const Seq2SeqOptions options = network_options(path, config.at("network"));
    const uintmax_t weight_bytes = fs::file_size(weights, error);
    if (error) fail_file(weights, "cannot be read: {}", error.message());
    require_plausible(path, options, weight_bytes);
    Translator t{
        {parse_tokeniser(text.at("source_tokeniser").get<std::string>()),
         parse_tokeniser(text.at("target_tokeniser").get<std::string>()), text.at("lowercase")},
        Vocabulary::parse(source, read_file(source, kMost)),
        Vocabulary::parse(target, read_file(target, kMost)),
        {},
        config.at("about")};
    for (const char* number : {"seed", "epochs", "size"}) (void)t.about.at(number).get<uint64_t>();
    (void)t.about.at("task").get<std::string>();
    (void)t.about.at("swap").get<bool>();
    if (t.source.size() != options.source_vocabulary ||
        t.target.size() != options.target_vocabulary)
      fail_file(path,
                "the network was made for vocabularies of {} and {}, the files beside it hold "
                "{} and {}",
                options.source_vocabulary, options.target_vocabulary, t.source.size(),
                t.target.size());
    Rng unused(0);  // the first values are overwritten
    t.network = Seq2Seq(options, unused);
    load(weights, t.network);
    return t;
  } catch (const nlohmann::json::exception& e) {
    const std::string_view what = e.what();  // "[json.exception.out_of_range.403] key ..."
    fail_file(path, "a setting is missing or of the wrong kind: {}",
              what.substr(std::min(what.size(), what.find("] ") + 2)));
  } catch (const std::invalid_argument& e) {
    fail_file(path, "{}", e.what());
  }
}

}  // namespace heed::translate
