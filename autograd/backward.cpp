// Reverse mode: walk the tape from its end, give every node the cotangent of its output, and let it
// add to its inputs.
#include "autograd/backward.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/detail/tape_storage.h"
#include "core/blas.h"
#include "core/kernels.h"
#include "core/scope.h"
#include "core/vector_math.h"

namespace heed {

namespace detail {
constinit thread_local bool checking_numerics = false;

namespace {

std::string index_text(int64_t flat, const Shape& shape) {
  std::string text;
  for (int a = shape.rank() - 1; a >= 0; --a) {
    text = fmt::format("{}{}{}", flat % shape[a], text.empty() ? "" : ", ", text);
    flat /= shape[a];
  }
  return "[" + text + "]";
}

// Flat index of the first NaN, or -1.
int64_t first_nan(const Tensor& x) {
  const std::vector<double> v = x.to_vector();
  const auto at = std::find_if(v.begin(), v.end(), [](double e) { return std::isnan(e); });
  return at == v.end() ? -1 : at - v.begin();
}

[[noreturn]] void not_finite(std::string_view what, const OpInfo& info, std::string_view tensor,
                             const Tensor& t, int64_t flat, uint32_t scope) {
  const std::string place = scope_path(scope);
  const double value = t.to_vector()[static_cast<size_t>(flat)];
  throw NumericError(fmt::format("{} of {} made {} at {} of {} {}{}", what, info.name,
                                 std::isnan(value) ? std::nan("") : value,
                                 index_text(flat, t.shape()), tensor, to_text(t.shape()),
                                 place.empty() ? "" : " (in " + place + ")"));
}

}  // namespace

void check_forward(const OpInfo& info, std::span<const Tensor> out) {
  for (const Tensor& y : out)
    if (const int64_t at = info.may_be_infinite ? first_nan(y) : first_non_finite(y); at >= 0)
      not_finite("forward", info, "the output", y, at, current_scope());
}

}  // namespace detail

namespace {

constexpr int64_t kMany = 64;  // rows worth a product of their own

// Whether a dense tensor has all elements of x, its axes in another order. (Where axes are
// stretched too this may err; the memory is then larger than it need be, and read all the same.)
bool without_gaps(const Tensor& x) {
  int64_t last = 0;
  for (int a = 0; a < x.rank(); ++a) last += (x.shape()[a] - 1) * x.stride(a);
  return last == x.numel() - 1;
}

}  // namespace

// ---- GradFlow ----

const Tensor& GradFlow::zeros(int k) {
  sweep_->aside_ = true;
  Tensors& all = sweep_->zeros_;
  if (all.empty()) all.resize(sweep_->node_->outputs);
  Tensor& t = all[static_cast<size_t>(k)];
  if (!t.defined()) t = Tensor::zeros(output(k).shape(), output(k).grad.dtype());
  return t;
}

Tensor& GradFlow::over_dy() {
  Slot& s = output(0);
  if (!s.keep && s.grad.dense() && s.grad.buffer().unique()) return s.grad;
  sweep_->aside_ = true;
  return sweep_->room_ = Tensor::empty(s.shape(), s.grad.dtype());
}

Tensor& GradFlow::dx(int i) {
  if (!separate_) return sweep_->writable_grad(input(i));
  sweep_->aside_ = true;
  Tensors& all = sweep_->dx_;
  if (all.empty()) all.resize(sweep_->node_->inputs);
  Tensor& t = all[static_cast<size_t>(i)];
  if (!t.defined()) {
    t = Tensor::zeros(shape(i), input(i).grad.dtype());
    sweep_->contributions_.push_back({i, in_[i], t});
  }
  return t;
}

Tensor& GradFlow::first_dx(int i) {
  input(i).allocate();
  return input(i).grad;
}

void GradFlow::add(int i, const Tensor& t) {
  if (!wants(i)) return;
  Slot& s = input(i);
  // The first contribution of the right shape need not be copied: the slot shares its memory, and
  // whoever adds to it next takes a copy if somebody else still has it.
  if (!separate_ && !s.grad.defined() && t.shape() == s.shape()) {
    const bool whole = t.bytes() == t.buffer().data();
    if (whole && t.dense())
      s.grad.put(t.buffer());
    else if (whole && s.leaf < 0 && !s.keep && without_gaps(t))
      s.grad = t;
    else
      s.grad.put(clone(t).take());
    return;
  }
  add_into(dx(i), t);
}

void GradFlow::add(int i, Tensor&& t) {
  if (!wants(i)) return;
  Slot& s = input(i);
  if (separate_ || s.grad.defined() || !t.dense() || t.bytes() != t.buffer().data() ||
      t.shape() != s.shape())
    return add(i, t);
  s.grad.put(std::move(t).take());
}

void GradFlow::pass_dy(std::initializer_list<int> inputs) {
  int last = -1;
  for (const int i : inputs) {
    if (!wants(i)) continue;
    if (last >= 0) add(last, dy());
    last = i;
  }
  if (last < 0) return;
  if (has_dy(0) && !output(0).keep)
    add(last, std::move(output(0).grad));
  else
    add(last, dy());
}

void GradFlow::add_rows(int i, const Tensor& ids, const Tensor& y) {
  if (!wants(i)) return;
  Slot& s = input(i);
  const auto count = static_cast<size_t>(s.shape()[0]);
  const bool first = !s.grad.defined() && !separate_;
  Buffer used = std::exchange(s.rows, {});
  Tensor& to = dx(i);
  if (first) {
    used = Buffer(count);
    std::memset(used.data(), 0, count);
  }
  const int64_t width = s.shape()[1];
  const Tensor from = dense(y);
  const int64_t* id = ids.data<int64_t>();
  dispatch(y.dtype(), "add_rows", [&]<class T>() {
    T* out = to.mutable_data<T>();
    for (int64_t k = 0; k < ids.numel(); ++k)
      vaxpy(width, T(1), from.data<T>() + k * width, out + id[k] * width);
  });
  if (used)
    for (int64_t k = 0; k < ids.numel(); ++k) used.data()[id[k]] = std::byte{1};
  s.rows = std::move(used);
}

void GradFlow::add_product(int i, const Tensor& a, const Tensor& b) {
  constexpr int64_t kMost = 1024;  // rows kept at most
  if (!wants(i)) return;
  Slot& s = input(i);
  const int64_t rows = a.shape().with(a.rank() - 1, 1).numel();  // also where a row is empty
  if (separate_) return add_product_into(dx(i), a, b);
  if (rows >= kMany || detail::checking_numerics) return sweep_->add_product(s, a, b);
  auto& all = sweep_->products_;
  const int64_t before = s.products < 0 ? 0 : all[static_cast<size_t>(s.products)].rows;
  all.push_back({a, b, before + rows, s.products});
  s.products = static_cast<int32_t>(all.size()) - 1;
  if (before + rows >= kMost) sweep_->add_products(s);
}

// A part of the rows at a time, so that the product finds in the cache what was summed.
void GradFlow::add_affine(int weight, int bias, const Tensor& dy, const Tensor& x) {
  constexpr int64_t kPart = simd::kGemmDepth;  // as many as a product takes in at a time
  if (!wants(weight)) return add(bias, dy);
  const Matrix from = as_matrix(dy), in = as_matrix(x);
  int64_t begin = 0;
  do {  // once also for no rows: their sum is 0, which is a gradient
    const int64_t left = from.rows - begin;
    const int64_t rows = left < kPart + kMany ? left : kPart;  // no rest that would have to wait
    const auto part = [=](const Matrix& all) {
      const Tensor& t = all.copy.defined() ? all.copy : *all.of;
      Strides steps = dense_strides({rows, all.cols});
      steps[0] = static_cast<int32_t>(all.step);
      return t.view({rows, all.cols}, steps, begin * all.step);
    };
    const Tensor some = part(from);
    add(bias, some);
    add_product(weight, some, part(in));
    begin += rows;
  } while (begin < from.rows);
}

// ---- BackwardSweep ----

BackwardSweep::BackwardSweep(Tape& tape, const Tensor& y, const Tensor& cotangent, Options options)
    : tape_(tape), options_(options), at_(static_cast<int64_t>(tape.nodes().size())) {
  const uint32_t owner = y.ref().tape;
  require_use(
      owner != TapeRef::kNone,
      "backward: no tape was active when the loss was computed, or it depends on no leaf; "
      "create `Tape tape;` before the forward pass and use leaf(x) or a layer's parameters");
  require_use(owner == tape.serial_ || owner == TapeRef::kLeaf,
              "backward: the loss was computed under another tape, or this tape was cleared since");
  require_use(!tape.walked_,
              "backward: this tape was walked before; record the forward pass again on a new tape "
              "(to add the gradients of several losses, add the losses)");
  require_shape("backward", "the cotangent", cotangent, y.shape());
  require_same_dtype("backward", y, cotangent);
  tape.walked_ = true;
  slot(tape.slot_for_input(y)).grad = clone(cotangent);
  flow_.sweep_ = this;
  flow_.separate_ = options_.separate;
}

inline Slot& BackwardSweep::slot(int32_t number) const {
  return tape_.store_->slots[static_cast<size_t>(number)];
}

Tensor& BackwardSweep::writable_grad(Slot& s) {
  s.rows = {};  // whoever asked may write to any row
  if (!s.grad.defined())
    s.grad = Tensor::zeros(s.shape(), s.grad.dtype());
  else if (!s.grad.dense() || !s.grad.buffer().unique())
    s.grad = clone(s.grad);
  return s.grad;
}

// The rows of all waiting products under each other, and one product of them.
void BackwardSweep::add_products(Slot& s) {
  int32_t at = std::exchange(s.products, -1);
  if (at < 0) return;
  const int64_t rows = products_[static_cast<size_t>(at)].rows;
  const DType dtype = s.grad.dtype();
  Tensor a = Tensor::empty({rows, s.shape()[0]}, dtype),
         b = Tensor::empty({rows, s.shape()[1]}, dtype);
  while (at >= 0) {
    Product& p = products_[static_cast<size_t>(at)];
    at = p.previous;
    const int64_t begin = at < 0 ? 0 : products_[static_cast<size_t>(at)].rows;
    const auto put = [&](const Tensor& all, const Tensor& part) {
      Tensor place = all.view(part.shape(), dense_strides(part.shape()), begin * all.shape()[1]);
      copy_into(place, part);
    };
    put(a, p.a), put(b, p.b);
    p.a = p.b = {};
  }
  add_product(s, a, b);
}

// The first one is the gradient; zeros to add it to would be two more passes over it.
void BackwardSweep::add_product(Slot& s, const Tensor& a, const Tensor& b) {
  const bool first = !s.grad.defined();
  if (first) s.allocate();
  add_product_into(writable_grad(s), a, b, !first);
}

void BackwardSweep::check_backward(const Node& node) {
  flow_.slots_ = tape_.store_->slots.data();  // `pass` may have named a leaf, which is one more
  for (int i = 0; i < node.inputs; ++i) {
    if (!flow_.wants(i) || !flow_.has_dx(i)) continue;
    const Tensor& g = flow_.input(i).grad;
    const OpInfo& info = *node.table->info;
    if (const int64_t at = first_non_finite(g); at >= 0)
      detail::not_finite("backward", info,
                         fmt::format("the gradient of input '{}'",
                                     info.inputs[info.variadic ? 0 : static_cast<size_t>(i)]),
                         g, at, node.scope);
  }
}

void BackwardSweep::forget_aside() {
  dx_.clear(), zeros_.clear();
  room_ = {};
  aside_ = false;
}

// What was put aside for this node, where anything was: its contributions go to their slots.
void BackwardSweep::settle() {
  forget_aside();  // handles first, before anybody asks whether a gradient's memory is shared
  for (Contribution& c : contributions_) {
    if (options_.pass && !options_.pass(at_, c.input, c.value)) continue;
    add_into(writable_grad(slot(c.slot)), c.value);
  }
}

// The rest of a step is put into `next`, its only caller.
inline void BackwardSweep::finish(const Node& node) {
  for (int k = 0; k < node.outputs; ++k) {
    Slot& s = slot(node.first_slot + k);
    if (!s.keep && s.grad.defined()) std::move(s.grad).take();
  }
  if (aside_) [[unlikely]]
    settle();
  if (detail::checking_numerics) [[unlikely]]
    check_backward(node);
}

inline void BackwardSweep::run(Node& node) {
  const InScope here(node.scope);
  node_ = &node;
  flow_.slots_ = tape_.store_->slots.data();
  flow_.in_ = tape_.store_->edges.data() + node.first_edge;
  flow_.out_ = node.first_slot;
  if (options_.separate) [[unlikely]]
    contributions_.clear();
  if (aside_) [[unlikely]]
    forget_aside();  // of an op that threw
  node.table->backward(node.op, flow_);
  node.op = nullptr;
  finish(node);
}

bool BackwardSweep::next() {
  TapeStorage& store = *tape_.store_;
  while (--at_ >= 0) {
    Node& node = store.nodes[static_cast<size_t>(at_)];
    bool reached = false;
    for (int k = 0; k < node.outputs; ++k) {
      Slot& s = slot(node.first_slot + k);
      if (s.products >= 0) add_products(s);
      reached = reached || s.grad.defined();
    }
    if (reached) {
      run(node);
      return true;
    }
    node.table->destroy(std::exchange(node.op, nullptr));
  }
  if (!products_.empty())
    for (Slot& s : store.slots) add_products(s);
  products_.clear();
  return false;
}

// ---- Tape's own use of it ----

void Tape::backward(const Tensor& loss) {
  require_defined("backward", "the loss", loss);
  require(loss.numel() == 1,
          "backward: expected a loss of one element, got shape {}; reduce it with sum or mean, or "
          "pass a cotangent",
          loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1.0, loss.dtype()));
}

void Tape::backward(const Tensor& y, const Tensor& cotangent) {
  require_defined("backward", "the loss", y);
  const NoTape quiet;  // ops used inside a backward are not recorded
  BackwardSweep sweep(*this, y, cotangent);
  while (sweep.next()) {
  }
}

}  // namespace heed
