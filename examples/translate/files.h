// Whole text files in, whole text files out. Writing is all or nothing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace heed::translate {

inline constexpr int64_t kMaxTextFile = int64_t{4} << 30;  ///< bytes

/// The bytes of a file, pipe or device. Throws FileError with the system's reason if it cannot be
/// read, if it is a directory, or if it holds more than `max_bytes`.
std::string read_text_file(const std::string& path, int64_t max_bytes = kMaxTextFile);

/// Writes a file so that `path` holds either all of `content` or what it held before: the bytes go
/// to a new file in the same folder, are flushed to the disk, and then take the name (a symbolic
/// link keeps pointing to its file, an existing file keeps its permissions). A pipe or a device is
/// written directly. Throws FileError with the system's reason; nothing half-written stays behind.
void write_text_file(const std::string& path, std::string_view content);

}  // namespace heed::translate
