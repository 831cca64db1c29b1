#include "examples/microscope/replay.h"

#include <functional>
#include <map>

#include "autograd/ops.h"
#include "core/error.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

constexpr int64_t kMostAxes = 64, kMostPlaces = int64_t{1} << 48;

bool is_number_text(const Json& j) {
  return j == "NaN" || j == "Infinity" || j == "-Infinity";
}

// What an entry of the table below is given.
struct Call {
  const Trace& trace;
  const TraceOp& op;
  std::span<const Tensor> values, in;

  const Tensor& x(size_t i = 0) const {
    require(i < in.size(), "{}: expected an input {}, the trace has {}", op.op, i, in.size());
    return in[i];
  }
  /// What the op was given as data and kept for its backward.
  const Tensor& given(const std::string& name) const {
    for (const TraceSaved& s : op.saved)
      if (s.name == name) return values[static_cast<size_t>(s.tensor)];
    require(false, "{}: the trace lacks its saved tensor '{}'", op.op, name);
    return values[0];
  }
  std::string called(const char* name) const {
    return fmt::format("{}: its attribute '{}'", op.op, name);
  }
  const Json& attribute(const char* name) const {
    const auto it = op.attrs.find(name);
    require(it != op.attrs.end(), "{}: the trace lacks its attribute '{}'", op.op, name);
    return *it;
  }
  template <class T>
  T attribute(const char* name) const {
    const Json& j = attribute(name);
    const bool kind = std::is_same_v<T, bool>     ? j.is_boolean()
                      : std::is_same_v<T, double> ? j.is_number() || is_number_text(j)
                                                  : j.is_string();
    require(kind, "{}: its attribute '{}' is of another kind: {}", op.op, name,
            harmless(j.dump().substr(0, 60)));
    if constexpr (std::is_same_v<T, double>)
      return number_from(j);
    else
      return j.get<T>();
  }
  int64_t whole(const char* name, int64_t least, int64_t most) const {
    return whole_number(attribute(name), called(name), least, most);
  }
  int64_t whole(const char* name) const { return whole(name, -kMostPlaces, kMostPlaces); }
  template <class L>
  L wholes(const char* name, int64_t least, int64_t most) const {
    const Json& list = attribute(name);
    require(list.is_array(), "{}: expected a list, got {}", called(name),
            harmless(list.dump().substr(0, 60)));
    L all;
    for (const Json& j : list)
      all.push_back(
          static_cast<typename L::value_type>(whole_number(j, called(name), least, most)));
    return all;
  }
  int axis() const { return static_cast<int>(whole("axis", -kMostAxes, kMostAxes)); }
  List<int> ints(const char* name) const { return wholes<List<int>>(name, -kMostAxes, kMostAxes); }
  Mask mask() const {
    if (!op.attrs.contains("mask")) return {};
    return Mask::keep(wholes<std::vector<uint8_t>>("mask", 0, 1), x().shape());
  }
  Shape out_shape() const { return Shape(trace.tensors[static_cast<size_t>(op.out[0])].shape); }
  SequenceOptions walk() const {
    return {wholes<List<int64_t>>("lengths", 0, kMostPlaces), attribute<bool>("reverse")};
  }
  CrossEntropyOptions loss() const {
    const auto reduction = attribute<std::string>("reduction");
    return {.ignore = whole("ignore"),
            .label_smoothing = attribute<double>("label_smoothing"),
            .reduction = reduction == "mean"  ? Reduction::mean
                         : reduction == "sum" ? Reduction::sum
                                              : Reduction::per_token};
  }
};

using Outputs = Tensors;
using Function = std::function<Outputs(const Call&)>;

Function unary(Tensor (*f)(const Tensor&)) {
  return [f](const Call& c) { return Outputs{f(c.x())}; };
}
Function binary(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Call& c) { return Outputs{f(c.x(0), c.x(1))}; };
}
Function ternary(Tensor (*f)(const Tensor&, const Tensor&, const Tensor&)) {
  return [f](const Call& c) { return Outputs{f(c.x(0), c.x(1), c.x(2))}; };
}
Function reduction(Tensor (*f)(const Tensor&, List<int>, bool)) {
  return
      [f](const Call& c) { return Outputs{f(c.x(), c.ints("axes"), c.attribute<bool>("keep"))}; };
}
Function one(Tensor (*f)(const Call&)) {
  return [f](const Call& c) { return Outputs{f(c)}; };
}

const std::map<std::string, Function>& table() {
  static const std::map<std::string, Function> all{
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"maximum", binary(maximum)},
      {"where",
       one([](const Call& c) { return where(cast(c.given("condition"), i64), c.x(0), c.x(1)); })},
      {"neg", unary(neg)},
      {"scale", one([](const Call& c) { return scale(c.x(), c.attribute<double>("factor")); })},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"square", unary(square)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"relu", unary(relu)},
      {"gelu", unary(gelu)},
      {"abs", unary(abs)},
      {"clamp", one([](const Call& c) {
         return clamp(c.x(), c.attribute<double>("low"), c.attribute<double>("high"));
       })},
      {"masked_fill", one([](const Call& c) {
         return masked_fill(c.x(), c.mask(), c.attribute<double>("value"));
       })},
      {"matmul", binary(matmul)},
      {"matmul_nt", binary(matmul_nt)},
      {"matmul_tn", binary(matmul_tn)},
      {"linear", ternary(linear)},
      {"permute", one([](const Call& c) { return permute(c.x(), c.ints("order")); })},
      {"reshape", one([](const Call& c) { return reshape(c.x(), c.out_shape()); })},
      {"slice",
       one([](const Call& c) { return slice(c.x(), c.axis(), c.whole("begin"), c.whole("end")); })},
      {"split", [](const Call& c) { return split(c.x(), c.axis(), c.whole("parts")); }},
      {"select", one([](const Call& c) { return select(c.x(), c.axis(), c.whole("index")); })},
      {"concat", one([](const Call& c) { return concat(c.in, c.axis()); })},
      {"sum", reduction(sum)},
      {"mean", reduction(mean)},
      {"max", reduction(max)},
      {"logsumexp", unary(logsumexp)},
      {"softmax", one([](const Call& c) { return softmax(c.x(), c.mask()); })},
      {"log_softmax", one([](const Call& c) { return log_softmax(c.x(), c.mask()); })},
      {"embedding", one([](const Call& c) { return embedding(c.x(), c.given("ids")); })},
      // With the mask that was drawn it is a product, and so is its backward.
      {"dropout", one([](const Call& c) { return mul(c.x(), c.given("m")); })},
      {"layer_norm", one([](const Call& c) {
         return layer_norm(c.x(0), c.x(1), c.x(2), c.attribute<double>("eps"));
       })},
      {"cross_entropy",
       one([](const Call& c) { return cross_entropy(c.x(), c.given("targets"), c.loss()); })},
      {"rnn_sequence",
       [](const Call& c) {
         const Recurrence r = rnn_sequence(c.x(0), c.x(1), c.x(2), c.x(3), c.walk());
         return Outputs{r.y, r.h};
       }},
      {"gru_sequence",
       [](const Call& c) {
         const Recurrence r = gru_sequence(c.x(0), c.x(1), c.x(2), c.x(3), c.walk());
         return Outputs{r.y, r.h};
       }},
      {"lstm_sequence",
       [](const Call& c) {
         const Recurrence r = lstm_sequence(c.x(0), c.x(1), c.x(2), c.x(3), c.x(4), c.walk());
         return Outputs{r.y, r.h, r.c};
       }},
      {"additive_score", ternary(additive_score)},
      {"unit", unary(unit)}};
  return all;
}

}  // namespace

bool known_op(const std::string& name) {
  return table().contains(name);
}

Tensors run_op(const Trace& trace, int number, std::span<const Tensor> values,
               std::span<const Tensor> inputs) {
  const TraceOp& op = trace.ops[static_cast<size_t>(number)];
  const auto it = table().find(op.op);
  require(it != table().end(), "op {} ({}) is not one of heed's: it cannot be computed again",
          number, op.op);
  return it->second({trace, op, values, inputs});
}

Tensors run_op(const Trace& trace, int number, std::span<const Tensor> values) {
  Tensors in;
  for (const int i : trace.ops[static_cast<size_t>(number)].in)
    in.push_back(i < 0 ? Tensor{} : values[static_cast<size_t>(i)]);
  return run_op(trace, number, values, in);
}

Tensor tensor_from(const std::vector<int64_t>& shape, const std::string& dtype,
                   const Numbers& numbers) {
  if (dtype == "i64") {
    std::vector<int64_t> ids;
    for (const double v : numbers) ids.push_back(whole_number(v, "an id", -kMostId, kMostId));
    return Tensor::ids(ids, Shape(shape));
  }
  return cast(Tensor::from<double>(numbers, Shape(shape)), dtype == "f32" ? f32 : f64);
}

}  // namespace heed::microscope
