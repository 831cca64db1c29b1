// Named tensors in one file, in the safetensors format
// (https://github.com/huggingface/safetensors): eight bytes header length, a JSON header, the
// numbers. A file is data from a stranger: every size and offset is checked against the file before
// memory is asked for. F32, F64 and I64 only; half precision and small integers are refused by
// name, not converted.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace heed {

using NamedTensor = std::pair<std::string, Tensor>;
using Metadata = std::map<std::string, std::string>;

/// The tensors of a file in the order of its header, and its `__metadata__` if `metadata` is given.
/// Throws FileError "path: expected ..., got ..." for whatever is not a well-formed file.
std::vector<NamedTensor> load_safetensors(const std::string& path, Metadata* metadata = nullptr);

/// Writes such a file, all or nothing (see write_file). Strided tensors are written dense. Throws
/// std::invalid_argument for an undefined tensor, a name given twice or text that is not UTF-8, and
/// FileError when the file cannot be written.
void save_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                      const Metadata& metadata = {});

/// The same from and to bytes in memory; `path` is only the name that errors begin with.
std::vector<NamedTensor> parse_safetensors(std::string_view bytes, const std::string& path,
                                           Metadata* metadata = nullptr);
std::string safetensors_bytes(std::span<const NamedTensor> tensors, const Metadata& metadata = {});

}  // namespace heed
