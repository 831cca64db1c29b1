// The options that several sub-commands have.
#include <fmt/format.h>

#include <algorithm>

#include "tests/bench/commands.h"

namespace heed::bench {

CLI::Validator between(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return "";
        return fmt::format("expected a number from {:.15g} to {:.15g}, got '{}'", least, most,
                           text);
      },
      "");
}

CLI::Option* add_config(CLI::App& app, Flags& f, bool many) {
  CLI::Option* option = app.add_option(
      "--config", f.configs,
      fmt::format("{} {}", many ? "Any of" : "One of", fmt::join(config_names(), ", ")));
  option->check(CLI::Validator(
      [](std::string& name) -> std::string {
        const auto& names = config_names();
        if (std::find(names.begin(), names.end(), name) != names.end()) return "";
        return fmt::format("expected one of {}, got '{}'", fmt::join(names, ", "), name);
      },
      ""));
  if (many) {
    option->delimiter(',')->take_all();
  } else {
    option->expected(1)->take_last();
  }
  return option;
}

void add_sizes(CLI::App& app, Flags& f) {
  const auto size = [&](const char* name, std::optional<int64_t>& value, const char* text,
                        double most = 1 << 20) {
    app.add_option(name, value, text)->check(between(1, most));
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

void add_threads(CLI::App& app, Flags& f, const std::string& text) {
  app.add_option("--threads", f.threads, text)->capture_default_str()->check(between(1, 256));
}

void add_seconds(CLI::App& app, Flags& f, const std::string& text) {
  app.add_option("--seconds", f.seconds, text)->capture_default_str()->check(between(0.001, 3600));
}

void add_json(CLI::App& app, Flags& f) {
  app.add_flag("--json", f.json, "One JSON object per line instead of text");
}

}  // namespace heed::bench
