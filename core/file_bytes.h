// Whole files as bytes: read with a clear error, written so that a reader sees the old file or the
// new one and never a half. And the steps that the tensor formats share. No format of its own, no
// streams, no text.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/tensor.h"

namespace heed {

/// All bytes of a file or pipe. Throws FileError when it cannot be read (missing, a folder, a
/// device, no permission) or holds more than `max_bytes`.
std::string read_file(const std::string& path, uint64_t max_bytes = UINT64_MAX);

/// Makes the file hold exactly `bytes`: they are written to a new file in the same folder, brought
/// to disk and renamed over the old file, which stays as it was on failure. Permissions stay, and
/// so do symbolic links. Something that is not a regular file (a pipe, /dev/stdout) is written
/// directly. Throws FileError.
void write_file(const std::string& path, std::string_view bytes);

/// Bytes of unknown origin for an error text: in quotes, on one line, printable, cut after 60.
std::string quote_bytes(std::string_view bytes);

/// A shape read from a file; throws FileError "path: place: ..." where Shape would refuse it.
Shape shape_in_file(const std::string& path, const std::string& place,
                    std::span<const int64_t> sizes);

/// A tensor with memory of its own from row-major little-endian numbers, which need not be aligned.
/// `bytes` holds exactly the shape's numbers.
Tensor tensor_of_bytes(std::string_view bytes, const Shape& shape, DType dtype);

/// Appends the tensor's numbers, row-major and little-endian.
void append_bytes(std::string& out, const Tensor& x);

}  // namespace heed
