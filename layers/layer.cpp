#include "layers/layer.h"

#include <map>

#include "autograd/tape.h"
#include "core/kernels.h"

namespace heed {

void save_parameters(const std::string& path, const Parameters& parameters,
                     const Metadata& metadata) {
  std::vector<NamedTensor> tensors;
  for (const auto& p : parameters) tensors.emplace_back(p.name, detach(p.value));
  save_safetensors(path, tensors, metadata);
}

Metadata load_parameters(const std::string& path, const Parameters& parameters) {
  Metadata metadata;
  std::map<std::string, Tensor> in_file;
  for (auto& [name, tensor] : load_safetensors(path, &metadata)) in_file[name] = tensor;

  std::string faults;
  for (const auto& p : parameters) {
    const auto it = in_file.find(p.name);
    if (it == in_file.end()) {
      faults += "\n  missing: " + p.name + " " + to_text(p.value.shape());
    } else if (it->second.shape() != p.value.shape() || it->second.dtype() == i64) {
      faults += fmt::format("\n  misfit: {} is {} {} in the file, {} in the model", p.name,
                            name_of(it->second.dtype()), to_text(it->second.shape()),
                            to_text(p.value.shape()));
    }
  }
  std::map<std::string, bool> known;
  for (const auto& p : parameters) known[p.name] = true;
  for (const auto& [name, tensor] : in_file)
    if (!known.contains(name)) faults += "\n  extra: " + name + " " + to_text(tensor.shape());
  if (!faults.empty()) fail_file(path, "the weights do not fit this model:{}", faults);

  for (const auto& p : parameters) {
    Tensor target = p.value;
    copy_into(target, cast(in_file[p.name], target.dtype()));
  }
  return metadata;
}

}  // namespace heed
