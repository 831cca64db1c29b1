#include "examples/translate/translator.h"

#include <algorithm>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"
#include "examples/translate/settings.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char *kConfig = "config.json", *kWeights = "weights.safetensors",
                     *kSource = "source.vocab", *kTarget = "target.vocab";

std::string in(const std::string& directory, const std::string& file) {
  return (fs::path(directory) / file).string();
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
                    {"network", network_json(t.network)},
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
    const uintmax_t weight_bytes = fs::file_size(weights, error);
    if (error) fail_file(weights, "cannot be read: {}", error.message());
    const NetworkOptions options = network_options(path, config.at("network"), weight_bytes);
    Translator t{
        {parse_tokeniser(text.at("source_tokeniser").get<std::string>()),
         parse_tokeniser(text.at("target_tokeniser").get<std::string>()), text.at("lowercase")},
        Vocabulary::parse(source, read_file(source, kMost)),
        Vocabulary::parse(target, read_file(target, kMost)),
        {},
        config.at("about")};
    for (const char* number : {"epochs", "size"}) (void)whole_number(path, t.about, number);
    if (const Json& seed = t.about.at("seed"); !seed.is_number_unsigned())
      fail_file(path, "expected a whole number from 0 for seed, got {}",
                seed.dump(-1, ' ', true).substr(0, 40));
    (void)t.about.at("task").get<std::string>();
    (void)t.about.at("swap").get<bool>();
    const auto [sources, targets] = vocabularies(options);
    if (t.source.size() != sources || t.target.size() != targets)
      fail_file(path,
                "the network was made for vocabularies of {} and {}, the files beside it hold "
                "{} and {}",
                sources, targets, t.source.size(), t.target.size());
    Rng unused(0);  // the first values are overwritten
    t.network = make_network(options, unused);
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
