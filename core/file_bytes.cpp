#include "core/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "core/error.h"

namespace heed {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers go to files as they lie");

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  // Some systems report a failed write only here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

[[noreturn]] void fail_system(const std::string& path, std::string_view what) {
  const int error = errno;
  fail_file(path, "{}: {}", what, std::strerror(error));
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_system(path, "expected to write it, got");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// What a symbolic link points to, so that the link survives the rename.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? real.get() : path;
}

// Written beside the target and renamed over it, or removed. `mode`: of the file that was there.
void replace_file(const std::string& path, std::string_view bytes, const mode_t* mode) {
  static std::atomic<unsigned> serial{0};  // threads of one process may write at once
  const std::string target = real_path(path);
  const std::string part = fmt::format("{}.part-{}-{}", target, ::getpid(), serial++);
  Descriptor fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd.get() < 0) fail_system(path, "expected a folder that a file can be written in, got");
  try {
    write_all(fd.get(), bytes, path);
    if ((mode && ::fchmod(fd.get(), *mode) != 0) || ::fsync(fd.get()) != 0 || !fd.close() ||
        ::rename(part.c_str(), target.c_str()) != 0)
      fail_system(path, "expected to write it, got");
  } catch (...) {
    ::unlink(part.c_str());
    throw;
  }
}

}  // namespace

std::string read_file(const std::string& path, uint64_t max_bytes) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0)
    fail_system(path, "expected a readable file, got");
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
    fail_file(path, "expected a file, got a {}", S_ISDIR(info.st_mode) ? "folder" : "device");
  const auto too_long = [&] {
    fail_file(path, "expected a file of at most {} bytes, got a longer one", max_bytes);
  };
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > max_bytes) too_long();
  try {
    std::string bytes(size + 1, '\0');  // one more: the end is seen without growing
    for (size_t n = 0;;) {
      if (n == bytes.size()) bytes.resize(std::max<size_t>(2 * n, 65536));
      const ssize_t got = ::read(fd.get(), bytes.data() + n, bytes.size() - n);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_system(path, "expected a readable file, got");
      n += static_cast<size_t>(got);
      if (n > max_bytes) too_long();
      if (got == 0) {
        bytes.resize(n);
        return bytes;
      }
    }
  } catch (const std::bad_alloc&) {
    fail_file(path, "expected a file that fits in memory, got one of {} bytes", size);
  }
}

void write_file(const std::string& path, std::string_view bytes) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return replace_file(path, bytes, nullptr);
  if (S_ISDIR(info.st_mode)) fail_file(path, "expected a file to write, got a folder");
  // Replacing needs no permission on the old file; the one who took it away meant something.
  if (::access(path.c_str(), W_OK) != 0) fail_system(path, "expected to write it, got");
  const mode_t mode = info.st_mode & 07777;
  if (S_ISREG(info.st_mode)) return replace_file(path, bytes, &mode);
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) fail_system(path, "expected to write it, got");
  write_all(fd.get(), bytes, path);
}

std::string quote_bytes(std::string_view bytes) {
  constexpr size_t kMost = 60;
  std::string text = "\"";
  for (const char c : bytes.substr(0, kMost)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f)
      text += c;
    else
      text += fmt::format("\\x{:02x}", u);
  }
  return text + (bytes.size() > kMost ? "...\"" : "\"");
}

Shape shape_in_file(const std::string& path, const std::string& place,
                    std::span<const int64_t> sizes) {
  try {
    return Shape(sizes);
  } catch (const std::invalid_argument& error) {
    fail_file(path, "{}: {}", place, error.what());
  }
}

Tensor tensor_of_bytes(std::string_view bytes, const Shape& shape, DType dtype) {
  const Buffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return {buffer, shape, dtype};
}

void append_bytes(std::string& out, const Tensor& x) {
  const Tensor d = dense(x);
  const auto append = [&](const auto* numbers) {
    out.append(reinterpret_cast<const char*>(numbers),
               static_cast<size_t>(d.numel()) * sizeof *numbers);
  };
  if (d.dtype() == f32) append(d.data<float>());
  if (d.dtype() == f64) append(d.data<double>());
  if (d.dtype() == i64) append(d.data<int64_t>());
}

}  // namespace heed
