// One tensor in one file, in NumPy's .npy format (numpy.lib.format, versions 1.0, 2.0 and 3.0).
// Little-endian f4, f8 and i8 in C order; anything else is refused with the line of NumPy that
// makes it so. No .npz, no pickled objects.
#pragma once
#include <string>
#include <string_view>

#include "core/tensor.h"

namespace heed {

/// The tensor of a file. Throws FileError "path: expected ..., got ..." for whatever is not a
/// well-formed file, sizes checked against the file before memory is asked for.
Tensor load_npy(const std::string& path);

/// Writes version 1.0, all or nothing (see write_file). Strided tensors are written dense. Throws
/// FileError, and std::invalid_argument for an undefined tensor.
void save_npy(const std::string& path, const Tensor& x);

/// The same from and to bytes in memory; `path` is only the name that errors begin with.
Tensor parse_npy(std::string_view bytes, const std::string& path);
std::string npy_bytes(const Tensor& x);

}  // namespace heed
