// What a schema cannot say of a trace: indices, order, shapes, and that every gradient is the sum
// of its contributions to the bit.
#include <bit>
#include <cmath>
#include <set>

#include "examples/microscope/schema.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {
namespace {

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

double add(double a, double b, bool narrow) {
  return narrow ? static_cast<double>(static_cast<float>(a) + static_cast<float>(b)) : a + b;
}

struct Auditor {
  const Trace& t;
  size_t most;
  std::vector<std::string> found{};

  template <class... Args>
  bool expect(bool ok, fmt::format_string<Args...> text, Args&&... args) {
    if (!ok && found.size() < most)
      found.push_back(harmless(fmt::format(text, std::forward<Args>(args)...)));
    return ok;
  }
  bool full() const { return found.size() >= most; }
  bool is_tensor(int i) const { return i >= 0 && static_cast<size_t>(i) < t.tensors.size(); }
  const TraceTensor& tensor(int i) const { return t.tensors[static_cast<size_t>(i)]; }
  std::string label(int i) const {
    return tensor(i).name.empty() ? fmt::format("tensor {}", i)
                                  : fmt::format("tensor {} ({})", i, tensor(i).name);
  }
  bool is_scope(int i) const { return i >= 0 && static_cast<size_t>(i) < t.scopes.size(); }

  void scopes() {
    for (size_t i = 0; i < t.scopes.size(); ++i) {
      const int parent = t.scopes[i].parent;
      expect(i == 0 ? parent == 0 : static_cast<size_t>(parent) < i,
             "scope {}: expected a parent before it, got {}", i, parent);
    }
  }

  void shapes() {
    for (size_t i = 0; i < t.tensors.size() && !full(); ++i) {
      const TraceTensor& x = t.tensors[i];
      double n = 1;  // a hostile shape may exceed any integer
      for (const int64_t size : x.shape) n *= static_cast<double>(size);
      const int at = static_cast<int>(i);
      expect(static_cast<double>(x.value.size()) == n,
             "{}: expected {} values for its shape, got {}", label(at), n, x.value.size());
      if (x.has_grad())
        expect(static_cast<double>(x.grad.size()) == n,
               "{}: expected a gradient of {} numbers for its shape, got {}", label(at), n,
               x.grad.size());
      expect(is_scope(x.scope), "{}: scope {} does not exist", label(at), x.scope);
      const bool constant = x.role == "const" || x.role == "saved";
      expect(constant == (x.grad_state == "no_grad"), "{}: role {} does not go with {}", label(at),
             x.role, x.grad_state);
      expect(x.detached_from < 0 || (constant && is_tensor(x.detached_from)),
             "{}: only a constant is detached from a tensor of this file", label(at));
      expect(x.producer < 0 || static_cast<size_t>(x.producer) < t.ops.size(),
             "{}: its producer, op {}, does not exist", label(at), x.producer);
    }
  }

  // Every output has this op as its producer, every input was there before.
  void forward() {
    std::vector<bool> made(t.tensors.size());
    for (size_t i = 0; i < t.ops.size() && !full(); ++i) {
      const TraceOp& o = t.ops[i];
      expect(is_scope(o.scope), "op {} ({}): scope {} does not exist", i, o.op, o.scope);
      for (const int x : o.in)
        expect(x < 0 || (is_tensor(x) && tensor(x).producer < static_cast<int>(i)),
               "op {} ({}): its input {} is not made before it", i, o.op, x);
      for (const int y : o.out) {
        if (!expect(is_tensor(y) && tensor(y).producer == static_cast<int>(i),
                    "op {} ({}): its output {} has another producer", i, o.op, y))
          continue;
        made[static_cast<size_t>(y)] = true;
      }
      if (const auto mask = o.attrs.find("mask"); mask != o.attrs.end())
        expect(mask->is_array() && !o.in.empty() && is_tensor(o.in[0]) &&
                   (tensor(o.in[0]).sampled() || mask->size() == tensor(o.in[0]).value.size()),
               "op {} ({}): its mask has not as many places as its first input", i, o.op);
      for (const TraceSaved& s : o.saved)
        expect(is_tensor(s.tensor), "op {} ({}): saved {} does not exist", i, o.op, s.tensor);
    }
    for (size_t i = 0; i < t.tensors.size() && !full(); ++i)
      expect(t.tensors[i].producer < 0 || made[i], "{}: its producer does not list it",
             label(static_cast<int>(i)));
  }

  // The backward order is the forward order reversed, over the ops that a gradient reached.
  void backward() {
    int step = 0;
    for (size_t i = t.ops.size(); i-- > 0 && !full();) {
      const TraceOp& o = t.ops[i];
      bool reached = false;
      for (const int y : o.out) reached = reached || tensor(y).has_grad();
      expect(reached == (o.bwd >= 0), "op {} ({}): {}", i, o.op,
             reached ? "a gradient reached it, but it has no backward step"
                     : "it has a backward step, but no gradient reached it");
      if (o.bwd >= 0)
        expect(o.bwd == step++, "op {} ({}): its backward step is out of order", i, o.op);
    }
  }

  // What each op says it sends is what there is, in the order of the backward steps.
  void contributions() {
    size_t next = 0;
    for (size_t i = t.ops.size(); i-- > 0 && !full();) {
      const TraceOp& o = t.ops[i];
      std::set<int> seen;
      for (const int slot : o.sends) {
        const bool fits = static_cast<size_t>(slot) < o.in.size() &&
                          is_tensor(o.in[static_cast<size_t>(slot)]) && seen.insert(slot).second;
        if (!expect(fits, "op {} ({}): it sends to input {}, which it has not", i, o.op, slot))
          return;
        const int x = o.in[static_cast<size_t>(slot)];
        if (!expect(next < t.contribs.size() && t.contribs[next].op == static_cast<int>(i) &&
                        t.contribs[next].slot == slot && t.contribs[next].tensor == x,
                    "op {} ({}): its contribution to input {}, {}, is missing or out of order", i,
                    o.op, slot, label(x)))
          return;
        expect(t.contribs[next].value.size() == tensor(x).value.size(),
               "contribution {}: expected {} numbers, got {}", next, tensor(x).value.size(),
               t.contribs[next].value.size());
        expect(tensor(x).has_grad(), "contribution {}: {} has no gradient", next, label(x));
        ++next;
      }
    }
    expect(next == t.contribs.size(), "contribution {}: no op sends it", next);
  }

  void beam() {
    const Json list = t.views.value("beam", Json::array());
    for (size_t i = 0; i < list.size() && !full(); ++i) {
      const Json &node = list[i], &parent = node["parent"];
      expect(node["id"] == i, "beam node {}: expected its number as its id, got {}", i,
             node["id"].dump());
      expect(parent.is_null() || parent.get<size_t>() < i,
             "beam node {}: expected a parent before it, got {}", i, parent.dump());
      expect(!node.contains("tensor") || is_tensor(node["tensor"].get<int>()),
             "beam node {}: its tensor does not exist", i);
    }
  }

  void sums() {
    std::vector<Numbers> sum(t.tensors.size());
    for (size_t i = 0; i < t.tensors.size(); ++i)
      if (t.tensors[i].has_grad()) sum[i].assign(t.tensors[i].grad.size(), 0.0);
    std::vector<bool> any(t.tensors.size());
    const auto arrive = [&](int x, const Numbers& value) {
      Numbers& to = sum[static_cast<size_t>(x)];
      const bool first_seed = x == t.seed && !any[static_cast<size_t>(x)];
      any[static_cast<size_t>(x)] = true;
      for (size_t j = 0; j < to.size(); ++j)
        to[j] = first_seed ? value[j] : add(to[j], value[j], tensor(x).dtype == "f32");
    };
    if (!expect(tensor(t.seed).has_grad() && t.seed_value.size() == tensor(t.seed).grad.size(),
                "the seed does not fit {}", label(t.seed)))
      return;
    arrive(t.seed, t.seed_value);
    for (const TraceContribution& c : t.contribs) arrive(c.tensor, c.value);
    for (size_t i = 0; i < t.tensors.size() && !full(); ++i) {
      const int at = static_cast<int>(i);
      if (!t.tensors[i].has_grad() ||
          !expect(any[i], "{}: nothing contributed to its gradient", label(at)))
        continue;
      for (size_t j = 0; j < sum[i].size(); ++j)
        if (!expect(same_bits(sum[i][j], t.tensors[i].grad[j]),
                    "{}: its gradient at {} is {}, its contributions sum to {}", label(at), j,
                    t.tensors[i].grad[j], sum[i][j]))
          break;
    }
  }
};

}  // namespace

std::vector<std::string> faults(const Trace& trace, size_t most) {
  Auditor audit{trace, most};
  for (const auto step : {&Auditor::scopes, &Auditor::shapes, &Auditor::forward, &Auditor::backward,
                          &Auditor::contributions, &Auditor::beam, &Auditor::sums}) {
    if (!audit.found.empty()) break;  // each relies on the ones before
    (audit.*step)();
  }
  return audit.found;
}

}  // namespace heed::microscope
