// Reverse mode: walk the tape from its end, give every node the cotangent of its output, and let it
// add to its inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/detail/tape_storage.h"
#include "autograd/tape.h"
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

bool GradFlow::has_dy(int k) const {
  const auto slot = static_cast<size_t>(sweep_->node_->first_slot + k);
  return sweep_->dy_[static_cast<size_t>(k)].defined() || sweep_->tape_.store_->slots[slot].grad;
}

const Tensor& GradFlow::dy(int k) {
  Tensor& t = sweep_->dy_[static_cast<size_t>(k)];
  if (!t.defined()) {
    const int32_t slot = sweep_->node_->first_slot + k;
    Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(slot)];
    if (!s.grad)
      t = Tensor::zeros(s.shape, s.dtype);
    else if (s.keep)
      t = sweep_->grad_of(slot);
    else {  // nobody else asks for it again: handed over, which costs less than to share it
      std::construct_at(&t, std::exchange(s.grad, {}), s.shape, s.dtype);  // t holds nothing
      if (s.strided) t = t.view(s.shape, s.strides);
    }
  }
  return t;
}

Tensor& GradFlow::over_dy() {
  dy();
  Tensor& t = sweep_->dy_[0];  // which is what that returns
  if (t.dense() && t.buffer().unique()) return t;
  return sweep_->room_ = Tensor::empty(t.shape(), t.dtype());
}

bool GradFlow::wants(int i) const {
  return sweep_->in_[static_cast<size_t>(i)] >= 0;
}

const Shape& GradFlow::shape(int i) const {
  return sweep_->tape_.store_->slots[static_cast<size_t>(sweep_->in_[static_cast<size_t>(i)])]
      .shape;
}

bool GradFlow::has_dx(int i) const {
  const auto slot = static_cast<size_t>(sweep_->in_[static_cast<size_t>(i)]);
  return static_cast<bool>(sweep_->tape_.store_->slots[slot].grad);
}

Tensor& GradFlow::dx(int i) {
  Tensor& t = sweep_->dx_[static_cast<size_t>(i)];
  if (t.defined()) return t;
  sweep_->asked_dx_ = true;
  const int32_t slot = sweep_->in_[static_cast<size_t>(i)];
  if (sweep_->options_.separate) {
    const Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(slot)];
    t = Tensor::zeros(s.shape, s.dtype);
    sweep_->contributions_.push_back({i, slot, t});
  } else {
    t = sweep_->writable_grad(slot);
  }
  return t;
}

void GradFlow::add(int i, const Tensor& t) {
  if (!wants(i)) return;
  Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(sweep_->in_[static_cast<size_t>(i)])];
  // The first contribution of the right shape need not be copied: the slot shares its memory, and
  // `shared` makes whoever adds to it next take a copy if it is still somebody else's.
  if (!sweep_->options_.separate && !s.grad && t.shape() == s.shape) {
    const bool whole = t.bytes() == t.buffer().data(), dense = t.dense();
    s.strided = !dense && whole && s.leaf < 0 && !s.keep && without_gaps(t);
    if (s.strided) s.strides = t.strides();
    s.shared = s.strided || (whole && dense);
    s.grad = s.shared ? t.buffer() : clone(t).buffer();
    return;
  }
  add_into(dx(i), t);
}

void GradFlow::add(int i, Tensor&& t) {
  if (!wants(i)) return;
  Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(sweep_->in_[static_cast<size_t>(i)])];
  if (sweep_->options_.separate || s.grad || !t.dense() || t.bytes() != t.buffer().data() ||
      t.shape() != s.shape)
    return add(i, t);
  s.grad = std::move(t).take();
  s.shared = true;
}

void GradFlow::add_rows(int i, const Tensor& ids, const Tensor& y) {
  if (!wants(i)) return;
  Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(sweep_->in_[static_cast<size_t>(i)])];
  const auto count = static_cast<size_t>(s.shape[0]);
  const bool first = !s.grad && !sweep_->options_.separate;
  Buffer used = std::exchange(s.rows, {});
  Tensor& to = dx(i);
  if (first) {
    used = Buffer(count);
    std::memset(used.data(), 0, count);
  }
  const int64_t width = s.shape[1];
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
  const int32_t slot = sweep_->in_[static_cast<size_t>(i)];
  const int64_t rows = a.shape().with(a.rank() - 1, 1).numel();  // also where a row is empty
  if (sweep_->options_.separate) return add_product_into(dx(i), a, b);
  if (rows >= kMany || detail::checking_numerics) return sweep_->add_product(slot, a, b);
  Slot& s = sweep_->tape_.store_->slots[static_cast<size_t>(slot)];
  auto& all = sweep_->products_;
  const int64_t before = s.products < 0 ? 0 : all[static_cast<size_t>(s.products)].rows;
  all.push_back({a, b, before + rows, s.products});
  s.products = static_cast<int32_t>(all.size()) - 1;
  if (before + rows >= kMost) sweep_->add_products(slot);
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
  const int32_t slot = tape.slot_for_input(y);
  Slot& s = tape.store_->slots[static_cast<size_t>(slot)];
  s.grad = clone(cotangent).buffer();
  uint16_t inputs = 0, outputs = 0;
  for (const Node& node : tape.nodes()) {
    inputs = std::max(inputs, node.inputs);
    outputs = std::max(outputs, node.outputs);
  }
  dx_.resize(inputs), dy_.resize(outputs);
  flow_.sweep_ = this;
}

Tensor BackwardSweep::grad_of(int32_t slot) const {
  const Slot& s = tape_.store_->slots[static_cast<size_t>(slot)];
  const Tensor grad(s.grad, s.shape, s.dtype);
  return s.strided ? grad.view(s.shape, s.strides) : grad;
}

Tensor BackwardSweep::writable_grad(int32_t slot) {
  Slot& s = tape_.store_->slots[static_cast<size_t>(slot)];
  s.rows = {};  // whoever asked may write to any row
  if (!s.grad) {
    Tensor fresh = Tensor::zeros(s.shape, s.dtype);
    s.grad = fresh.buffer();
    return fresh;
  }
  if (s.shared) {
    if (s.strided || !s.grad.unique()) s.grad = clone(grad_of(slot)).buffer();
    s.shared = s.strided = false;
  }
  return grad_of(slot);
}

// The rows of all waiting products under each other, and one product of them.
void BackwardSweep::add_products(int32_t slot) {
  Slot& s = tape_.store_->slots[static_cast<size_t>(slot)];
  int32_t at = std::exchange(s.products, -1);
  if (at < 0) return;
  const int64_t rows = products_[static_cast<size_t>(at)].rows;
  const DType dtype = s.dtype;
  Tensor a = Tensor::empty({rows, s.shape[0]}, dtype), b = Tensor::empty({rows, s.shape[1]}, dtype);
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
  add_product(slot, a, b);
}

// The first one is the gradient; zeros to add it to would be two more passes over it.
void BackwardSweep::add_product(int32_t slot, const Tensor& a, const Tensor& b) {
  Slot& s = tape_.store_->slots[static_cast<size_t>(slot)];
  const bool first = !s.grad;
  Tensor grad = first ? Tensor::empty(s.shape, s.dtype) : writable_grad(slot);
  add_product_into(grad, a, b, !first);
  if (first) s.grad = grad.buffer(), s.rows = {};
}

void BackwardSweep::check_backward(const Node& node) {
  for (int i = 0; i < node.inputs; ++i) {
    const int32_t slot = in_[static_cast<size_t>(i)];
    if (slot < 0 || !tape_.store_->slots[static_cast<size_t>(slot)].grad) continue;
    const Tensor g = grad_of(slot);
    const OpInfo& info = *node.table->info;
    if (const int64_t at = first_non_finite(g); at >= 0)
      detail::not_finite("backward", info,
                         fmt::format("the gradient of input '{}'",
                                     info.inputs[info.variadic ? 0 : static_cast<size_t>(i)]),
                         g, at, node.scope);
  }
}

// The rest of a step is put into `next`, its only caller.
inline void BackwardSweep::finish(const Node& node) {
  // Let go of this node's handles before anybody asks whether a gradient's memory is shared.
  const auto let_go = [](Tensor& t) {
    if (t.defined()) std::move(t).take();
  };
  if (std::exchange(asked_dx_, false))
    for (int i = 0; i < node.inputs; ++i) let_go(dx_[static_cast<size_t>(i)]);
  for (int k = 0; k < node.outputs; ++k) let_go(dy_[static_cast<size_t>(k)]);
  let_go(room_);
  for (Contribution& c : contributions_) {
    if (options_.pass && !options_.pass(at_, c.input, c.value)) continue;
    Tensor sum = writable_grad(c.slot);
    add_into(sum, c.value);
  }
  if (detail::checking_numerics) [[unlikely]]
    check_backward(node);
  for (int k = 0; k < node.outputs; ++k) {
    Slot& s = tape_.store_->slots[static_cast<size_t>(node.first_slot + k)];
    if (!s.keep) s.grad = {};
  }
}

inline void BackwardSweep::run(Node& node) {
  const InScope here(node.scope);
  node_ = &node;
  in_ = std::span(tape_.store_->edges).subspan(node.first_edge, node.inputs);
  contributions_.clear();
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
      const Slot& s = store.slots[static_cast<size_t>(node.first_slot + k)];
      if (s.products >= 0) add_products(node.first_slot + k);
      reached = reached || s.grad;
    }
    if (reached) {
      run(node);
      return true;
    }
    node.table->destroy(std::exchange(node.op, nullptr));
  }
  for (size_t slot = 0; !products_.empty() && slot < store.slots.size(); ++slot)
    add_products(static_cast<int32_t>(slot));
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
