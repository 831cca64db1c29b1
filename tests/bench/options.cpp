// The options that several sub-commands have.
#include <fmt/format.h>

#include <algorithm>

#include "tests/bench/commands.h"

namespace heed::bench {

Run measured(std::function<void()> measure) {
  return [measure = std::move(measure)] {
    try {
      measure();
      return 0;
    } catch (const ChildFailed& e) {  // which has said why
      return e.code;
    }
  };
}

Option add_config(CommandLine& app, Flags& f, bool many) {
  Option option = app.add_option(
      "--config", f.configs,
      fmt::format("{} {}", many ? "Any of" : "One of", fmt::join(config_names(), ", ")));
  option.check([](const std::string& name) -> std::string {
    const auto& names = config_names();
    if (std::find(names.begin(), names.end(), name) != names.end()) return "";
    return fmt::format("expected one of {}, got '{}'", fmt::join(names, ", "), name);
  });
  if (many) {
    option.delimiter(',').go_on();
  } else {
    option.last_of_list();
  }
  return option;
}

void add_sizes(CommandLine& app, Flags& f) {
  const auto size = [&](const char* name, std::optional<int64_t>& value, const char* text,
                        double most = 1 << 20) {
    app.add_option(name, value, text).between(1, most);
  };
  size("--vocab-src", f.sizes.vocab_src, "Words of the source");
  size("--vocab-tgt", f.sizes.vocab_tgt, "Words of the target");
  size("--emb", f.sizes.emb, "Size of word vectors, of all vectors in the transformer");
  size("--hidden", f.sizes.hidden, "Units of a recurrent state");
  size("--batch", f.sizes.batch, "Sentences of a step");
  size("--src-len", f.sizes.src_len, "Words of a source sentence");
  size("--tgt-len", f.sizes.tgt_len, "Words of a target sentence");
  size("--layers", f.sizes.layers, "Layers of the encoder, and of the decoder", 64);
  size("--heads", f.sizes.heads, "transformer: heads of attention");
  size("--ff", f.sizes.ff, "transformer: units between its layers");
  app.add_option("--cell", f.sizes.cell, "gru, lstm, tanh");
  app.add_option("--score", f.sizes.score,
                 "additive, dot, scaled_dot, general, concat, cosine, location");
}

void add_threads(CommandLine& app, Flags& f, const std::string& text) {
  app.add_option("--threads", f.threads, text).show_default().between(1, 256);
}

void add_seconds(CommandLine& app, Flags& f, const std::string& text) {
  app.add_option("--seconds", f.seconds, text).show_default().between(0.001, 3600);
}

void add_json(CommandLine& app, Flags& f) {
  app.add_flag("--json", f.json, "One JSON object per line instead of text");
}

}  // namespace heed::bench
