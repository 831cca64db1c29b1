// translate translate | evaluate | align | attention: what a model directory is for.
#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/console/utf8.h"
#include "examples/translate/commands.h"
#include "examples/translate/console.h"
#include "examples/translate/evaluation.h"

namespace heed::translate {
namespace {

using Json = nlohmann::ordered_json;

// ---- translate: lines in, lines out ----

struct TranslateCommand {
  std::string model;
  bool json = false;
};

// The tokens of one line as the model was trained on them.
Tokens cut(const Translator& t, const std::string& line, Tokeniser tokeniser) {
  return tokenise(t.text.lowercase ? lowercase(line) : line, tokeniser);
}

void require_utf8(const char* where, int64_t line, const std::string& text) {
  if (const auto bad = find_invalid_utf8(text))
    fail_file(fmt::format("{}:{}:{}", where, line, bad->column),
              "expected UTF-8: {}; convert the text to UTF-8 first", bad->reason);
}

int run(const TranslateCommand& c) {
  const Translator t = load_translator(c.model);
  UnknownWords unknown;
  std::string line;
  for (int64_t number = 1; std::cout && std::getline(std::cin, line); ++number) {
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    require_utf8("standard input", number, line);
    const Tokens source = cut(t, line, t.text.source);
    unknown.tell(fmt::format("standard input:{}", number), t.source, source);
    const Decoded d = decode_greedy(t, std::vector<Tokens>{source})[0];
    if (c.json) {
      print_json({{"source", line},
                  {"translation", join(d.tokens, t.text.target)},
                  {"log_probability", d.log_probability},
                  {"cut", d.cut}});
    } else {
      std::cout << join(d.tokens, t.text.target) << "\n" << std::flush;
    }
  }
  if (std::ferror(stdin)) fail_file("standard input", "cannot be read; is it a folder?");
  return 0;
}

// ---- evaluate ----

struct EvaluateCommand {
  std::string model;
  std::shared_ptr<SourceOptions> source;
  std::string set = "test";
  int64_t show = 10;
  int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 2);
  bool json = false;
};

const std::vector<Example>& set_of(const Corpus& corpus, const std::string& name) {
  if (name == "test") return corpus.sets.test;
  if (name == "dev") return corpus.sets.dev;
  if (name == "train") return corpus.sets.train;
  std::string known = "train, dev, test";
  for (const auto& [key, examples] : corpus.sets.extra) {
    if (key == name) return examples;
    known += ", " + key;
  }
  throw std::invalid_argument("unknown --set '" + name + "'; this data has: " + known);
}

// The share of minimal pairs whose reference is more probable than its foil.
Rate contrast_rate(const Translator& t, std::span<const ContrastPair> pairs) {
  std::vector<Tokens> sources, references, foils;
  for (const ContrastPair& p : pairs) {
    sources.push_back(p.src);
    references.push_back(p.reference);
    foils.push_back(p.foil);
  }
  const auto good = decode_forced(t, sources, references), bad = decode_forced(t, sources, foils);
  Rate rate{"contrast", 0, static_cast<int64_t>(pairs.size())};
  for (size_t i = 0; i < pairs.size(); ++i)
    rate.right += good[i].log_probability > bad[i].log_probability;
  return rate;
}

// Without data on the command line, the task the model was trained on, as it was then.
void default_source(SourceOptions& o, const Translator& t) {
  if (!o.task.empty() || !o.file.empty() || !o.test_src.empty()) return;
  const std::string task = t.about.at("task");
  for (const TaskInfo& info : tasks())
    if (info.name == task) {
      o.task = task;
      o.seed = t.about.at("seed");
      o.size = t.about.at("size");
      o.data.swap = t.about.at("swap");
      return;
    }
  throw std::invalid_argument(
      "evaluate: this model was trained on files; name the data: --data FILE.tsv, or "
      "--test-src FILE --test-tgt FILE");
}

// Files given for evaluation are read as the model's own text was, and are not split.
Corpus corpus_for(SourceOptions& o, const Translator& t) {
  default_source(o, t);
  if (o.task.empty()) {
    o.data.src_tokeniser = t.text.source;
    o.data.tgt_tokeniser = t.text.target;
    o.data.lowercase = t.text.lowercase;
    o.all_test = true;
  }
  return load_corpus(o);
}

int run(EvaluateCommand& c) {
  const auto start = std::chrono::steady_clock::now();
  const Translator t = load_translator(c.model);
  Console console(c.json);
  const Corpus corpus = corpus_for(*c.source, t);
  const auto& pairs = set_of(corpus, c.set);
  console.say("model {}, seed {}, data {} ({})", c.model, c.source->seed, corpus.name, c.set);
  const Evaluation e = evaluate(t, pairs, corpus.sets.train, c.threads);
  if (c.show > 0) console.write(translations_text(e, pairs, t.text, c.show));
  console.write(evaluation_text(e));
  Json figures = evaluation_json(e);
  if (!corpus.sets.contrast.empty() && c.set == "test") {
    const Rate r = contrast_rate(t, corpus.sets.contrast);
    console.say("minimal pairs: the right one is more probable in {:.2f} % of {}", 100 * r.share(),
                r.total);
    figures["contrast"] = r.share();
  }
  const Verdict verdict =
      judge(e, pairs, c.set == "test" ? preset_for(corpus.name).goals : Goals{});
  console.say("{}", verdict.text);
  if (c.json) {
    Network network = t.network;
    Json j{{"task", corpus.name},
           {"set", c.set},
           {"seed", c.source->seed},
           {"threads", c.threads},
           {"seconds",
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()},
           {"epochs", t.about.at("epochs")},
           {"parameters", parameter_count(network)},
           {"goals_met", verdict.met}};
    j.update(figures);
    print_json(j);
  }
  return verdict.met ? 0 : 1;
}

// ---- align ----

struct AlignCommand {
  std::string model;
  std::shared_ptr<SourceOptions> source;
  std::string set = "test";
  int offset = 0;
};

int run(AlignCommand& c) {
  const Translator t = load_translator(c.model);
  require(has_attention(t.network), "align: the model {} has no attention to align with", c.model);
  const Corpus corpus = corpus_for(*c.source, t);
  for (const Links& links : attention_links(t, set_of(corpus, c.set), c.offset)) {
    std::string line;
    for (const Link& l : links)
      line += fmt::format("{}{}-{}", line.empty() ? "" : " ", l.src, l.tgt);
    std::cout << line << "\n";
  }
  return 0;
}

// ---- attention ----

struct AttentionCommand {
  std::string model, sentence, target, out;
  bool json = false;
};

int run(const AttentionCommand& c) {
  const Translator t = load_translator(c.model);
  require(has_attention(t.network), "attention: the model {} was trained without", c.model);
  require_utf8("--sentence", 1, c.sentence);
  require_utf8("--target", 1, c.target);
  const Tokens source = cut(t, c.sentence, t.text.source);
  require(!source.empty(), "attention: expected a sentence with words in it, got '{}'", c.sentence);
  const Tokens target = cut(t, c.target, t.text.target);
  UnknownWords().tell("--sentence", t.source, source);
  UnknownWords().tell("--target", t.target, target);
  const Decoded d = c.target.empty() ? decode_greedy(t, std::vector<Tokens>{source})[0]
                                     : decode_forced(t, std::vector<Tokens>{source},
                                                     std::vector<Tokens>{target})[0];
  const AttentionMap map = attention_map(source, d);
  const std::string name = t.about.at("task");
  if (c.json) {
    std::cout << attention_json(map, name) << "\n";
  } else {
    std::cout << attention_text(map, terminal_of(stdout));
  }
  if (!c.out.empty()) {
    write_file(c.out, attention_page(std::span(&map, 1), name));
    std::cerr << "page " << c.out << "\n";
  }
  return 0;
}

void add_model(CommandLine& sub, std::string& model) {
  sub.add_option("-m,--model", model, "Model directory, made by translate train").required();
}

}  // namespace

Run add_translate(CommandLine& program) {
  auto c = std::make_shared<TranslateCommand>();
  CommandLine sub =
      program.add_command("translate", "Translate standard input; a blank line stays blank");
  add_model(sub, c->model);
  sub.add_flag("--json", c->json, "One JSON object per line, with log-probability");
  return [c] { return run(*c); };
}

Run add_evaluate(CommandLine& program) {
  auto c = std::make_shared<EvaluateCommand>();
  CommandLine sub =
      program.add_command("evaluate", "Translate pairs and compare with the references");
  add_model(sub, c->model);
  c->source = add_source_options(sub, false);
  sub.add_option("--set", c->set, "train, dev, test, or a set of the task's own").show_default();
  sub.add_option("--show", c->show, "How many translations to print")
      .between(0, 1e9)
      .show_default();
  sub.add_option("--threads", c->threads, "Batches decoded at the same time; changes no result")
      .between(1, 256)
      .show_default();
  sub.add_flag("--json", c->json, "Print one JSON object; text goes to standard error");
  return [c] { return run(*c); };
}

Run add_align(CommandLine& program) {
  auto c = std::make_shared<AlignCommand>();
  CommandLine sub = program.add_command("align", "Print word links from attention (0-0 1-2 ...)");
  add_model(sub, c->model);
  c->source = add_source_options(sub, false);
  sub.add_option("--set", c->set, "train, dev, test, or a set of the task's own").show_default();
  sub.add_option("--offset", c->offset, "Step that predicts the word (0) or has read it (1)")
      .between(0, 1)
      .show_default();
  return [c] { return run(*c); };
}

Run add_attention(CommandLine& program) {
  auto c = std::make_shared<AttentionCommand>();
  CommandLine sub = program.add_command("attention", "Show where the decoder looks");
  add_model(sub, c->model);
  sub.add_option("-s,--sentence", c->sentence, "Source sentence").required();
  sub.add_option("-t,--target", c->target, "Feed these words instead of decoding");
  sub.add_option("-o,--out", c->out, "Write a self-contained HTML page");
  sub.add_flag("--json", c->json, "JSON instead of a heat map; rows sum to 1");
  return [c] { return run(*c); };
}

}  // namespace heed::translate
