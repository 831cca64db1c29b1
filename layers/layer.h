// What all layers share: a layer is a plain struct whose parameters are leaves, named by one
// function `visit`. Names, order, the optimiser's list, dtype, saving, loading and gradient checks
// all come from that one walk. `operator()` is not virtual: every layer has its natural signature.
//
//     struct Linear {
//       Tensor weight, bias;
//       void visit(Visitor& see) { see("weight", weight), see("bias", bias); }
//     };
#pragma once
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/leaf.h"
#include "autograd/parameter.h"
#include "core/safetensors.h"

namespace heed {

class Visitor;

template <class T>
concept Layer = requires(T& layer, Visitor& see) {
  layer.visit(see);
};

/// Walks the parameters of a layer and of the layers in it, building names as PyTorch does:
/// "encoder.rnn.weight_ih_l0", and "stack.0.weight" for the first of a list.
class Visitor {
 public:
  using See = std::function<void(const std::string& name, Tensor& parameter)>;
  explicit Visitor(See see) : see_(std::move(see)) {}

  /// A parameter. An undefined one (no bias) is passed over.
  void operator()(std::string_view name, Tensor& parameter) {
    if (parameter.defined()) see_(path(name), parameter);
  }
  template <Layer L>
  void operator()(std::string_view name, L& layer) {
    const size_t outer = prefix_.size();
    prefix_ = path(name) + ".";
    layer.visit(*this);
    prefix_.resize(outer);
  }
  template <Layer L>
  void operator()(std::string_view name, std::vector<L>& list) {
    for (size_t i = 0; i < list.size(); ++i)
      (*this)(std::string(name) + "." + std::to_string(i), list[i]);
  }

 private:
  std::string path(std::string_view name) const { return prefix_ + std::string(name); }
  See see_;
  std::string prefix_;
};

/// All parameters by name, in the layer's own order. The handles share memory with the layer's.
template <Layer L>
Parameters parameters(L& layer) {
  Parameters all;
  Visitor see([&](const std::string& name, Tensor& p) { all.push_back({name, p}); });
  layer.visit(see);
  return all;
}

/// Number of trained numbers.
template <Layer L>
int64_t parameter_count(L& layer) {
  int64_t n = 0;
  for (const auto& p : parameters(layer)) n += p.value.numel();
  return n;
}

/// Converts every parameter in place: f64 to check gradients, f32 to train. They are new leaves:
/// make optimisers afterwards.
template <Layer L>
void to(L& layer, DType dtype) {
  Visitor see([&](const std::string&, Tensor& p) { p = leaf(cast(p, dtype)); });
  layer.visit(see);
}

/// Writes parameters as a safetensors file, whole or not at all. Throws FileError.
void save_parameters(const std::string& path, const Parameters& parameters,
                     const Metadata& metadata = {});
/// Fills parameters in place from a safetensors file, converting f32 to f64 or back. Throws
/// FileError that lists every missing, extra and misshaped name at once; then nothing is changed.
Metadata load_parameters(const std::string& path, const Parameters& parameters);

template <Layer L>
void save(const std::string& path, L& layer, const Metadata& metadata = {}) {
  save_parameters(path, parameters(layer), metadata);
}
template <Layer L>
Metadata load(const std::string& path, L& layer) {
  return load_parameters(path, parameters(layer));
}

}  // namespace heed
