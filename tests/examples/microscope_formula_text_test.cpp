// The texts of formulas are true: evaluated on the numbers of every case that ops are checked with,
// they give what the op made of them, forward and backward. Ops whose formulas are words (where the
// numbers go, not what becomes of them) and matrix products are not among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/examples/formula_value.h"
#include "tests/examples/traced_op.h"

namespace heed::microscope {
namespace {

// "dx += a * b, a = c" as what it is about, whether it is taken away, what it is, and definitions.
struct Clauses {
  std::string about, sign, main;
  std::vector<std::pair<std::string, std::string>> definitions;
};

Clauses clauses_of(const std::string& text) {
  Clauses c;
  int depth = 0;
  std::vector<std::string> parts(1);
  for (const char one : text) {
    depth += one == '(' || one == '[' ? 1 : one == ')' || one == ']' ? -1 : 0;
    if (one == ',' && depth == 0)
      parts.emplace_back();
    else if (one != ' ' || !parts.back().empty())
      parts.back() += one;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t equals = parts[i].find(" = "), arrives = parts[i].find("= ");
    const std::string name = parts[i].substr(0, parts[i].find(' '));
    if (i == 0) {
      c.about = name;
      c.sign = parts[i].substr(arrives == 0 ? 0 : arrives - 1, 1);
      c.main = parts[i].substr(arrives + 2);
    } else if (equals == name.size()) {
      c.definitions.emplace_back(name, parts[i].substr(equals + 3));
    }
  }
  return c;
}

// The op's tensors row by row, by name.
struct Rows {
  const Trace& t;
  const TraceOp& op;
  const TraceFormula& f;
  size_t n, count;

  static Numbers part(const Numbers& all, size_t row, size_t count) {
    if (all.size() < count || count == 0) return all;
    const size_t n = all.size() / count;
    return {all.begin() + static_cast<ptrdiff_t>(row * n),
            all.begin() + static_cast<ptrdiff_t>((row + 1) * n)};
  }
  [[nodiscard]] FormulaValue::Names names(size_t row) const {
    FormulaValue::Names all;
    const TraceTensor& y = t.tensors[at(op.out[0])];
    for (size_t i = 0; i < op.in.size(); ++i) {
      const Numbers& x = t.tensors[at(op.in[i])].value;  // a gain is the same for every row
      all[f.inputs[i]] = x.size() == n ? x : part(x, row, count);
    }
    all["y"] = part(y.value, row, count), all["dy"] = part(y.grad, row, count);
    for (const TraceSaved& s : op.saved)
      if (!all.contains(s.name)) all[s.name] = part(t.tensors[at(s.tensor)].value, row, count);
    for (const auto& item : op.attrs.items())
      if (item.value().is_number()) all[item.key()] = {item.value().get<double>()};
    return all;
  }
};

Numbers evaluated(const Clauses& c, FormulaValue::Names names, bool norm) {
  for (const auto& [name, text] : c.definitions)
    names[name] = FormulaValue(text, names, norm).value();
  return FormulaValue(c.main, names, norm).value();
}

void expect_same(const Numbers& got, const Numbers& expected, double sign,
                 const std::string& what) {
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(sign * got[i % got.size()], expected[i],
                1e-12 * std::max(1.0, std::abs(expected[i])))
        << what << ", number " << i;
}

const std::set<std::string> kByRow{"softmax", "log_softmax", "logsumexp", "unit", "layer_norm"};
const std::set<std::string> kByNumber{"add",  "sub",  "mul",  "div",     "neg",  "scale",
                                      "exp",  "log",  "sqrt", "square",  "tanh", "sigmoid",
                                      "relu", "gelu", "abs",  "maximum", "clamp"};

// Whether all rows can be compared: nothing is masked, broadcast or (for unit) 0.
bool comparable(const Trace& t, const TraceOp& op) {
  const TraceTensor& y = t.tensors[at(op.out[0])];
  if (op.attrs.contains("mask") || op.bwd < 0) return false;
  for (const int i : op.in) {
    const TraceTensor& x = t.tensors[at(i)];
    if (kByNumber.contains(op.op) && x.shape != y.shape) return false;
    if (op.op == "unit" && std::count(x.value.begin(), x.value.end(), 0.0) > 0) return false;
  }
  return !y.value.empty();
}

TEST(MicroscopeFormulas, TheirTextsAreTrue) {
  std::set<std::string> met;
  for (const test::Case& c : test::all_cases()) {
    if (!kByRow.contains(c.op) && !kByNumber.contains(c.op)) continue;
    const Trace t = traced(c, f64);
    for (size_t k = 0; k < t.ops.size(); ++k) {
      const TraceOp& op = t.ops[k];
      if (op.op != c.op || !comparable(t, op)) continue;
      const auto& f = *std::find_if(t.formulas.begin(), t.formulas.end(),
                                    [&](const TraceFormula& one) { return one.op == op.op; });
      const TraceTensor &x = t.tensors[at(op.in[0])], &y = t.tensors[at(op.out[0])];
      const bool row = kByRow.contains(op.op), norm = op.op == "unit";
      const size_t n = row ? static_cast<size_t>(x.shape.back()) : x.value.size();
      const Rows rows{t, op, f, n, x.value.size() / n};
      for (size_t r = 0; r < rows.count; ++r) {
        const FormulaValue::Names names = rows.names(r);
        expect_same(evaluated(clauses_of(f.forward), names, norm),
                    Rows::part(y.value, r, rows.count), 1, f.op + ": " + f.forward);
        for (const TraceContribution& sent : t.contribs) {
          if (sent.op != static_cast<int>(k) || (row && sent.slot > 0)) continue;
          const Clauses back = clauses_of(f.backward[at(sent.slot)]);
          EXPECT_EQ(back.about, "d" + f.inputs[at(sent.slot)]);
          expect_same(evaluated(back, names, norm), Rows::part(sent.value, r, rows.count),
                      back.sign == "-" ? -1 : 1, f.op + ": " + f.backward[at(sent.slot)]);
          met.insert(f.op);
        }
      }
    }
  }
  for (const auto* all : {&kByRow, &kByNumber})
    for (const std::string& op : *all) EXPECT_TRUE(met.contains(op)) << op;
}

// An evaluator that agrees with anything would prove nothing.
TEST(MicroscopeFormulas, AWrongTextWouldBeSeen) {
  const FormulaValue::Names names{{"x", {1, 2}}, {"dy", {3, 5}}, {"y", {0.5, 0.25}}};
  const auto value = [&](const char* text) { return FormulaValue(text, names, false).value(); };
  EXPECT_EQ(value("y * (dy - sum(y * dy))"), (Numbers{0.5 * 0.25, 0.25 * 2.25}));
  EXPECT_EQ(value("2 x * dy"), (Numbers{6, 20}));
  EXPECT_EQ(value("[x > 1] dy / 2"), (Numbers{0, 2.5}));
  EXPECT_EQ(value("max(x, 1.5) - -x^2"), (Numbers{2.5, 6}));
  EXPECT_THROW((void)value("x +"), std::runtime_error);
  EXPECT_THROW((void)value("sum of x"), std::runtime_error);
}

}  // namespace
}  // namespace heed::microscope
