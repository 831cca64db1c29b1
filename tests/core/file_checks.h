// What the tests of files share: a scratch folder, and the check that an error is one line that
// begins with the file's name.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"

namespace heed {

/// A fixture with an empty folder that is gone after the test.
class ScratchFolder : public ::testing::Test {
 public:
  ScratchFolder() {
    std::string name = ::testing::TempDir() + "heed_XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("no scratch folder");
    folder_ = name;
  }
  ~ScratchFolder() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  const std::string& folder() const { return folder_; }
  size_t files() const {
    const std::filesystem::directory_iterator all(folder_);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::string folder_;
};

/// A file beside tests/core/fixtures/make.py, which made it.
inline std::string fixture(const std::string& name) {
  return HEED_SOURCE_DIR "/tests/core/fixtures/" + name;
}

/// "" when `text` is one line "path: sentence"; otherwise what is wrong with it.
inline std::string fault_of_file_error(const std::string& text, const std::string& path) {
  if (!text.starts_with(path + ": ")) return "does not begin with the file's name: " + text;
  if (text.size() < path.size() + 12) return "says nothing: " + text;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20) return "is not one line: " + text;
  return "";
}

/// Expects that f() throws a FileError of one line "path: ..." that contains `part`.
template <class F>
void expect_file_error(F f, const std::string& path, const std::string& part) {
  try {
    f();
    ADD_FAILURE() << "expected a FileError with \"" << part << "\", got none";
  } catch (const FileError& e) {
    EXPECT_EQ(fault_of_file_error(e.what(), path), "");
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

/// The numbers of a dense tensor as bytes: NaN payloads and the sign of zero count.
inline std::string raw_bytes(const Tensor& x) {
  return {reinterpret_cast<const char*>(x.buffer().data()),
          static_cast<size_t>(x.numel()) * size_of(x.dtype())};
}

/// NaN with a payload, signalling NaN, -0, the least subnormal, infinity.
inline Tensor odd_floats() {
  const uint32_t bits[] = {0x7fc12345, 0x7f800001, 0x80000000, 1, 0xff800000};
  Tensor x = Tensor::empty({5});
  std::memcpy(x.buffer().data(), bits, sizeof bits);
  return x;
}

}  // namespace heed
