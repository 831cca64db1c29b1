#include "tests/bench/workload.h"

#include <algorithm>

#include "core/error.h"

namespace heed::bench {
namespace {

const std::vector<Workload>& table() {
  static const std::vector<Workload> all = [] {
    const Workload toy{"toy-gru", Model::gru, 200, 200, 64, 128, 32, 10, 11};
    const Workload small{"small-gru", Model::gru, 7853, 5893, 256, 512, 128, 14, 14};
    const auto lstm = [](Workload w, const char* name) {
      w.config = name, w.model = Model::lstm;
      w.cell = Cell::lstm, w.score = Score::general;
      return w;
    };
    const auto transformer = [](Workload w, const char* name, int64_t layers, int64_t heads) {
      w.config = name, w.model = Model::transformer;
      w.ff = w.hidden, w.hidden = 0;
      w.layers = layers, w.heads = heads;
      return w;
    };
    return std::vector<Workload>{
        toy,   lstm(toy, "toy-lstm"),     transformer(toy, "toy-transformer", 2, 4),
        small, lstm(small, "small-lstm"), transformer(small, "small-transformer", 3, 8)};
  }();
  return all;
}

// Appends products.
struct List {
  std::vector<Product> all;

  void add(bool ta, bool tb, int64_t m, int64_t n, int64_t k, int64_t times) {
    all.push_back({ta, tb, m, n, k, times});
  }
  // y [rows, out] = x [rows, in] w [out, in]^T at each of `steps` steps, dx = dy w likewise, and
  // dw = dy^T x once; `copies` of the layer.
  void linear(int64_t rows, int64_t out, int64_t in, int64_t steps = 1, int64_t copies = 1) {
    add(false, true, rows, out, in, steps * copies);
    add(false, false, rows, in, out, steps * copies);
    add(true, false, out, in, rows * steps, copies);
  }
  // a [T, S] = q k^T with dq and dk, or c [T, d] = a v with da and dv: the same three shapes.
  void attention_part(int64_t T, int64_t S, int64_t d, int64_t times) {
    add(false, true, T, S, d, times);
    add(false, false, T, d, S, times);
    add(true, false, S, d, T, times);
  }
  void attention(int64_t T, int64_t S, int64_t d, int64_t times) {
    attention_part(T, S, d, 2 * times);
  }
};

int64_t gates_of(Cell cell) {
  return cell == Cell::gru ? 3 : cell == Cell::lstm ? 4 : 1;
}

// What a score multiplies before any query meets any key: queries [B, H], all T of them at once or
// step by step, and keys [B * S, K].
void add_score(List& list, const Workload& w, int64_t B, int64_t keys, bool at_once) {
  const int64_t H = w.hidden, S = w.src_len, T = w.tgt_len;
  const int64_t rows = at_once ? B * T : B, steps = at_once ? 1 : T;
  switch (w.score) {
    case Score::additive:
    case Score::concat:
      list.linear(rows, H, H, steps);
      list.linear(B * S, H, keys);
      break;
    case Score::general:  // q . (W k) = (W^T q) . k: whichever side has fewer rows
      list.linear(at_once ? B * std::min(S, T) : B * S, H, keys);
      break;
    case Score::location:
      list.linear(rows, S, H, steps);
      break;
    case Score::dot:
    case Score::scaled_dot:
    case Score::cosine:
      break;
  }
}

bool multiplies(Score score) {  // queries by keys
  return score != Score::additive && score != Score::concat && score != Score::location;
}

void add_bahdanau(List& list, const Workload& w, int64_t B) {
  const int64_t E = w.emb, H = w.hidden, S = w.src_len, T = w.tgt_len, g = gates_of(w.cell);
  for (int64_t layer = 0; layer < w.layers; ++layer) {
    list.linear(B * S, g * H, layer == 0 ? E : 2 * H, 1, 2);
    list.linear(B, g * H, H, S, 2);
  }
  list.linear(B, w.layers * (w.cell == Cell::lstm ? 2 : 1) * H,
              2 * H);  // the decoder's first state
  add_score(list, w, B, 2 * H, false);
  list.linear(B * T, g * H, E);     // words
  list.linear(B, g * H, 2 * H, T);  // contexts
  list.linear(B, g * H, H, T, w.layers);
  if (w.layers > 1) list.linear(B, g * H, H, T, w.layers - 1);  // from layer to layer
  list.linear(B * T, w.vocab_tgt, E + 3 * H);
}

void add_luong(List& list, const Workload& w, int64_t B) {
  const int64_t E = w.emb, H = w.hidden, S = w.src_len, T = w.tgt_len, g = gates_of(w.cell);
  for (int64_t layer = 0; layer < w.layers; ++layer) {
    list.linear(B * S, g * H, layer == 0 ? E : H);
    list.linear(B, g * H, H, S);
    list.linear(B * T, g * H, layer == 0 ? E : H);
    list.linear(B, g * H, H, T);
  }
  add_score(list, w, B, H, true);
  if (multiplies(w.score)) list.attention_part(T, S, H, B);
  list.attention_part(T, S, H, B);
  list.linear(B * T, H, 2 * H);
  list.linear(B * T, w.vocab_tgt, H);
}

void add_transformer(List& list, const Workload& w, int64_t B) {
  const int64_t d = w.emb, S = w.src_len, T = w.tgt_len, L = w.layers;
  list.linear(B * S, 3 * d, d, 1, L);
  list.linear(B * S, d, d, 1, L);
  list.linear(B * S, w.ff, d, 1, L);
  list.linear(B * S, d, w.ff, 1, L);
  list.linear(B * T, 3 * d, d, 1, L);
  list.linear(B * T, d, d, 1, 3 * L);  // self-attention's output; the other's queries and output
  list.linear(B * S, 2 * d, d, 1, L);
  list.linear(B * T, w.ff, d, 1, L);
  list.linear(B * T, d, w.ff, 1, L);
  list.linear(B * T, w.vocab_tgt, d);
  const int64_t times = L * B * w.heads, width = d / w.heads;
  list.attention(S, S, width, times);
  list.attention(T, T, width, times);
  list.attention(T, S, width, times);
}

template <class T>
void replace(T& value, const std::optional<T>& other) {
  if (other) value = *other;
}

}  // namespace

const std::vector<std::string>& config_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Workload& w : table()) all.push_back(w.config);
    return all;
  }();
  return names;
}

Workload workload(const std::string& config, const Overrides& o) {
  const auto found = std::find_if(table().begin(), table().end(),
                                  [&](const Workload& w) { return w.config == config; });
  require(found != table().end(), "bench: expected a configuration ({}), got '{}'",
          fmt::join(config_names(), ", "), config);
  Workload w = *found;
  const bool transformer = w.model == Model::transformer;
  require(!transformer || (!o.hidden && !o.cell && !o.score),
          "bench: --hidden, --cell and --score are for recurrent models, and {} is none; its sizes "
          "are --emb, --ff and --heads",
          config);
  require(transformer || (!o.heads && !o.ff),
          "bench: --heads and --ff are for the transformer, and {} is none", config);
  replace(w.vocab_src, o.vocab_src), replace(w.vocab_tgt, o.vocab_tgt);
  replace(w.emb, o.emb), replace(w.hidden, o.hidden);
  replace(w.batch, o.batch), replace(w.src_len, o.src_len), replace(w.tgt_len, o.tgt_len);
  replace(w.layers, o.layers), replace(w.heads, o.heads), replace(w.ff, o.ff);
  if (o.cell) {
    const auto cell = cell_named(*o.cell);
    require(cell.has_value(), "bench: expected --cell gru, lstm or tanh, got '{}'", *o.cell);
    w.cell = *cell;
  }
  if (o.score) {
    const auto score = score_named(*o.score);
    require(score.has_value(),
            "bench: expected --score additive, dot, scaled_dot, general, concat, cosine or "
            "location, got '{}'",
            *o.score);
    w.score = *score;
  }
  return w;
}

double Product::flops() const {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) *
         static_cast<double>(times);
}

std::vector<Product> unavoidable_products(const Workload& w, int64_t batch) {
  List list;
  switch (w.model) {
    case Model::gru:
      add_bahdanau(list, w, batch);
      break;
    case Model::lstm:
      add_luong(list, w, batch);
      break;
    case Model::transformer:
      add_transformer(list, w, batch);
  }
  return list.all;
}

double flops(const std::vector<Product>& products) {
  double sum = 0;
  for (const Product& p : products) sum += p.flops();
  return sum;
}

}  // namespace heed::bench
