// The options of pair.h as `run.pair` and `run.model` of a trace hold them.
#include <set>

#include "core/error.h"
#include "examples/microscope/pair.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/sentence.h"

namespace heed::microscope {
namespace {

constexpr int64_t kMostBeam = 100;

// Reads one field after the other; what is left over is refused.
struct Reader {
  const Json& j;
  std::string path, where;
  std::set<std::string> known{};

  const Json* field(const char* key) {
    known.insert(key);
    const auto it = j.find(key);
    return it == j.end() ? nullptr : &*it;
  }
  template <class T>
  void read(const char* key, T& value) {
    static_assert(!std::is_integral_v<T> || std::is_same_v<T, bool>, "see bounded, seed");
    const Json* is = field(key);
    if (!is) return;
    try {
      value = is->get<T>();
    } catch (const Json::exception&) {
      wrong(key, *is);
    }
  }
  void bounded(const char* key, int64_t& value, int64_t least, int64_t most) {
    const Json* is = field(key);
    if (!is) return;
    try {
      value = whole_number(*is, fmt::format("{}.{}", where, key), least, most);
    } catch (const std::invalid_argument& e) {
      fail_file(path, "{}", e.what());
    }
  }
  void seed(uint64_t& value) {  // which may be any of 64 bits
    const Json* is = field("seed");
    if (is && !is->is_number_unsigned()) wrong("seed", *is);
    if (is) value = is->get<uint64_t>();
  }
  [[noreturn]] void wrong(const char* key, const Json& is) const {
    fail_file(path, "{}.{}: expected another kind of value, got {}", where, key,
              harmless(is.dump().substr(0, 60)));
  }
  void one_of(const char* key, std::string& value, std::initializer_list<const char*> all) {
    read(key, value);
    std::string list;
    for (const char* word : all) {
      if (value == word) return;
      list += (list.empty() ? "" : ", ") + std::string(word);
    }
    fail_file(path, "{}.{}: expected one of {}, got '{}'", where, key, list,
              harmless(value.substr(0, 40)));
  }
  void words(const char* key, std::vector<std::string>& value) {
    read(key, value);
    if (value.size() > kMostWords)
      fail_file(path, "{}.{}: expected at most {} words, got {}", where, key, kMostWords,
                value.size());
  }
  void dtype(DType& value) {
    std::string name(name_of(value));
    one_of("dtype", name, {"f32", "f64"});
    value = name == "f32" ? f32 : f64;
  }
  void finish() const {
    for (const auto& [key, value] : j.items())
      if (!known.contains(key))
        fail_file(path, "{}: expected no field '{}'", where, harmless(key.substr(0, 40)));
  }
};

}  // namespace

Json to_json(const PairOptions& o) {
  return {{"mech", o.mech},
          {"score", o.score},
          {"hard", o.hard},
          {"enc", o.enc},
          {"decoder", o.decoder},
          {"bridge", o.bridge},
          {"bidirectional", o.bidirectional},
          {"input_feeding", o.input_feeding},
          {"pre_norm", o.pre_norm},
          {"reach", o.reach},
          {"layers", o.layers},
          {"d", o.d},
          {"heads", o.heads},
          {"ff", o.ff},
          {"temperature", o.temperature},
          {"label_smoothing", o.label_smoothing},
          {"mode", o.mode},
          {"pad", o.pad},
          {"src", o.src},
          {"tgt", o.tgt},
          {"seed", o.seed},
          {"dtype", std::string(name_of(o.dtype))}};
}

PairOptions pair_from(const Json& j, const std::string& path, const std::string& where) {
  PairOptions o;
  Reader r{j, path, where};
  r.one_of("mech", o.mech,
           {"additive", "dot", "scaled_dot", "general", "concat", "cosine", "location", "local_m",
            "local_p", "none", "multi_head"});
  r.one_of("score", o.score,
           {"additive", "dot", "scaled_dot", "general", "concat", "cosine", "location"});
  r.one_of("hard", o.hard, {"none", "argmax", "reinforce", "straight_through", "gumbel"});
  r.one_of("enc", o.enc, {"gru", "lstm", "tanh"});
  r.one_of("decoder", o.decoder, {"bahdanau", "luong"});
  r.one_of("bridge", o.bridge, {"zero", "last", "learned"});
  r.one_of("mode", o.mode, {"teacher_forcing", "free_running"});
  r.read("bidirectional", o.bidirectional);
  r.read("input_feeding", o.input_feeding);
  r.read("pre_norm", o.pre_norm);
  r.read("temperature", o.temperature);
  r.read("label_smoothing", o.label_smoothing);
  r.bounded("reach", o.reach, 1, 1000);
  r.bounded("layers", o.layers, 1, 16);
  r.bounded("d", o.d, 1, 512);
  r.bounded("heads", o.heads, 1, 64);
  r.bounded("ff", o.ff, 1, 4096);
  r.bounded("pad", o.pad, 0, 1000);
  r.words("src", o.src);
  r.words("tgt", o.tgt);
  r.seed(o.seed);
  r.dtype(o.dtype);
  r.finish();
  return o;
}

Json to_json(const ModelOptions& o) {
  return {{"directory", o.directory},
          {"src", o.src},
          {"tgt", o.tgt},
          {"beam", o.beam},
          {"hypothesis", o.hypothesis},
          {"label_smoothing", o.label_smoothing},
          {"dtype", std::string(name_of(o.dtype))}};
}

ModelOptions model_from(const Json& j, const std::string& path) {
  ModelOptions o;
  Reader r{j, path, "run.model"};
  r.read("directory", o.directory);
  r.words("src", o.src);
  r.words("tgt", o.tgt);
  r.bounded("beam", o.beam, 0, kMostBeam);
  r.bounded("hypothesis", o.hypothesis, 1, kMostBeam);
  r.read("label_smoothing", o.label_smoothing);
  r.dtype(o.dtype);
  r.finish();
  return o;
}

}  // namespace heed::microscope
