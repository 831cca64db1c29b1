// Every op against central differences, and the same op under other conditions against itself: each
// input alone, gradients that already hold something, other layouts, f32. One test per op and
// condition; a failure names op, case, input, index, expected and got.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "autograd/gradcheck.h"
#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

using Values = std::vector<double>;

struct Conditions {
  DType dtype = f64;
  Layout layout = Layout::dense;
  int64_t only = -1;                 // the one input that is a leaf; -1: all are
  bool trap = false;                 // gradients hold `filling` before the op's backward runs
  bool apart = false;                // contributions are kept apart and added up here
  Layout cotangent = Layout::dense;  // of every output, as it arrives
};

struct Outcome {
  Values y;
  std::vector<Values> grads;  // per input; zeros where none arrived
  std::set<std::string> ops;  // on the tape
};

Tensor filling(const Tensor& like, size_t number) {
  Rng rng = Rng(5).fork(number);
  return cast(Tensor::normal(like.shape(), 0, 1, rng, f64), like.dtype());
}

Tensor output(const Tensors& all) {
  return all.size() == 1 ? all[0] : join(all);
}

// Sums the contributions to each leaf in the order in which they came.
void sweep(Tape& tape, const Tensor& y, const Tensor& cotangent, const Tensors& in,
           std::vector<Values>& grads) {
  BackwardSweep walk(tape, y, cotangent, {.separate = true});
  const NoTape quiet;
  while (walk.next())
    for (const BackwardSweep::Contribution& k : walk.contributions())
      for (size_t i = 0; i < in.size(); ++i)
        if (is_leaf(in[i]) && tape.slots()[static_cast<size_t>(k.slot)].leaf == in[i].ref().slot) {
          const Values v = k.value.to_vector();
          for (size_t j = 0; j < v.size(); ++j) grads[i][j] += v[j];
        }
}

Outcome compute(const Case& c, const Conditions& how) {
  Tensors in, fillings;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor x = stored(cast(c.inputs[i].second, how.dtype), how.layout);
    const bool wanted = how.only < 0 || how.only == static_cast<int64_t>(i);
    in.push_back(wanted ? leaf(x) : x);
    fillings.push_back(filling(x, i));
  }
  Outcome out;
  for (const Tensor& x : in) out.grads.emplace_back(static_cast<size_t>(x.numel()), 0.0);
  Tape tape;
  const Tensors all = c.f(in);
  const Tensor y = output(all);
  out.y = y.to_vector();
  for (const Node& n : tape.nodes()) out.ops.emplace(n.table->info->name);
  Rng rng(3);
  const Tensor cotangent = cast(Tensor::normal(y.shape(), 0, 1, rng, f64), how.dtype);
  if (how.apart) {
    sweep(tape, y, cotangent, in, out.grads);
    return out;
  }
  if (how.cotangent != Layout::dense) {
    Tensors parts;  // of the cotangent, one per output
    for (int64_t at = 0; const Tensor& o : all) {
      const Tensor part = cotangent.view(o.shape(), dense_strides(o.shape()), at);
      parts.push_back(stored(part, how.cotangent));
      at += o.numel();
    }
    tape.backward(hand(all, parts));
  } else if (how.trap) {
    tape.backward(trap(y, cotangent, in, fillings));
  } else {
    tape.backward(y, cotangent);
  }
  const Gradients got = tape.gradients();
  for (size_t i = 0; i < in.size(); ++i)
    if (const Tensor* g = got.find(in[i])) out.grads[i] = g->to_vector();
  return out;
}

std::string index_of(size_t flat, const Shape& shape) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  auto rest = static_cast<int64_t>(flat);
  for (int a = shape.rank() - 1; a >= 0; --a) {
    index[static_cast<size_t>(a)] = rest % shape[a];
    rest /= shape[a];
  }
  return fmt::format("{}", index);
}

// Reports the first entry that differs by more than `tolerance` times the largest expected one.
void expect_close(const Case& c, const std::string& what, const Shape& shape,
                  const Values& expected, const Values& got, double tolerance) {
  ASSERT_EQ(expected.size(), got.size()) << c.op << " (" << c.label << "), " << what;
  double largest = 1;
  for (const double e : expected) largest = std::max(largest, std::abs(e));
  for (size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(expected[i] - got[i]) <= tolerance * largest)) {
      ADD_FAILURE() << fmt::format("{} ({}), {}, index {}: expected {:.17g}, got {:.17g}", c.op,
                                   c.label, what, index_of(i, shape), expected[i], got[i]);
      return;
    }
}

class OpCases : public testing::TestWithParam<std::string> {
 protected:
  // Runs `check` on every case of this op.
  template <class F>
  static void each(F check) {
    for (const Case& c : all_cases()) {
      if (c.op != GetParam()) continue;
      try {
        check(c);
      } catch (const std::exception& e) {
        ADD_FAILURE() << c.op << " (" << c.label << ") threw: " << e.what();
      }
    }
  }
};

std::vector<std::string> ops_with_cases() {
  std::vector<std::string> names;
  for (const Case& c : all_cases())
    if (names.empty() || std::find(names.begin(), names.end(), c.op) == names.end())
      names.push_back(c.op);
  return names;
}

TEST_P(OpCases, BackwardIsTheDerivativeOfForward) {
  each([](const Case& c) {
    std::vector<NamedLeaf> leaves;
    Tensors in;
    for (const auto& [name, x] : c.inputs) {
      in.push_back(leaf(clone(x)));
      leaves.emplace_back(name, in.back());
    }
    const GradCheckReport report =
        gradcheck([&] { return output(c.f(in)); }, leaves, {.absolute = 2e-8});
    EXPECT_TRUE(report.ok) << fmt::format(
        "{} ({}), input {}, index {}: expected {:.12g}, got {:.12g}", c.op, c.label, report.input,
        report.index, report.numeric, report.analytic);
    // A row is a row of the op it names.
    EXPECT_TRUE(compute(c, {}).ops.contains(c.op))
        << c.op << " (" << c.label << ") is not on the tape";
  });
}

TEST_P(OpCases, EachInputAloneGetsTheSameGradient) {
  each([](const Case& c) {
    const Outcome all = compute(c, {});
    for (size_t i = 0; c.inputs.size() > 1 && i < c.inputs.size(); ++i)
      expect_close(c, "input " + c.inputs[i].first + " alone", c.inputs[i].second.shape(),
                   all.grads[i], compute(c, {.only = static_cast<int64_t>(i)}).grads[i], 1e-13);
  });
}

TEST_P(OpCases, AddsToAGradientThatIsThere) {
  each([](const Case& c) {
    const Outcome plain = compute(c, {}), trapped = compute(c, {.trap = true});
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      const auto& [name, x] = c.inputs[i];
      Values expected = filling(x, i).to_vector();
      for (size_t j = 0; j < expected.size(); ++j) expected[j] += plain.grads[i][j];
      expect_close(c, "input " + name + " (the gradient held something before)", x.shape(),
                   expected, trapped.grads[i], 1e-13);
    }
  });
}

TEST_P(OpCases, ContributionsKeptApartAddUp) {
  each([](const Case& c) {
    const Outcome plain = compute(c, {}), apart = compute(c, {.apart = true});
    for (size_t i = 0; i < c.inputs.size(); ++i)
      expect_close(c, "input " + c.inputs[i].first + " (contributions)", c.inputs[i].second.shape(),
                   plain.grads[i], apart.grads[i], 1e-14);
  });
}

TEST_P(OpCases, LayoutInMemoryDoesNotMatter) {
  each([](const Case& c) {
    const Outcome dense = compute(c, {});
    for (const Layout layout : {Layout::padded, Layout::swapped}) {
      const std::string where = layout == Layout::padded ? " (padded rows)" : " (axes swapped)";
      const Outcome other = compute(c, {.layout = layout});
      expect_close(c, "output" + where, {static_cast<int64_t>(dense.y.size())}, dense.y, other.y,
                   1e-13);
      for (size_t i = 0; i < c.inputs.size(); ++i)
        expect_close(c, "input " + c.inputs[i].first + where, c.inputs[i].second.shape(),
                     dense.grads[i], other.grads[i], 1e-13);
    }
  });
}

TEST_P(OpCases, LayoutOfTheCotangentDoesNotMatter) {
  each([](const Case& c) {
    const Outcome dense = compute(c, {}), other = compute(c, {.cotangent = Layout::swapped});
    for (size_t i = 0; i < c.inputs.size(); ++i)
      expect_close(c, "input " + c.inputs[i].first + " (the cotangent has its axes swapped)",
                   c.inputs[i].second.shape(), dense.grads[i], other.grads[i], 1e-13);
  });
}

TEST_P(OpCases, SinglePrecisionAgreesWithDouble) {
  each([](const Case& c) {
    const Outcome exact = compute(c, {}), single = compute(c, {.dtype = f32});
    expect_close(c, "output in f32", {static_cast<int64_t>(exact.y.size())}, exact.y, single.y,
                 1e-5);
    for (size_t i = 0; i < c.inputs.size(); ++i)
      expect_close(c, "input " + c.inputs[i].first + " in f32", c.inputs[i].second.shape(),
                   exact.grads[i], single.grads[i], 1e-5);
  });
}

INSTANTIATE_TEST_SUITE_P(Ops, OpCases, testing::ValuesIn(ops_with_cases()),
                         [](const auto& op) { return op.param; });

// The names of all ops, from the sources: a new op without a row fails here by name.
TEST(OpCases, EveryOpHasARow) {
  std::set<std::string> rows;
  for (const Case& c : all_cases()) rows.insert(c.op);
  const std::regex name("\\.name = \"([a-z_]+)\"");
  int found = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/autograd")) {
    const std::string path = file.path().filename().string();
    if (!path.starts_with("ops_") || !path.ends_with(".cpp")) continue;
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) {
      ++found;
      EXPECT_TRUE(rows.contains((*it)[1]))
          << path << ": op '" << (*it)[1] << "' has no row in tests/autograd/cases_*.cpp";
    }
  }
  EXPECT_GE(found, 35) << "the pattern no longer finds the ops";
}

}  // namespace
}  // namespace heed::test
