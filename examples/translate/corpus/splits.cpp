// Splits of micro en-fr: draws sentences until every split is full. See corpus.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/error.h"
#include "core/rng.h"
#include "examples/translate/corpus/corpus.h"
#include "examples/translate/corpus/grammar.h"
#include "examples/translate/corpus/sampler.h"

namespace heed::translate {
namespace {

std::string joined(std::span<const std::string> tokens) {
  return fmt::format("{}", fmt::join(tokens, " "));
}

bool full(const std::vector<Example>& split, int64_t wanted) {
  return static_cast<int64_t>(split.size()) >= wanted;
}

std::pair<size_t, size_t> lengths(const Example& e) {
  return std::minmax(e.src.size(), e.tgt.size());
}

bool has_tag(const Example& e, Tag tag) {
  return std::ranges::find(e.tags, tag_name(tag)) != e.tags.end();
}

/// One foil of the rarest kind so far, so that the four kinds come out even.
const Foil* rarest(const Realised& r, const std::map<std::string, int>& count) {
  const auto least =
      std::ranges::min_element(r.foils, {}, [&](const Foil& f) { return count.at(f.flipped); });
  return least == r.foils.end() ? nullptr : &*least;
}

}  // namespace

std::string_view split_of(std::span<const std::string> english) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char ch : joined(english)) {
    hash = (hash ^ static_cast<unsigned char>(ch)) * 1099511628211u;
  }
  const uint64_t bucket = (hash ^ (hash >> 32)) % 10;
  return bucket < 8 ? "train" : bucket == 8 ? "dev" : "test";
}

Dataset make_micro(const MicroOptions& o) {
  require(o.train >= 1 && o.train <= 5'000'000 && o.dev >= 0 && o.test >= 0 && o.combo >= 0 &&
              o.length >= 0 && o.contrast >= 0,
          "micro en-fr: expected 1 to 5000000 training pairs, got {}", o.train);
  Dataset data;
  data.name = "micro-en-fr";
  data.header = fmt::format("micro en-fr, version {}, seed {}", kMicroVersion, o.seed);
  std::vector<Example> combo, length;
  std::unordered_set<std::string> seen;  // asked for membership only: its order never shows
  const auto is_new = [&](const Example& e) { return seen.insert(joined(e.src)).second; };

  Rng rng = Rng(o.seed).fork("micro en-fr");
  std::map<std::string, int> flipped = {
      {"gender", 0}, {"number", 0}, {"negation", 0}, {"person", 0}};
  while (!full(data.train, o.train) || !full(data.dev, o.dev) || !full(data.test, o.test) ||
         !full(combo, o.combo) || std::ssize(data.contrast) < o.contrast) {
    Realised r = realise(sample_sentence(rng));
    const auto [shorter, longer] = lengths(r.example);
    if (shorter < 3 || longer > 25) continue;
    // Poor sentences are kept half of the time: 19 tags in 300 of 1,000 sentences each need about
    // six per sentence. MONO, the control, is poor by its nature.
    if (r.example.tags.size() < 4 && !has_tag(r.example, Tag::mono) && rng.below(2) == 0) continue;
    if (r.held_out) {
      if (!full(combo, o.combo) && is_new(r.example)) combo.push_back(std::move(r.example));
      continue;
    }
    const std::string_view split = split_of(r.example.src);
    std::vector<Example>& target = split == "train" ? data.train
                                   : split == "dev" ? data.dev
                                                    : data.test;
    const int64_t wanted = split == "train" ? o.train : split == "dev" ? o.dev : o.test;
    if (!full(target, wanted)) {
      if (is_new(r.example)) target.push_back(std::move(r.example));
    } else if (split == "test" && std::ssize(data.contrast) < o.contrast) {
      const Foil* foil = rarest(r, flipped);
      if (!foil || flipped[foil->flipped] >= (o.contrast + 3) / 4 || !is_new(r.example)) continue;
      ++flipped[foil->flipped];
      std::vector<std::string> wrong = r.example.tgt;
      wrong[size_t(foil->position)] = foil->text;
      data.contrast.push_back({r.example.src, r.example.tgt, std::move(wrong), foil->flipped});
    }
  }
  Rng long_rng = Rng(o.seed).fork("micro en-fr, length");
  while (!full(length, o.length)) {
    Realised r = realise(sample_sentence(long_rng, true));
    const auto [shorter, longer] = lengths(r.example);
    if (shorter < 26 || longer > 40 || r.held_out || !is_new(r.example)) continue;
    length.push_back(std::move(r.example));
  }
  data.extra = {{"combo", std::move(combo)}, {"length", std::move(length)}, {"align", data.test}};
  return data;
}

}  // namespace heed::translate
