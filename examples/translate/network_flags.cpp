#include "examples/translate/network_flags.h"

#include <fmt/format.h>

#include <span>

#include "core/error.h"
#include "examples/translate/commands.h"

namespace heed::translate {
namespace {

void add_recurrent(CommandLine& app, NetworkFlags& f) {
  const auto mine = [&](Option option) {
    f.rnn_only.push_back(option);
    return option;
  };
  const auto word = [&](const char* name, std::string& value, const char* text,
                        const std::vector<std::string>& words) {
    mine(app.add_option(name, value, text).show_default().one_of(words));
  };
  const auto size = [&](const char* name, int64_t& value, double least, const char* text) {
    mine(app.add_option(name, value, text).show_default().between(least, 4096));
  };
  word("--cell", f.cell, "gru, lstm, tanh", {"gru", "lstm", "tanh"});
  word("--decoder", f.decoder, "bahdanau or luong: attention before the step, after",
       {"bahdanau", "luong"});
  mine(app.add_flag("--input-feeding", f.rnn.input_feeding,
                    "luong: its result is fed to the next step"));
  word("--score", f.score, "additive, dot, scaled_dot, general, concat,\ncosine, location, none",
       {"additive", "dot", "scaled_dot", "general", "concat", "cosine", "location", "none"});
  word("--window", f.window, "global, local_m, local_p", {"global", "local_m", "local_p"});
  size("--reach", f.rnn.reach, 1, "D of the local windows (without: 4)");
  word("--hard", f.hard, "none, argmax, reinforce, straight_through, gumbel",
       {"none", "argmax", "reinforce", "straight_through", "gumbel"});
  mine(app.add_option("--temperature", f.rnn.temperature, "Of gumbel, at the beginning")
           .show_default()
           .between(1e-3, 1e3));
  word("--bridge", f.bridge, "First state of the decoder: zero, last, learned",
       {"zero", "last", "learned"});
  mine(app.add_flag("--unidirectional", f.unidirectional, "The encoder reads forward only"));
  mine(app.add_flag("--residual", f.rnn.residual, "Stacked layers add to their input"));
  size("--embedding", f.rnn.embedding, 1, "Size of word vectors");
  size("--encoder-hidden", f.rnn.encoder_hidden, 1, "Encoder units per direction");
  size("--decoder-hidden", f.rnn.decoder_hidden, 1, "Decoder units");
  mine(app.add_option(
              "--readout", f.readout,
              "Units of a layer before the output (0: none;\nwithout: as the word vectors, and "
              "tied)")
           .between(0, 4096));
}

void add_transformer(CommandLine& app, NetworkFlags& f) {
  const auto size = [&](const char* name, int64_t& value, double least, const char* text) {
    f.transformer_only.push_back(
        app.add_option(name, value, text).show_default().between(least, 4096));
  };
  size("--width", f.transformer.model, 1, "transformer: size of word vectors and states");
  size("--heads", f.transformer.heads, 1, "transformer: heads of attention");
  size("--feed-forward", f.transformer.feed_forward, 1, "transformer: units between its layers");
  size("--learned-positions", f.transformer.learned_positions, 0,
       "transformer: size of the table (0: sinusoids)");
  f.transformer_only.push_back(app.add_flag("--pre-norm", f.transformer.pre_norm,
                                            "transformer: norms before the sublayers"));
}

void refuse(std::span<const Option> options, const char* kind, const std::string& model) {
  for (const Option& o : options)
    require(o.count() == 0, "train: {} is an option of --model {} only, and the model is {}",
            o.name(), kind, model);
}

}  // namespace

std::shared_ptr<NetworkFlags> add_network_flags(CommandLine& app) {
  auto f = std::make_shared<NetworkFlags>();
  app.add_option("--model", f->model, "rnn or transformer")
      .show_default()
      .one_of({"rnn", "transformer"});
  app.add_option("--layers", f->layers, "Of encoder and decoder (rnn 1, transformer 2)")
      .between(1, 64);
  app.add_flag("--tied", f->rnn.tied, "Output weights are the target word vectors");
  app.add_option("--dropout", f->dropout, "Share of activations dropped in training")
      .between(0, 0.95);
  add_recurrent(app, *f);
  add_transformer(app, *f);
  return f;
}

NetworkOptions options_of(const NetworkFlags& f, double default_dropout) {
  const double dropout = f.dropout.value_or(default_dropout);
  if (f.model == "transformer") {
    refuse(f.rnn_only, "rnn", f.model);
    TransformerOptions o = f.transformer;
    if (f.layers > 0) o.encoder_layers = o.decoder_layers = f.layers;
    o.tied = f.rnn.tied;
    o.dropout = dropout;
    return o;
  }
  refuse(f.transformer_only, "transformer", f.model);
  Seq2SeqOptions o = f.rnn;
  o.readout = f.readout.value_or(o.embedding);
  o.tied = f.rnn.tied || !f.readout;
  o.cell = cell_named(f.cell).value();
  o.decoder = decoder_named(f.decoder).value();
  o.bridge = bridge_named(f.bridge).value();
  o.window = window_named(f.window).value();
  o.hard = hard_named(f.hard).value();
  o.attention = f.score != "none";
  if (o.attention) o.score = score_named(f.score).value();
  require(o.attention || (o.window == Window::global && o.hard == Hard::none),
          "train: without attention (--score none) there is nothing for --window or --hard to "
          "choose from");
  require(o.reach == 0 || o.window != Window::global,
          "train: --reach is the reach of a local window; choose one with --window");
  if (o.window != Window::global && o.reach == 0) o.reach = 4;
  o.bidirectional = !f.unidirectional;
  if (f.layers > 0) o.encoder_layers = o.decoder_layers = f.layers;
  o.dropout = dropout;
  return o;
}

std::string describe(const NetworkOptions& options) {
  if (const auto* t = std::get_if<TransformerOptions>(&options))
    return fmt::format("transformer, {} heads, {} layers", t->heads, t->decoder_layers);
  const auto& o = std::get<Seq2SeqOptions>(options);
  std::string text = fmt::format("{}, {}", name_of(o.cell), name_of(o.decoder));
  if (o.input_feeding) text += " with input feeding";
  if (o.readout > 0) text += fmt::format(", {}readout of {}", o.tied ? "tied " : "", o.readout);
  if (!o.attention) return text + ", no attention";
  text += fmt::format(", {} attention", name_of(o.score));
  if (o.window != Window::global) text += fmt::format(", {} {}", name_of(o.window), o.reach);
  if (o.hard != Hard::none) text += fmt::format(", hard ({})", name_of(o.hard));
  return text;
}

}  // namespace heed::translate
