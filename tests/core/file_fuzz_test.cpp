// Damaged files: every truncation, every single-byte change of the headers and thousands of seeded
// mutations either load or end in a FileError of one line. Nothing crashes (run it under asan), and
// a damaged size never asks for more memory than the file could hold.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/buffer.h"
#include "core/file_bytes.h"
#include "core/npy.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "tests/core/file_checks.h"

namespace heed {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// BLAS's threads take 128 MiB each as they begin, which may be later than a test does; afterwards
// they sleep.
void wait_until_other_threads_sleep() {
  const auto all_sleep = [] {
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      if (thread.path().filename() == std::to_string(::getpid())) continue;
      std::string stat;
      std::getline(std::ifstream(thread.path() / "stat"), stat);
      if (!stat.substr(stat.rfind(')') + 1).starts_with(" S")) return false;
    }
    return true;
  };
  for (int k = 0; k < 5000 && !all_sleep(); ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// While this lives, asking for much more memory than a small file needs is a std::bad_alloc, which
// is no FileError. (A sanitizer's own memory does not fit into such a limit.)
class MemoryLimit {
 public:
  MemoryLimit() {
    ::getrlimit(RLIMIT_AS, &before_);
    if (kSanitized) return;
    wait_until_other_threads_sleep();
    { const Buffer small(1), large(100'000); }  // of which the pool takes more than is asked for
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit limit{pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) + (32u << 20),
                       before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

struct Format {
  std::vector<std::string> files;  // small and well-formed
  size_t header;                   // where the data of the first file begins
  std::vector<std::string> words;  // to put in
  Tensors (*parse)(std::string_view, const std::string&);
};

Tensors parse_named(std::string_view bytes, const std::string& path) {
  Metadata metadata;
  Tensors tensors;
  for (auto& [name, tensor] : parse_safetensors(bytes, path, &metadata)) tensors.push_back(tensor);
  return tensors;
}

Tensors parse_one(std::string_view bytes, const std::string& path) {
  return {parse_npy(bytes, path)};
}

std::vector<std::string> fixtures(std::initializer_list<const char*> names) {
  std::vector<std::string> files;
  for (const char* name : names) files.push_back(read_file(fixture(name)));
  return files;
}

// Numbers at the edges of what sizes and offsets can hold.
std::vector<std::string> with_numbers(std::vector<std::string> words) {
  for (const char* number : {"0", "99", "-1", "1e9", "2147483647", "2147483648", "4294967296",
                             "9223372036854775807", "18446744073709551615"})
    words.push_back(number);
  return words;
}

Format safetensors_format() {
  return {fixtures({"mixed.safetensors", "none.safetensors", "half.safetensors"}), 8 + 353,
          with_numbers({"{", "}", "[", "]", ":", ",", "\"", "\"F32\"", "\"F64\"", "\"I64\"",
                        "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\\u0000", "null",
                        "[0,0]", "{\"w\":", "[[[["}),
          parse_named};
}

Format npy_format() {
  return {fixtures({"f32.npy", "i64.npy", "f64_scalar.npy", "empty.npy", "version2.npy"}), 128,
          with_numbers({"{", "}", "(", ")", ":", ",", "'", "'<f4'", "'>f8'", "'<i8'", "'shape'",
                        "'descr'", "'fortran_order'", "True", "False", "\n", "\x01", "\x02"}),
          parse_one};
}

class DamagedFile : public ::testing::TestWithParam<std::string> {
 protected:
  const Format format_ = GetParam() == "npy" ? npy_format() : safetensors_format();

  // Parses a copy that ends where its memory ends, so that asan sees a read past it. Returns
  // whether it loaded.
  bool survives(const std::string& damaged) {
    const std::vector<char> exact(damaged.begin(), damaged.end());
    const std::string_view bytes(exact.data(), exact.size());
    try {
      size_t held = 0;
      for (const Tensor& x : format_.parse(bytes, "f")) {
        held += raw_bytes(x).size();  // reads every number
        EXPECT_EQ(dense_strides(x.shape()), x.strides());
      }
      EXPECT_LE(held, damaged.size()) << "more numbers than the file holds";
      return true;
    } catch (const FileError& e) {
      EXPECT_EQ(fault_of_file_error(e.what(), "f"), "");
      EXPECT_LT(std::string_view(e.what()).size(), 500u);
    }
    return false;
  }
};

TEST_P(DamagedFile, EveryTruncationIsAnError) {
  const MemoryLimit limit;
  for (const std::string& file : format_.files)
    for (size_t n = 0; n < file.size(); ++n)
      EXPECT_FALSE(survives(file.substr(0, n))) << "cut to " << n << " of " << file.size();
}

TEST_P(DamagedFile, EveryByteOfTheHeaderMayBeAnything) {
  const MemoryLimit limit;
  for (const std::string& file : format_.files) {
    const int step = &file == &format_.files[0] ? 1 : 15;  // a sample is enough for the others
    for (size_t i = 0; i < std::min(format_.header, file.size()); ++i) {
      for (int change = 1; change < 256; change += step) {
        std::string damaged = file;
        damaged[i] = static_cast<char>(damaged[i] ^ change);
        survives(damaged);
        if (HasFailure()) FAIL() << "byte " << i << " xor " << change;
      }
    }
  }
}

TEST_P(DamagedFile, AChangedNumberLoadsAsThatNumber) {
  const std::string& file = format_.files[0];
  const auto whole = format_.parse(file, "f");
  for (size_t i = format_.header; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(~damaged[i]);
    std::string before, after;
    for (const Tensor& x : whole) before += raw_bytes(x);
    for (const Tensor& x : format_.parse(damaged, "f")) after += raw_bytes(x);
    before[i - format_.header] = damaged[i];  // the fixture's data lies in header order
    EXPECT_EQ(before, after) << "byte " << i;
  }
}

// One random change: a byte, a word put in or over, a piece removed, doubled or taken from another.
std::string mutated(std::string bytes, const Format& format, Rng& rng) {
  const auto position = [&](const std::string& s) { return rng.below(s.size() + 1); };
  const auto& word = format.words[rng.below(format.words.size())];
  const auto& other = format.files[rng.below(format.files.size())];
  const size_t at = position(bytes), length = rng.below(16);
  switch (rng.below(7)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(rng.below(256));
      return bytes;
    case 1:
      return bytes.insert(at, word);
    case 2:
      return bytes.replace(at, std::min(word.size(), bytes.size() - at), word);
    case 3:
      return bytes.erase(at, length);
    case 4:
      return bytes.insert(at, bytes.substr(at, length));
    case 5:
      return bytes.substr(0, at) + other.substr(position(other));
    default: {  // a number over a number: sizes and offsets are where the danger is
      const size_t begin = bytes.find_first_of("0123456789", at);
      if (begin == bytes.npos) return bytes;
      const size_t end = std::min(bytes.find_first_not_of("0123456789", begin), bytes.size());
      return bytes.replace(begin, end - begin, word);
    }
  }
}

// The length in front of the header made true again, so that mutations reach what lies behind it.
void mend_length(std::string& bytes, const std::string& format) {
  if (format == "safetensors" && bytes.size() >= 8) {
    const size_t end = bytes.rfind('}');
    const uint64_t length = end == bytes.npos || end < 8 ? 0 : end - 7;
    std::memcpy(bytes.data(), &length, 8);
  } else if (format == "npy" && bytes.size() >= 10) {
    const size_t end = bytes.find('\n');
    const auto length = static_cast<uint16_t>(end == bytes.npos || end < 10 ? 0 : end - 9);
    std::memcpy(bytes.data() + 8, &length, 2);
  }
}

TEST_P(DamagedFile, ThousandsOfSeededMutations) {
  const MemoryLimit limit;
  const Rng root = Rng(20).fork(GetParam());
  int loaded = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    Rng rng = root.fork(i);
    std::string bytes = format_.files[rng.below(format_.files.size())];
    for (uint64_t n = 1 + rng.below(4); n > 0; --n) bytes = mutated(bytes, format_, rng);
    if (rng.below(2) == 0) mend_length(bytes, GetParam());
    loaded += survives(bytes);
    if (HasFailure()) FAIL() << "mutation " << i;
  }
  EXPECT_GT(loaded, 100) << "the mutations are so wild that none gets past the first check";
}

INSTANTIATE_TEST_SUITE_P(Files, DamagedFile, ::testing::Values("safetensors", "npy"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace heed
