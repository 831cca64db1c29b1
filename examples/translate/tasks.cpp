// Copy, reverse, sort, addition; the list of tasks; and the splitting that they share. See tasks.h.
#include "examples/translate/tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/rng.h"
#include "examples/translate/corpus/corpus.h"
#include "examples/translate/corpus/dates.h"
#include "examples/translate/corpus/number_words.h"

namespace heed::translate {
namespace {

constexpr Tokeniser kWords = Tokeniser::whitespace, kChars = Tokeniser::chars;

constexpr TaskInfo kTasks[] = {
    {"micro-en-fr", "English to French from a small grammar, 19 tagged phenomena, gold word links",
     20000, 1000, 1000, kWords, kWords},
    {"copy", "repeat 10 to 30 numbers between 0 and 10", 10000, 1000, 1000, kWords, kWords},
    {"reverse", "turn round 1 to 25 symbols between 0 and 49 (dev and test: to 30)", 50000, 1000,
     1000, kWords, kWords},
    {"sort", "sort 1 to 26 letters", 100000, 1000, 1000, kChars, kChars},
    {"addition", "add two numbers below 1000; the question is written backwards", 45000, 5000, 1000,
     kChars, kChars},
    {"dates", "English and French dates of 1900 to 2099 to YYYY-MM-DD", 30000, 1000, 1000, kChars,
     kChars},
    {"numbers-en", "digits to English number words, 0 to 999999", 20000, 1000, 2000, kChars,
     kWords},
    {"numbers-fr", "digits to French number words, 0 to 999999", 20000, 1000, 2000, kChars, kWords},
    {"en-numbers", "English number words to digits", 20000, 1000, 2000, kWords, kChars},
    {"fr-numbers", "French number words to digits", 20000, 1000, 2000, kWords, kChars},
};

/// One drawn pair; `key` is what must not be shared between splits, nor come twice.
struct Drawn {
  Example example;
  std::string key;
  bool train_only = false, held_out_only = false;
};
using Draw = std::function<Drawn(Rng&)>;

std::string spelt(std::span<const std::string> tokens) {
  return fmt::format("{}", fmt::join(tokens, " "));
}

void fill(Dataset& data, const TaskInfo& task, int64_t train, Rng rng, const Draw& draw) {
  struct Part {
    std::string_view name;
    std::vector<Example>* pairs;
    int64_t wanted;
  };
  const Part parts[] = {
      {"train", &data.train, train}, {"dev", &data.dev, task.dev}, {"test", &data.test, task.test}};
  std::unordered_set<std::string> seen;  // asked for membership only: its order never shows
  int64_t missing = train + task.dev + task.test, in_vain = 0;
  while (missing > 0) {
    Drawn d = draw(rng);
    const std::string_view split = d.train_only ? "train" : split_of(std::span(&d.key, 1));
    const Part& part = *std::ranges::find(parts, split, &Part::name);
    const bool fits = split != "train" || !d.held_out_only;
    if (std::ssize(*part.pairs) < part.wanted && fits && seen.insert(std::move(d.key)).second) {
      part.pairs->push_back(std::move(d.example));
      --missing;
      in_vain = 0;
    } else {
      require(++in_vain < 20'000,
              "task {}: expected at most {} training pairs, there are no more different ones; got "
              "a request for {}",
              task.name, data.train.size(), train);
    }
  }
}

/// `length` tokens, each made by `token`.
template <class Token>
std::vector<std::string> sequence(uint64_t length, Token token) {
  std::vector<std::string> tokens;
  for (uint64_t i = 0; i < length; ++i) tokens.push_back(token());
  return tokens;
}

Drawn draw_copy(Rng& rng) {
  Example e;
  e.src = sequence(10 + rng.below(21), [&] { return std::to_string(rng.below(11)); });
  e.tgt = e.src;
  for (int i = 0; i < static_cast<int>(e.src.size()); ++i) e.sure.push_back({i, i});
  return {e, spelt(e.src)};
}

/// JoeyNMT's tutorial task: lengths 1 to 25 in training, 1 to 30 elsewhere.
Drawn draw_reverse(Rng& rng) {
  Example e;
  e.src = sequence(1 + rng.below(30), [&] { return std::to_string(rng.below(50)); });
  e.tgt.assign(e.src.rbegin(), e.src.rend());
  const int n = static_cast<int>(e.src.size());
  for (int i = 0; i < n; ++i) e.sure.push_back({n - 1 - i, i});
  return {e, spelt(e.src), false, n > 25};
}

/// A letter that occurs once has a sure link; of several equal letters, each may be the one.
Drawn draw_sort(Rng& rng) {
  Example e;
  e.src = sequence(1 + rng.below(26),
                   [&] { return std::string(1, static_cast<char>('a' + rng.below(26))); });
  e.tgt = e.src;
  std::ranges::sort(e.tgt);
  for (int t = 0; t < static_cast<int>(e.tgt.size()); ++t) {
    const std::string& letter = e.tgt[size_t(t)];
    auto& links = std::ranges::count(e.src, letter) == 1 ? e.sure : e.possible;
    for (int s = 0; s < static_cast<int>(e.src.size()); ++s) {
      if (e.src[size_t(s)] == letter) links.push_back({s, t});
    }
  }
  return {e, spelt(e.src)};
}

/// As the Keras example does it: one to three digits each, the question reversed, and a + b and
/// b + a count as one question. No padding.
Drawn draw_addition(Rng& rng) {
  const auto number = [&] {
    uint64_t n = 0;
    for (uint64_t digits = 1 + rng.below(3); digits > 0; --digits) n = 10 * n + rng.below(10);
    return n;
  };
  const uint64_t a = number(), b = number();
  Example e;
  e.src = tokenise(fmt::format("{}+{}", a, b), kChars);
  std::ranges::reverse(e.src);
  e.tgt = tokenise(std::to_string(a + b), kChars);
  return {e, fmt::format("{}+{}", std::min(a, b), std::max(a, b))};
}

Drawn draw_date(Rng& rng) {
  Example e = random_date(rng);
  return {e, spelt(e.tgt)};
}

/// Numbers of one to six digits in equal parts, the small ones (every word by itself) in training.
Drawn draw_number(Rng& rng, std::string (*words)(int), bool swap) {
  int limit = 10;
  for (uint64_t digits = rng.below(6); digits > 0; --digits) limit *= 10;
  const int n = static_cast<int>(rng.below(static_cast<uint64_t>(limit)));
  Example e;
  e.src = tokenise(std::to_string(n), kChars);
  e.tgt = tokenise(words(n), kWords);
  return {swap ? swap_sides(e) : e, std::to_string(n), n < 100};
}

Draw generator(std::string_view name) {
  if (name == "copy") return draw_copy;
  if (name == "reverse") return draw_reverse;
  if (name == "sort") return draw_sort;
  if (name == "addition") return draw_addition;
  if (name == "dates") return draw_date;
  const bool english = name.find("en") != name.npos;
  const bool to_digits = name.ends_with("numbers");
  return [=](Rng& rng) {
    return draw_number(rng, english ? english_number : french_number, to_digits);
  };
}

}  // namespace

std::span<const TaskInfo> tasks() {
  return kTasks;
}

const TaskInfo& find_task(std::string_view name) {
  const auto found = std::ranges::find(kTasks, name, &TaskInfo::name);
  std::string known;
  for (const TaskInfo& t : kTasks) known += fmt::format("{}{}", known.empty() ? "" : ", ", t.name);
  require(found != std::end(kTasks), "unknown task \"{}\"; the tasks are {}", name, known);
  return *found;
}

Dataset make_task(std::string_view name, const TaskOptions& options) {
  const TaskInfo& task = find_task(name);
  require(options.train >= 0 && options.train <= 5'000'000,
          "task {}: expected 1 to 5000000 training pairs (or 0, the default), got {}", name,
          options.train);
  const int64_t train = options.train == 0 ? task.train : options.train;
  Dataset data;
  if (name == "micro-en-fr") {
    data = make_micro({.train = train, .seed = options.seed});
  } else {
    data.name = name;
    data.header = fmt::format("{}, version 1, seed {}", name, options.seed);
    fill(data, task, train, Rng(options.seed).fork(name), generator(name));
  }
  if (options.swap_sides) {
    data.header += ", sides swapped";
    data.contrast.clear();
    std::vector<std::vector<Example>*> splits = {&data.train, &data.dev, &data.test};
    for (auto& [_, pairs] : data.extra) splits.push_back(&pairs);
    for (std::vector<Example>* pairs : splits) {
      for (Example& e : *pairs) e = swap_sides(e);
    }
  }
  return data;
}

}  // namespace heed::translate
