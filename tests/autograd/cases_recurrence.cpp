// Rows for ops_rnn.cpp and ops_lstm.cpp: which outputs are used, lengths, direction, no bias.
#include <fmt/format.h>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

enum class Kind { rnn, gru, lstm };

Recurrence run(Kind kind, const Tensors& in, const SequenceOptions& options) {
  if (kind == Kind::lstm)
    return lstm_sequence(in[0], in[1], in[2], in[3], in.size() > 4 ? in[4] : Tensor{}, options);
  const Tensor bias = in.size() > 3 ? in[3] : Tensor{};
  return kind == Kind::rnn ? rnn_sequence(in[0], in[1], in[2], bias, options)
                           : gru_sequence(in[0], in[1], in[2], bias, options);
}

void recurrences(std::vector<Case>& all, const char* op, Kind kind) {
  Numbers numbers(61);
  const int64_t gates = kind == Kind::rnn ? 1 : kind == Kind::gru ? 3 : 4;
  const auto row = [&](const std::string& label, int64_t batch, int64_t steps, int64_t hidden,
                       const SequenceOptions& options, const std::string& used = "yhc",
                       bool bias = true) {
    Case c{op, label, {}, [=](const Tensors& in) {
             const Recurrence r = run(kind, in, options);
             Tensors out;
             if (used.find('y') != std::string::npos) out.push_back(r.y);
             if (used.find('h') != std::string::npos) out.push_back(r.h);
             if (r.c.defined() && used.find('c') != std::string::npos) out.push_back(r.c);
             return out;
           }};
    c.inputs = {{"x", numbers.normal({batch, steps, gates * hidden})},
                {"h0", numbers.normal({batch, hidden})}};
    if (kind == Kind::lstm) c.inputs.emplace_back("c0", numbers.normal({batch, hidden}));
    c.inputs.emplace_back("w_hh", numbers.normal({gates * hidden, hidden}, 0.5));
    if (bias) c.inputs.emplace_back("b_hh", numbers.normal({gates * hidden}));
    all.push_back(std::move(c));
  };
  for (const int64_t n : {1, 7, 8, 9, 16, 17, 33}) row(fmt::format("hidden {}", n), 2, 3, n, {});
  const List<int64_t> lengths{4, 0, 1, 3};
  row("lengths", 4, 4, 3, {.lengths = lengths});
  row("reverse", 3, 4, 2, {.lengths = {}, .reverse = true});
  row("lengths, reverse", 4, 4, 3, {.lengths = lengths, .reverse = true});
  row("lengths, all outputs but y", 4, 4, 2, {.lengths = lengths}, "hc");
  row("only y", 4, 4, 2, {.lengths = lengths}, "y");
  row("only h, reverse", 4, 4, 2, {.lengths = lengths, .reverse = true}, "h");
  if (kind == Kind::lstm) row("only c", 2, 3, 2, {}, "c");
  row("no bias", 2, 3, 2, {}, "yhc", false);
  row("one step", 2, 1, 3, {});
  row("no steps", 2, 0, 3, {});
  row("no sentences", 0, 2, 3, {});
  row("all empty", 2, 3, 2, {.lengths = {0, 0}});
}

}  // namespace

void add_recurrence_cases(std::vector<Case>& all) {
  recurrences(all, "rnn_sequence", Kind::rnn);
  recurrences(all, "gru_sequence", Kind::gru);
  recurrences(all, "lstm_sequence", Kind::lstm);
}

}  // namespace heed::test
