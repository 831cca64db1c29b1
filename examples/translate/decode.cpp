#include "examples/translate/decode.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "optim/shards.h"

namespace heed::translate {
namespace {

// Indices of the sentences that are not empty, in batches of similar length.
std::vector<std::vector<int64_t>> by_length(std::span<const Tokens> sources, int64_t batch_tokens) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < sources.size(); ++i)
    if (!sources[i].empty()) order.push_back(static_cast<int64_t>(i));
  const auto length = [&](int64_t i) {
    return static_cast<int64_t>(sources[static_cast<size_t>(i)].size());
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return length(a) < length(b); });
  std::vector<std::vector<int64_t>> batches;
  for (const int64_t i : order) {
    const bool fits =
        !batches.empty() &&
        static_cast<int64_t>(batches.back().size() + 1) * (length(i) + 1) <= batch_tokens;
    if (!fits) batches.emplace_back();
    batches.back().push_back(i);
  }
  return batches;
}

// The columns of row t of weights [B, T, S] that belong to sentence b, appended to its matrix.
void append_row(Decoded& d, const std::vector<double>& weights, int64_t row, int64_t stride) {
  const auto from = weights.begin() + row * stride;
  d.weights.insert(d.weights.end(), from, from + d.columns);
}

struct Sources {
  Tensor ids;
  std::vector<int64_t> lengths;
  int64_t longest;
};

Sources pack(const Translator& t, std::span<const Tokens> sources, std::span<const int64_t> rows) {
  std::vector<IdPair> pairs;
  for (const int64_t i : rows) pairs.push_back(t.encode(sources[static_cast<size_t>(i)], {}));
  std::vector<int64_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  const Batch b = make_batch(pairs, all);
  return {Tensor::ids(b.src, {b.size, b.S}), b.src_lengths, b.S};
}

// Sentences that have ended leave the batch as soon as they are a quarter of it: sooner, copying
// the others would cost more than it saves.
void decode_batch(const Translator& t, std::span<const Tokens> sources,
                  std::span<const int64_t> rows, const DecodeOptions& o,
                  std::vector<Decoded>& out) {
  const Sources in = pack(t, sources, rows);
  Source encoded = encode(t.network, in.ids, in.lengths);
  DecoderState state = start(t.network, encoded);
  // Of each sentence in the batch: its place in `rows`, the word fed next, whether it goes on.
  std::vector<size_t> at(rows.size());
  std::iota(at.begin(), at.end(), size_t{0});
  std::vector<int64_t> words(rows.size(), kBos), limits(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    limits[i] = static_cast<int64_t>(o.length_factor * static_cast<double>(in.lengths[i] - 1)) +
                o.length_extra;
    out[static_cast<size_t>(rows[i])].columns = in.lengths[i];
  }
  std::vector<int64_t> going(rows.size());
  std::iota(going.begin(), going.end(), 0);
  for (int64_t n = 1; !going.empty(); ++n) {
    if (going.size() * 4 <= words.size() * 3) {
      encoded = rows_of(encoded, going);
      state = heed::rows_of(state, going);
      for (size_t i = 0; i < going.size(); ++i) {
        at[i] = at[static_cast<size_t>(going[i])];
        words[i] = words[static_cast<size_t>(going[i])];
      }
      words.resize(going.size());
      std::iota(going.begin(), going.end(), 0);
    }
    const auto count = static_cast<int64_t>(words.size());
    DecoderStep s = step(t.network, Tensor::ids(words, {count}), state, encoded);
    state = std::move(s.state);
    const Tensor log_p = log_softmax(s.logits);
    const auto weights = s.weights.defined() ? s.weights.to_vector() : std::vector<double>{};
    const int64_t v = log_p.shape()[1];
    std::erase_if(going, [&](int64_t b) {
      const auto i = static_cast<size_t>(b);
      Decoded& d = out[static_cast<size_t>(rows[at[i]])];
      const float* row = log_p.data<float>() + b * v;
      words[i] = std::max_element(row, row + v) - row;
      d.log_probability += static_cast<double>(row[words[i]]);
      if (!weights.empty()) append_row(d, weights, b, in.longest);
      if (words[i] == kEos) return true;
      d.tokens.push_back(t.target.token(words[i]));
      return d.cut = n >= limits[at[i]];
    });
  }
}

}  // namespace

Seq2SeqBatch network_batch(const Batch& b) {
  return {Tensor::ids(b.src, {b.size, b.S}), Tensor::ids(b.tgt_in, {b.size, b.T}), b.src_lengths};
}

std::vector<Decoded> decode_greedy(const Translator& t, std::span<const Tokens> sources,
                                   const DecodeOptions& options) {
  std::vector<Decoded> out(sources.size());
  const auto batches = by_length(sources, options.batch_tokens);
  Shards crew(std::clamp<int64_t>(std::ssize(batches), 1, options.threads));
  crew.each(std::ssize(batches), [&](int64_t i) {
    const NoTape evaluation;
    decode_batch(t, sources, batches[static_cast<size_t>(i)], options, out);
  });
  return out;
}

std::vector<Decoded> decode_forced(const Translator& t, std::span<const Tokens> sources,
                                   std::span<const Tokens> targets, const DecodeOptions& options) {
  require(sources.size() == targets.size(),
          "decode: expected as many targets as sources, got {}, {}", targets.size(),
          sources.size());
  const NoTape evaluation;
  std::vector<Decoded> out(sources.size());
  for (const auto& rows : by_length(sources, options.batch_tokens)) {
    std::vector<IdPair> pairs;
    for (const int64_t i : rows)
      pairs.push_back(t.encode(sources[static_cast<size_t>(i)], targets[static_cast<size_t>(i)]));
    std::vector<int64_t> all(rows.size());
    std::iota(all.begin(), all.end(), 0);
    const Batch b = make_batch(pairs, all);
    const Seq2SeqOutput o = run(t.network, network_batch(b));
    const auto nats = cross_entropy(o.logits, Tensor::ids(b.tgt_out, {b.size, b.T}),
                                    {.ignore = kPad, .reduction = Reduction::per_token})
                          .to_vector();
    const auto weights = o.weights.defined() ? o.weights.to_vector() : std::vector<double>{};
    for (int64_t r = 0; r < b.size; ++r) {
      const auto i = static_cast<size_t>(rows[static_cast<size_t>(r)]);
      Decoded& d = out[i];
      d.tokens = targets[i];
      d.columns = b.src_lengths[static_cast<size_t>(r)];
      for (int64_t step = 0; step < b.tgt_lengths[static_cast<size_t>(r)]; ++step) {
        d.log_probability -= nats[static_cast<size_t>(r * b.T + step)];
        if (!weights.empty()) append_row(d, weights, r * b.T + step, b.S);
      }
    }
  }
  return out;
}

AttentionMap attention_map(const Tokens& source, const Decoded& d) {
  AttentionMap map{source, d.tokens, d.weights};
  map.source.push_back("</s>");
  if (!d.cut) map.target.push_back("</s>");
  return map;
}

Likelihood likelihood(const Network& network, std::span<const IdPair> pairs,
                      const BatchOptions& options) {
  const NoTape evaluation;
  Likelihood all;
  for (const auto& rows : plan_in_order(pairs, options)) {
    const Batch b = make_batch(pairs, rows);
    const Seq2SeqOutput o = run(network, network_batch(b));
    all.nats += cross_entropy(o.logits, Tensor::ids(b.tgt_out, {b.size, b.T}),
                              {.ignore = kPad, .reduction = Reduction::sum})
                    .item();
    all.tokens += b.target_tokens;
  }
  return all;
}

}  // namespace heed::translate
