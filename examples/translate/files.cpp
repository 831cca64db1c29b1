#include "examples/translate/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace heed::translate {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Returns 0 or the errno of the write that failed.
int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

void write_directly(const std::string& path, std::string_view content) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.fd < 0) fail_file(path, "cannot be written: {}", reason(errno));
  if (const int error = write_all(file.fd, content))
    fail_file(path, "cannot be written: {}", reason(error));
}

// Fills a new file and gives it the name `path`. Returns 0 or an errno; on failure it is gone.
int write_and_rename(const std::string& path, const mode_t* mode, std::string_view content) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  ::unlink(temporary.c_str());  // of a process of the same number that was killed
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.fd < 0) return errno;
  int error = write_all(file.fd, content);
  if (!error && mode && ::fchmod(file.fd, *mode) != 0) error = errno;
  if (!error && ::fsync(file.fd) != 0) error = errno;
  if (::close(std::exchange(file.fd, -1)) != 0 && !error) error = errno;
  if (!error && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error) ::unlink(temporary.c_str());
  return error;
}

}  // namespace

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) fail_file(path, "cannot be read: {}", reason(errno));
  std::string content;
  struct stat info {};
  if (::fstat(file.fd, &info) == 0 && info.st_size > 0 && info.st_size <= max_bytes)
    content.reserve(static_cast<size_t>(info.st_size) + 1);
  // Read to the end rather than to the size that stat gives: a pipe has none.
  for (char block[1 << 16];;) {
    const ssize_t n = ::read(file.fd, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_file(path, "cannot be read: {}", reason(errno));
    if (n == 0) return content;
    content.append(block, static_cast<size_t>(n));
    if (static_cast<int64_t>(content.size()) > max_bytes)
      fail_file(path, "holds more than {} bytes, which is more than is read; give a smaller file",
                max_bytes);
  }
}

void write_text_file(const std::string& path, std::string_view content) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    fail_file(path, "cannot be written: it is a folder; give the name of a file");
  if (exists && !S_ISREG(info.st_mode)) return write_directly(path, content);
  // A rename would replace a write-protected file without asking.
  if (exists && ::access(path.c_str(), W_OK) != 0)
    fail_file(path, "cannot be written: {}", reason(errno));

  std::error_code ignored;
  const std::string real =
      exists ? std::filesystem::canonical(path, ignored).string() : path;  // through a link
  const mode_t mode = info.st_mode & 07777;
  if (const int error =
          write_and_rename(real.empty() ? path : real, exists ? &mode : nullptr, content))
    fail_file(path, "cannot be written: {}", reason(error));
}

}  // namespace heed::translate
