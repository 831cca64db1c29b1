#include "optim/optimizer.h"

#include <algorithm>
#include <map>

#include "core/kernels.h"

namespace heed {
namespace {

std::string description(const Tensor& x) {
  return fmt::format("{} {}", name_of(x.dtype()), to_text(x.shape()));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void detail::require_option(std::string_view name, std::string_view option, double value,
                            double below) {
  require(value >= 0 && value < below, "{}: expected {} in [0, {}), got {}", name, option, below,
          value);
}

// ---- what an optimiser is made for ----

Optimizer::Optimizer(std::string name, const Parameters& parameters, double initial_rate,
                     const std::vector<std::string>& frozen, bool all_used,
                     std::vector<std::string> slots)
    : rate(initial_rate),
      name_(std::move(name)),
      slot_names_(std::move(slots)),
      all_used_(all_used) {
  detail::require_option(name_, "rate", rate);
  check_parameters(parameters, frozen);
  for (const NamedParameter& p : parameters) {
    if (contains(frozen, p.name)) continue;
    Item item{p, {}};
    for (size_t k = 0; k < slot_names_.size(); ++k)
      item.slots.push_back(Tensor::zeros(p.value.shape(), p.value.dtype()));
    items_.push_back(std::move(item));
  }
  require(!items_.empty(), "{}: every parameter is frozen; there is nothing to train", name_);
}

void Optimizer::check_parameters(const Parameters& parameters,
                                 const std::vector<std::string>& frozen) const {
  require(!parameters.empty(), "{}: expected a list of parameters, got an empty one", name_);
  std::map<std::string, size_t> by_name;
  std::map<int32_t, std::string> by_leaf;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& [label, value] = parameters[i];
    require(!label.empty(), "{}: expected a name for every parameter, but number {} has none",
            name_, i);
    require(value.defined() && is_leaf(value),
            "{}: expected leaves, but '{}' is not one; make it with leaf(x)", name_, label);
    require(value.dense(), "{}: expected dense memory, but '{}' is a strided view; use clone(x)",
            name_, label);
    require(by_name.emplace(label, i).second, "{}: two parameters are named '{}'", name_, label);
    const auto [other, fresh] = by_leaf.emplace(value.ref().slot, label);
    require(fresh, "{}: '{}' and '{}' are the same leaf; list weights that are shared once", name_,
            other->second, label);
  }
  for (const std::string& label : frozen)
    require(by_name.contains(label), "{}: there is no parameter '{}' to freeze", name_, label);
}

// ---- a step ----

void Optimizer::check_gradients(const Gradients& gradients) const {
  std::string missing;
  for (const Item& item : items_) {
    const auto& [label, value] = item.parameter;
    const Tensor* g = gradients.find(value);
    if (!g) {
      missing += (missing.empty() ? "'" : ", '") + label + "'";
      continue;
    }
    require(g->shape() == value.shape() && g->dtype() == value.dtype(),
            "{}: expected a gradient {} {} for '{}', got {} {}", name_, name_of(value.dtype()),
            value.shape(), label, name_of(g->dtype()), g->shape());
  }
  require_use(missing.empty() || steps_ > 0 || !all_used_,
              "{}: the first step has no gradient for {}; the loss does not depend on them, or not "
              "through this tape (a detach, a forward pass before the tape). Use them, list them "
              "in `frozen`, or set `all_used = false` if only some steps use them",
              name_, missing);
}

void Optimizer::step(const Gradients& gradients, const ForEach& each) {
  detail::require_option(name_, "rate", rate);
  check_gradients(gradients);
  ++steps_;
  jobs_.resize(gradients.entries().size());
  for (Job& job : jobs_) {
    job.item = nullptr;
    job.ranges.clear();
  }
  for (Item& item : items_) {
    const Gradients::Entry* g = gradients.entry(item.parameter.value);
    if (!g) continue;
    Job& job = jobs_[static_cast<size_t>(g - gradients.entries().data())];
    ++item.updates;
    job.item = &item;
    job.gradient = dense(g->value);
    begin_update(item, {g->leaf, job.gradient, g->rows}, job.ranges);
  }
  several_threads_ = each.several_threads;
  const List<Gradients::Piece> pieces = gradients.pieces();
  const auto update_piece = [&](int64_t i) {
    const auto& [at, begin, end] = pieces[static_cast<size_t>(i)];
    const Job& job = jobs_[at];
    auto r = std::upper_bound(job.ranges.begin(), job.ranges.end(), begin,
                              [](int64_t first, const Range& range) { return first < range.end; });
    for (; r != job.ranges.end() && r->begin < end; ++r)
      update(*job.item, job.gradient, {std::max(begin, r->begin), std::min(end, r->end)});
  };
  each(std::ssize(pieces), std::cref(update_piece));
  for (Job& job : jobs_) job.gradient = {};
}

void Optimizer::begin_update(Item& item, const Gradients::Entry&, std::vector<Range>& ranges) {
  ranges.push_back({0, item.parameter.value.numel()});
}

// ---- state ----

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> all{{name_ + ".step", Tensor::ids(std::span(&steps_, 1), {})},
                               {name_ + ".rate", Tensor::scalar(rate, f64)}};
  for (const Item& item : items_) {
    const std::string& label = item.parameter.name;
    all.emplace_back(name_ + ".step." + label, Tensor::ids(std::span(&item.updates, 1), {}));
    for (size_t k = 0; k < slot_names_.size(); ++k)
      all.emplace_back(name_ + "." + slot_names_[k] + "." + label, clone(item.slots[k]));
    if (item.seen.defined()) all.emplace_back(name_ + ".seen." + label, clone(item.seen));
  }
  return all;
}

void Optimizer::load_state(std::span<const NamedTensor> state) {
  std::string wrong;
  std::map<std::string_view, const Tensor*> given;
  for (const auto& [label, value] : state)
    if (label.starts_with(name_ + ".") && !given.emplace(label, &value).second)
      wrong += fmt::format("\n  {}: given twice", label);
  // This optimiser's own state is the list of what is expected, in the order of filling in; whether
  // the rows of a table were told apart is up to the state.
  Tensors seen;
  for (Item& item : items_) {
    const bool rows = given.contains(name_ + ".seen." + item.parameter.name);
    const Shape& shape = item.parameter.value.shape();
    seen.push_back(item.seen);
    item.seen = rows && shape.rank() == 2 ? Tensor::zeros(shape.first(1), i64) : Tensor{};
  }
  const std::vector<NamedTensor> expected = this->state();
  std::vector<const Tensor*> found;
  for (const auto& [label, like] : expected) {
    const auto at = given.find(label);
    if (at == given.end()) {
      wrong += fmt::format("\n  {}: missing", label);
      continue;
    }
    const Tensor& value = *at->second;
    if (!value.defined() || value.shape() != like.shape() || value.dtype() != like.dtype())
      wrong += fmt::format("\n  {}: expected {}, got {}", label, description(like),
                           value.defined() ? description(value) : "nothing");
    found.push_back(&value);
    given.erase(at);
  }
  for (const auto& [label, value] : given) wrong += fmt::format("\n  {}: unknown", label);
  if (!wrong.empty())
    for (size_t i = 0; i < items_.size(); ++i) items_[i].seen = seen[i];
  require(wrong.empty(), "{}: the state does not fit these parameters:{}", name_, wrong);

  auto next = found.begin();
  steps_ = (*next++)->to_ids()[0];
  rate = (*next++)->item();
  for (Item& item : items_) {
    item.updates = (*next++)->to_ids()[0];
    for (Tensor& slot : item.slots) copy_into(slot, **next++);
    if (item.seen.defined()) item.seen = clone(**next++);
  }
}

}  // namespace heed
