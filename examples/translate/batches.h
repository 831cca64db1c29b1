// From pairs of id sequences to padded batches of pairs of similar length. Integers only: turning
// them into tensors is the model's business.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/rng.h"

namespace heed::translate {

/// A sentence pair in ids, without <bos> and <eos>.
struct IdPair {
  std::vector<int64_t> src, tgt;
};

/// Decoder input and expected output of one sentence.
struct Shifted {
  std::vector<int64_t> in, out;
};

/// The one place where a sentence is shifted against itself (teacher forcing): step t reads in[t]
/// and shall predict out[t], and out[t] is in[t + 1]. For "le chat dort" = 7 8 9:
///
///     step   0      1     2     3
///     in     <bos>  le    chat  dort      2 7 8 9
///     out    le     chat  dort  <eos>     7 8 9 3
Shifted shift_right(std::span<const int64_t> target);

/// A padded batch; matrices are row-major and hold <pad> beyond each sentence's end.
struct Batch {
  int64_t size = 0;                  ///< B
  int64_t S = 0, T = 0;              ///< longest source and target, <eos> included
  std::vector<int64_t> src;          ///< [B, S], each row ends with <eos>
  std::vector<int64_t> src_lengths;  ///< [B], <eos> included
  std::vector<int64_t> tgt_in;       ///< [B, T], each row begins with <bos>
  std::vector<int64_t> tgt_out;      ///< [B, T], each row ends with <eos>
  std::vector<int64_t> tgt_lengths;  ///< [B], <eos> included
  std::vector<int64_t> rows;         ///< [B], index of each sentence in the data
  int64_t target_tokens = 0;         ///< sum of tgt_lengths: what the loss counts
};

/// The pairs with these indices as a batch.
Batch make_batch(std::span<const IdPair> pairs, std::span<const int64_t> rows);

/// The batch's sentences in `count` runs of about equally many target tokens, as ranges of its rows
/// [begin, end); some are empty where there are fewer sentences than shards.
std::vector<std::pair<int64_t, int64_t>> shard_ranges(std::span<const int64_t> tgt_lengths,
                                                      int64_t count);

/// How sentences are grouped.
struct BatchOptions {
  int64_t max_tokens = 1500;  ///< bound on B * T and on B * S; one longer pair goes alone
  int64_t window = 4096;      ///< sentences sorted by length together: more pads less, mixes less
};

/// The batches of one epoch, each as indices into `pairs`; every pair occurs once. The pairs are
/// shuffled, cut into windows, sorted by length within each, cut into batches, and the batches are
/// shuffled. Throws std::invalid_argument if an option is below 1.
std::vector<std::vector<int64_t>> plan_epoch(std::span<const IdPair> pairs,
                                             const BatchOptions& options, Rng rng);

/// The batches for evaluation: all pairs sorted by length, nothing shuffled.
std::vector<std::vector<int64_t>> plan_in_order(std::span<const IdPair> pairs,
                                                const BatchOptions& options);

/// The share of the cells of all padded source and target matrices that hold a token, in (0, 1];
/// 1 if there are no batches.
double padding_efficiency(std::span<const IdPair> pairs,
                          std::span<const std::vector<int64_t>> plan);

}  // namespace heed::translate
