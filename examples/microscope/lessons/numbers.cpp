#include "examples/microscope/lessons/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/rng.h"
#include "core/version.h"

namespace heed::microscope {
namespace {

const Json kU{{1, 0}, {0, 1}, {-1, 0.5}};

}  // namespace

Json example_a() {
  return {{"title", "The worked example A"},   {"mechanism", "dot"}, {"query", {1, 0.5}},
          {"keys", {{1, 0}, {0, 1}, {-1, 1}}}, {"output", kU},       {"target", 1}};
}

Trace run_case(const Json& file, const std::set<std::string>& decompose) {
  check_case(file, "lesson");
  return record_case(file, decompose);
}

Trace record_run(const std::string& title, const std::function<Tensor(Recording&)>& f) {
  Tape tape;
  Recording recording(tape);
  const Tensor loss = f(recording);
  Trace t = trace_of(recording.backward(loss));
  const std::string text = version_text("heed");
  t.meta = {{"tool", "microscope"},
            {"version", text.substr(0, text.find('\n'))},
            {"dtype", std::string(name_of(loss.dtype()))},
            {"title", title}};
  t.run = Json::object();
  return t;
}

const TraceTensor& tensor_of(const Trace& t, const std::string& name) {
  return t.tensors[static_cast<size_t>(t.find(name))];
}

Numbers value_of(const Trace& t, const std::string& name) {
  return tensor_of(t, name).value;
}

Numbers grad_of(const Trace& t, const std::string& name) {
  require_use(tensor_of(t, name).has_grad(), "lesson: {} has no gradient: {}", name,
              state_of(t, name));
  return tensor_of(t, name).grad;
}

std::string state_of(const Trace& t, const std::string& name) {
  const TraceTensor& x = tensor_of(t, name);
  if (x.grad_state == "cut") return "cut: " + x.cut;
  return x.grad_state == "not_reached" ? "not reached"
         : x.grad_state == "no_grad"   ? "no grad"
                                       : x.grad_state;
}

Tensor leaf64(std::initializer_list<std::initializer_list<double>> rows) {
  return leaf(Tensor::of(rows, f64));
}

Tensor matrix(const Numbers& v, int64_t rows) {
  return Tensor::from<double>(v, {rows, static_cast<int64_t>(v.size()) / rows});
}

Tensor normal_leaf(const Shape& shape, Rng& rng, double deviation) {
  return leaf(Tensor::normal(shape, 0, deviation, rng, f64));
}

std::vector<Numbers> gradients(const std::function<Tensor()>& f, const Tensors& leaves,
                               const Tensor& cotangent) {
  Tape tape;
  const Tensor y = f();
  const bool any = requires_grad(y);
  if (any) tape.backward(y, cotangent.defined() ? cotangent : Tensor::full(y.shape(), 1, f64));
  const Gradients got = any ? tape.gradients() : Gradients{};
  std::vector<Numbers> all;
  for (const Tensor& x : leaves) {
    const Tensor* g = got.find(x);
    all.push_back(g ? g->to_vector() : Numbers(static_cast<size_t>(x.numel()), 0.0));
  }
  return all;
}

Numbers gradient(const std::function<Tensor()>& f, const Tensor& leaf) {
  return gradients(f, {leaf})[0];
}

std::vector<Numbers> jacobian(const std::function<Tensor()>& f, const Tensor& x) {
  const Shape shape = f().shape();
  std::vector<Numbers> rows;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    Tensor unit = Tensor::zeros(shape, f64);
    unit.mutable_data<double>()[i] = 1;
    rows.push_back(gradients(f, {x}, unit)[0]);
  }
  return rows;
}

Tensor loss_a(const Tensor& context) {
  const Tensor u = Tensor::of({{1, 0}, {0, 1}, {-1, 0.5}}, f64);
  const Tensor p = named(softmax(named(matmul_nt(context, u), "z")), "p");
  return named(neg(log(select(p, 1, 1))), "L");
}

double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double norm(const Numbers& v) {
  return std::sqrt(dot(v, v));
}
double sum(const Numbers& v) {
  return std::accumulate(v.begin(), v.end(), 0.0);
}
double largest(const Numbers& v) {
  double most = 0;
  for (const double x : v) {
    if (x != x) return x;
    most = std::max(most, std::abs(x));
  }
  return most;
}
double largest_gap(const Numbers& a, const Numbers& b) {
  require_use(a.size() == b.size(), "lesson: expected lists of one length, got {} and {}", a.size(),
              b.size());
  Numbers gap(a.size());
  std::transform(a.begin(), a.end(), b.begin(), gap.begin(), std::minus<>());
  return largest(gap);
}
double cosine(const Numbers& a, const Numbers& b) {
  return dot(a, b) / (norm(a) * norm(b));
}

double frobenius_norm(const std::vector<Numbers>& rows) {
  return norm(flat(rows));
}

// The power method on A^T A. The matrices are small: a thousand rounds are enough for all digits.
double spectral_norm(const std::vector<Numbers>& rows) {
  Numbers x(rows.at(0).size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = 1 + 0.1 * static_cast<double>(i);
  double size = 0;
  for (int round = 0; round < 1000; ++round) {
    const double length = norm(x);
    if (length == 0) return 0;
    Numbers next(x.size(), 0.0);
    size = 0;
    for (const Numbers& row : rows) {
      const double y = dot(row, x) / length;
      size += y * y;
      for (size_t i = 0; i < next.size(); ++i) next[i] += row[i] * y;
    }
    x = next;
  }
  return std::sqrt(size);
}

Numbers flat(const std::vector<Numbers>& rows) {
  Numbers all;
  for (const Numbers& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

Numbers part(const Numbers& v, size_t begin, size_t end) {
  return {v.begin() + static_cast<std::ptrdiff_t>(begin),
          v.begin() + static_cast<std::ptrdiff_t>(end)};
}

bool same_bits(const Numbers& a, const Numbers& b) {
  const auto same = [](double x, double y) {
    return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

}  // namespace heed::microscope
