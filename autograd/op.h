// What an operation is: a plain struct that holds
//   - `info`: its name, its inputs' names, its formulas, as data;
//   - the tensors its backward needs, as named members of type Saved;
//   - `saved(see)`: one line that names those members (or writes out what is kept in another form);
//   - `attributes(see)`, where it has any: what it was told beside its tensors (a factor, axes, a
//     mask), so that what it computed can be computed again from data alone;
//   - `backward(GradFlow&)`: the formula as code.
// No base class, no macro: the concept below is the contract, and an op without a formula does not
// compile. An op knows nothing of tapes, recorders or microscopes.
#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/mask.h"
#include "core/tensor.h"

namespace heed {

/// What can be said of an op without running it. Formulas are plain ASCII in the op's own letters:
/// y the output, dy its cotangent, x... the inputs by name.
struct OpInfo {
  static constexpr size_t kMostInputs = 8;
  std::string_view name;
  std::array<std::string_view, kMostInputs> inputs;    // names, in order
  std::string_view forward;                            // "y = exp(x)"
  std::array<std::string_view, kMostInputs> backward;  // per input: "dx += y * dy"
  bool variadic = false;                               // any number of inputs, all like inputs[0]
  bool may_be_infinite = false;  // -inf is a value of this op (log 0), no accident; NaN still is
};

constexpr bool complete(const OpInfo& info) {
  if (info.name.empty() || info.forward.empty() || info.inputs[0].empty()) return false;
  for (size_t i = 0; i < OpInfo::kMostInputs; ++i)
    if (info.inputs[i].empty() != info.backward[i].empty()) return false;
  return true;
}

/// A tensor kept for backward, with the version its memory had: changing it in between is an error
/// that names it.
class Saved {
 public:
  Saved() = default;
  Saved(const Tensor& x)  // NOLINT(google-explicit-constructor): members are written as tensors
      : tensor_(x), version_(x.defined() ? x.buffer().version() : 0) {}
  /// Nothing, unless `needed`: what only the gradient of another input asks for is not kept where
  /// that input has none.
  Saved(const Tensor& x, bool needed)
      : tensor_(needed ? x : Tensor()), version_(tensor_.defined() ? x.buffer().version() : 0) {}
  /// An output that was just computed: no other thread has seen `y` (Tensor::again).
  static Saved output(Tensor& y) { return Saved(y.again(), y.buffer().version()); }
  operator const Tensor&() const { return tensor_; }  // NOLINT(google-explicit-constructor)
  const Tensor& operator*() const { return tensor_; }
  const Tensor* operator->() const { return &tensor_; }
  bool changed() const { return tensor_.defined() && tensor_.buffer().version() != version_; }

 private:
  Saved(Tensor&& x, uint32_t version) : tensor_(std::move(x)), version_(version) {}
  Tensor tensor_;
  uint32_t version_ = 0;
};

class GradFlow;

/// Receives the saved tensors of an op by name.
class SavedVisitor {
 public:
  virtual void operator()(std::string_view name, const Saved& saved) = 0;
  /// Whether anybody looks at the numbers: an op may keep them in another form, and does not write
  /// them out for nothing.
  virtual bool looks() const { return true; }

 protected:
  ~SavedVisitor() = default;
};

/// What an op was told beside its tensors. A mask is one over its first input.
using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, Mask>;

/// Receives the attributes of an op by name.
class AttributeVisitor {
 public:
  virtual void operator()(std::string_view name, const Attribute& value) = 0;

 protected:
  ~AttributeVisitor() = default;
};

template <class T>
concept HasAttributes = requires(const T& op, AttributeVisitor& see) {
  { op.attributes(see) } -> std::same_as<void>;
};

template <class T>
concept Op = complete(T::info) && requires(const T& op, GradFlow& flow, SavedVisitor& see) {
  { op.backward(flow) } -> std::same_as<void>;
  { op.saved(see) } -> std::same_as<void>;
};

}  // namespace heed
