#include "examples/microscope/diags.h"

#include <algorithm>
#include <cmath>

namespace heed::microscope {
namespace {

struct Finder {
  const Trace& t;
  Json found = Json::array();

  const TraceTensor& tensor(int i) const { return t.tensors[static_cast<size_t>(i)]; }

  void add(int tensor, const char* kind, double value, double limit, int64_t row = -1) {
    Json d = {{"tensor", tensor}, {"kind", kind}, {"value", json_number(value)}, {"limit", limit}};
    if (row >= 0) d["row"] = row;
    found.push_back(d);
  }

  void softmax(const TraceOp& op) {
    const TraceTensor& y = tensor(op.out[0]);
    const auto n = static_cast<size_t>(y.shape.empty() ? 0 : y.shape.back());
    const Json* mask = op.attrs.contains("mask") ? &op.attrs.at("mask") : nullptr;
    for (size_t row = 0; n > 0 && row * n < y.value.size(); ++row) {
      size_t kept = 0, gone = 0, best = row * n;
      double others = 0;
      for (size_t i = row * n; i < row * n + n; ++i) {
        const bool in = !mask || (*mask)[i] != 0;
        kept += in ? 1 : 0;
        gone += in && y.value[i] == 0 ? 1 : 0;
        if (y.value[i] > y.value[best]) best = i;
      }
      for (size_t i = row * n; i < row * n + n; ++i) others += i == best ? 0 : y.value[i];
      const auto at = static_cast<int64_t>(row);
      if (kept == 0) add(op.out[0], "masked_all", 0, 0, at);
      if (kept > 1 && others < kSaturated)
        add(op.out[0], "softmax_saturated", others, kSaturated, at);
      if (kept > 0 && gone > 0) add(op.out[0], "underflow", static_cast<double>(gone), 0, at);
    }
  }

  void squashed(const TraceOp& op) {
    double least = INFINITY;
    for (const double y : tensor(op.out[0]).value)
      least = std::min(least, op.op == "tanh" ? 1 - y * y : y * (1 - y));
    if (least < kSaturated) add(op.out[0], "tanh_saturated", least, kSaturated);
  }

  void relu(const TraceOp& op) {
    const TraceTensor& y = tensor(op.out[0]);
    const auto n = static_cast<size_t>(y.shape.empty() ? 1 : y.shape.back());
    size_t dead = 0;
    for (size_t j = 0; j < n && !y.value.empty(); ++j) {
      bool any = false;
      for (size_t i = j; i < y.value.size(); i += n) any = any || y.value[i] > 0;
      dead += any ? 0 : 1;
    }
    if (dead > 0) add(op.out[0], "dead", static_cast<double>(dead), 0);
  }

  // Whether these numbers came out of finite ones; masks make infinities on purpose.
  void origin(const TraceOp& op) {
    if (infinite_on_purpose(op)) return;
    const auto finite = [](double v) { return std::isfinite(v); };
    for (const int x : op.in)
      if (x >= 0 && !std::all_of(tensor(x).value.begin(), tensor(x).value.end(), finite)) return;
    for (const int y : op.out)
      for (const double v : tensor(y).value)
        if (!finite(v)) return add(y, "nan_origin", v, 0);
  }
};

}  // namespace

bool infinite_on_purpose(const TraceOp& op) {
  return op.op == "masked_fill" || op.op == "log_softmax";
}

Json diags_of(const Trace& trace) {
  Finder f{trace};
  for (const TraceOp& op : trace.ops) {
    if (op.op == "softmax") f.softmax(op);
    if (op.op == "tanh" || op.op == "sigmoid") f.squashed(op);
    if (op.op == "relu") f.relu(op);
    f.origin(op);
  }
  return f.found;
}

}  // namespace heed::microscope
