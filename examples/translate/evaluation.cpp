#include "examples/translate/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/buffer.h"

namespace heed::translate {
namespace {

std::vector<Tokens> side(std::span<const Example> pairs, std::vector<std::string> Example::*which) {
  std::vector<Tokens> all;
  for (const Example& e : pairs) all.push_back(e.*which);
  return all;
}

std::vector<Decoded> force(const Translator& t, std::span<const Example> pairs) {
  return decode_forced(t, side(pairs, &Example::src), side(pairs, &Example::tgt));
}

std::vector<Links> links_of(std::span<const Decoded> forced, std::span<const Example> pairs,
                            int offset) {
  std::vector<Links> all;
  for (size_t i = 0; i < pairs.size(); ++i)
    all.push_back(links_from_attention(forced[i].weights, forced[i].columns,
                                       static_cast<int64_t>(pairs[i].src.size()),
                                       static_cast<int64_t>(pairs[i].tgt.size()), offset));
  return all;
}

AlignmentReport align(const Translator& t, std::span<const Example> pairs,
                      std::span<const Example> train) {
  const auto forced = force(t, pairs);
  trim_pool();  // IBM Model 1 needs memory of another kind
  // A baseline need not read everything: its figure moves in the third place only.
  const auto some = train.first(std::min<size_t>(train.size(), 5000));
  AttentionMass mass;
  for (size_t i = 0; i < pairs.size(); ++i)
    add_attention_mass(mass, forced[i].weights, forced[i].columns, pairs[i]);
  return {score_alignment(links_of(forced, pairs, 0), pairs),
          score_alignment(links_of(forced, pairs, 1), pairs),
          score_alignment(oracle_links(pairs), pairs),
          score_alignment(diagonal_links(pairs), pairs),
          score_alignment(ibm1_links(some, pairs), pairs),
          mass.mean()};
}

std::string rates_text(const std::string& title, std::span<const Rate> rates) {
  std::string text;
  for (const Rate& r : rates)
    text += fmt::format("  {:<12} {:6.2f} %  of {}\n", r.name, 100 * r.share(), r.total);
  return rates.empty() ? "" : title + "\n" + text;
}

}  // namespace

std::vector<Links> attention_links(const Translator& t, std::span<const Example> pairs,
                                   int offset) {
  return links_of(force(t, pairs), pairs, offset);
}

Evaluation evaluate(const Translator& t, std::span<const Example> pairs,
                    std::span<const Example> train, int64_t threads) {
  Evaluation e;
  e.sentences = static_cast<int64_t>(pairs.size());
  e.decoded = decode_greedy(t, side(pairs, &Example::src), {.threads = threads});
  std::vector<Tokens> found;
  std::vector<std::string> hypotheses, references;
  std::vector<IdPair> ids;
  bool gold = false;
  for (size_t i = 0; i < pairs.size(); ++i) {
    found.push_back(e.decoded[i].tokens);
    hypotheses.push_back(join(found.back(), Tokeniser::whitespace));
    references.push_back(join(pairs[i].tgt, Tokeniser::whitespace));
    ids.push_back(t.encode(pairs[i].src, pairs[i].tgt));
    e.cut += e.decoded[i].cut;
    gold = gold || !pairs[i].sure.empty();
  }
  e.likelihood = likelihood(t.network, ids, {});
  e.exact = exact_matches(found, pairs);
  e.tokens = token_matches(found, pairs);
  e.bleu = corpus_bleu(hypotheses, references);
  e.chrf = corpus_chrf(hypotheses, references);
  e.by_tag = accuracy_by_tag(found, pairs);
  e.by_length = accuracy_by_length(found, pairs);
  if (gold && has_attention(t.network)) e.alignment = align(t, pairs, train);
  return e;
}

std::string evaluation_text(const Evaluation& e) {
  std::string text = fmt::format(
      "{} sentences\n"
      "  exact match  {:6.2f} %\n"
      "  tokens right {:6.2f} %\n"
      "  BLEU         {:6.2f}    {}\n"
      "  chrF2        {:6.2f}\n"
      "  loss         {:.4f} nats per token, perplexity {:.4f} (gold words fed, <eos> counted)\n",
      e.sentences, 100 * e.exact.share(), 100 * e.tokens.share(), e.bleu.score, kBleuSignature,
      e.chrf, e.likelihood.loss(), std::exp(e.likelihood.loss()));
  if (e.cut > 0) text += fmt::format("  {} translations were cut at the length limit\n", e.cut);
  text += rates_text("by phenomenon: all words that belong to it are right", e.by_tag);
  text += rates_text("by source length: exact match", e.by_length);
  if (e.alignment) {
    const AlignmentReport& a = *e.alignment;
    text += fmt::format(
        "alignment error rate against the gold links (forced decoding)\n"
        "  attention, the step that predicts a word (offset 0)      {:.3f}\n"
        "  attention, the step that has consumed it (offset +1)     {:.3f}\n"
        "  floor of one link per word {:.3f}, IBM Model 1 {:.3f}, diagonal {:.3f}\n"
        "  attention on gold positions {:.3f}\n",
        a.offset0.aer(), a.offset1.aer(), a.oracle.aer(), a.ibm1.aer(), a.diagonal.aer(), a.mass);
  }
  return text;
}

std::string translations_text(const Evaluation& e, std::span<const Example> pairs,
                              const TextOptions& text, int64_t count) {
  std::string out;
  for (size_t i = 0; i < pairs.size() && static_cast<int64_t>(i) < count; ++i) {
    const Tokens& found = e.decoded[i].tokens;
    const bool right = exact_match(found, pairs[i].tgt);
    out += fmt::format("  source     {}\n  {}  {}\n", join(pairs[i].src, text.source),
                       right ? "right    " : "wrong    ", join(found, text.target));
    if (!right) out += fmt::format("  reference  {}\n", join(pairs[i].tgt, text.target));
    out += "\n";
  }
  return out;
}

nlohmann::ordered_json evaluation_json(const Evaluation& e) {
  nlohmann::ordered_json j{{"sentences", e.sentences},
                           {"loss", e.likelihood.loss()},
                           {"perplexity", std::exp(e.likelihood.loss())},
                           {"exact_match", e.exact.share()},
                           {"token_match", e.tokens.share()},
                           {"bleu", e.bleu.score},
                           {"chrf", e.chrf},
                           {"aer", nullptr},
                           {"aer_offset1", nullptr}};
  if (e.alignment) {
    j["aer"] = e.alignment->offset0.aer();
    j["aer_offset1"] = e.alignment->offset1.aer();
  }
  for (const auto& [key, rates] : {std::pair{"by_tag", &e.by_tag}, {"by_length", &e.by_length}}) {
    j[key] = nlohmann::ordered_json::object();
    for (const Rate& r : *rates) j[key][r.name] = r.share();
  }
  return j;
}

Verdict judge(const Evaluation& e, std::span<const Example> pairs, const Goals& g) {
  Verdict v;
  const auto say = [&](bool met, std::string text) {
    v.met = v.met && met;
    v.text += (v.text.empty() ? "" : ", ") + text + (met ? "" : " MISSED");
  };
  double exact = e.exact.share();
  std::string up_to;
  if (g.exact_length > 0) {
    std::vector<Tokens> found;
    std::vector<Example> some;
    for (size_t i = 0; i < pairs.size(); ++i)
      if (static_cast<int64_t>(pairs[i].src.size()) <= g.exact_length) {
        found.push_back(e.decoded[i].tokens);
        some.push_back(pairs[i]);
      }
    exact = exact_matches(found, some).share();
    up_to = fmt::format(" up to length {}", g.exact_length);
  }
  const auto bar = [](bool has, const std::string& text) {
    return has ? " (goal " + text + ")" : "";
  };
  say(g.exact < 0 || exact >= g.exact,
      fmt::format("exact match {:.2f} %{}{}", 100 * exact, up_to,
                  bar(g.exact >= 0, fmt::format(">= {:g} %", 100 * g.exact))));
  say(g.bleu < 0 || e.bleu.score >= g.bleu,
      fmt::format("BLEU {:.2f}{}", e.bleu.score, bar(g.bleu >= 0, fmt::format(">= {:g}", g.bleu))));
  if (e.alignment)
    say(g.aer < 0 || e.alignment->offset0.aer() <= g.aer,
        fmt::format("AER {:.3f}{}", e.alignment->offset0.aer(),
                    bar(g.aer >= 0, fmt::format("<= {:g}", g.aer))));
  const bool goals = g.exact >= 0 || g.bleu >= 0 || g.aer >= 0;
  v.text = (!goals ? "done: " : v.met ? "PASS: " : "FAIL: ") + v.text;
  return v;
}

}  // namespace heed::translate
