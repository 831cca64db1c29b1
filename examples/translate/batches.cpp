#include "examples/translate/batches.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "examples/translate/vocabulary.h"

namespace heed::translate {
namespace {

using Plan = std::vector<std::vector<int64_t>>;

const IdPair& pair_at(std::span<const IdPair> pairs, int64_t row) {
  return pairs[static_cast<size_t>(row)];
}

// Lengths as they stand in a batch: with <eos>.
int64_t src_length(const IdPair& pair) {
  return static_cast<int64_t>(pair.src.size()) + 1;
}
int64_t tgt_length(const IdPair& pair) {
  return static_cast<int64_t>(pair.tgt.size()) + 1;
}

void check(const BatchOptions& options) {
  require(options.max_tokens >= 1, "batches: expected at least 1 token per batch, got {}",
          options.max_tokens);
  require(options.window >= 1, "batches: expected a window of at least 1 sentence, got {}",
          options.window);
}

// Sorts the rows by target, then source length and appends batches of neighbours to the plan.
void cut(std::span<const IdPair> pairs, std::span<int64_t> rows, int64_t max_tokens, Plan& plan) {
  std::ranges::stable_sort(rows, {}, [&](int64_t row) {
    const IdPair& pair = pair_at(pairs, row);
    return std::pair(pair.tgt.size(), pair.src.size());
  });
  int64_t longest = 0;
  bool open = false;
  for (const int64_t row : rows) {
    const IdPair& pair = pair_at(pairs, row);
    longest = std::max({longest, src_length(pair), tgt_length(pair)});
    if (!open || (static_cast<int64_t>(plan.back().size()) + 1) * longest > max_tokens) {
      plan.emplace_back();
      longest = std::max(src_length(pair), tgt_length(pair));
      open = true;
    }
    plan.back().push_back(row);
  }
}

std::vector<int64_t> all_rows(std::span<const IdPair> pairs) {
  std::vector<int64_t> rows(pairs.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

}  // namespace

Shifted shift_right(std::span<const int64_t> target) {
  Shifted s;
  s.in.reserve(target.size() + 1);
  s.in.push_back(kBos);
  s.in.insert(s.in.end(), target.begin(), target.end());
  s.out.assign(s.in.begin() + 1, s.in.end());
  s.out.push_back(kEos);
  return s;
}

Batch make_batch(std::span<const IdPair> pairs, std::span<const int64_t> rows) {
  Batch b;
  b.size = static_cast<int64_t>(rows.size());
  b.rows.assign(rows.begin(), rows.end());
  for (const int64_t row : rows) {
    const IdPair& pair = pair_at(pairs, row);
    b.src_lengths.push_back(src_length(pair));
    b.tgt_lengths.push_back(tgt_length(pair));
    b.S = std::max(b.S, src_length(pair));
    b.T = std::max(b.T, tgt_length(pair));
    b.target_tokens += tgt_length(pair);
  }
  b.src.assign(static_cast<size_t>(b.size * b.S), kPad);
  b.tgt_in.assign(static_cast<size_t>(b.size * b.T), kPad);
  b.tgt_out = b.tgt_in;
  for (int64_t i = 0; i < b.size; ++i) {
    const IdPair& pair = pair_at(pairs, rows[static_cast<size_t>(i)]);
    *std::ranges::copy(pair.src, b.src.begin() + i * b.S).out = kEos;
    const Shifted shifted = shift_right(pair.tgt);
    std::ranges::copy(shifted.in, b.tgt_in.begin() + i * b.T);
    std::ranges::copy(shifted.out, b.tgt_out.begin() + i * b.T);
  }
  return b;
}

std::vector<std::pair<int64_t, int64_t>> shard_ranges(std::span<const int64_t> tgt_lengths,
                                                      int64_t count) {
  const auto rows = static_cast<int64_t>(tgt_lengths.size());
  const int64_t total = std::accumulate(tgt_lengths.begin(), tgt_lengths.end(), int64_t{0});
  std::vector<std::pair<int64_t, int64_t>> ranges;
  int64_t begin = 0, tokens = 0;
  for (int64_t shard = 1; shard <= count; ++shard) {
    int64_t end = begin;
    while (end < rows && (shard == count || tokens * count < total * shard))
      tokens += tgt_lengths[static_cast<size_t>(end++)];
    ranges.emplace_back(begin, end);
    begin = end;
  }
  return ranges;
}

Plan plan_epoch(std::span<const IdPair> pairs, const BatchOptions& options, Rng rng) {
  check(options);
  std::vector<int64_t> rows = all_rows(pairs);
  rng.shuffle(std::span(rows));
  Plan plan;
  const auto window = static_cast<size_t>(options.window);
  for (size_t begin = 0; begin < rows.size(); begin += std::min(window, rows.size() - begin))
    cut(pairs, std::span(rows).subspan(begin, std::min(window, rows.size() - begin)),
        options.max_tokens, plan);
  rng.shuffle(std::span(plan));
  return plan;
}

Plan plan_in_order(std::span<const IdPair> pairs, const BatchOptions& options) {
  check(options);
  std::vector<int64_t> rows = all_rows(pairs);
  Plan plan;
  cut(pairs, rows, options.max_tokens, plan);
  return plan;
}

double padding_efficiency(std::span<const IdPair> pairs,
                          std::span<const std::vector<int64_t>> plan) {
  int64_t tokens = 0, cells = 0;
  for (const std::vector<int64_t>& rows : plan) {
    int64_t longest_src = 0, longest_tgt = 0;
    for (const int64_t row : rows) {
      const IdPair& pair = pair_at(pairs, row);
      tokens += src_length(pair) + tgt_length(pair);
      longest_src = std::max(longest_src, src_length(pair));
      longest_tgt = std::max(longest_tgt, tgt_length(pair));
    }
    cells += static_cast<int64_t>(rows.size()) * (longest_src + longest_tgt);
  }
  return cells ? static_cast<double>(tokens) / static_cast<double>(cells) : 1.0;
}

}  // namespace heed::translate
