#include "core/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/file_bytes.h"

namespace heed {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlign = 64;  // the data begins at a multiple of this

constexpr std::array<std::pair<DType, std::string_view>, 3> kDescr = {
    {{f32, "<f4"}, {f64, "<f8"}, {i64, "<i8"}}};

struct Header {
  DType dtype;
  Shape shape;
};

// Reads "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" and nothing more of Python.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& path) : rest_(text), path_(path) {}

  Header read() {
    std::optional<DType> dtype;
    std::optional<bool> fortran;
    std::optional<Shape> shape;
    expect('{');
    while (!take('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !dtype)
        dtype = descr();
      else if (key == "fortran_order" && !fortran)
        fortran = boolean();
      else if (key == "shape" && !shape)
        shape = tuple();
      else
        fail_file(path_, "header: expected descr, fortran_order and shape once each, got {}",
                  quote_bytes(key));
      if (take('}')) break;
      expect(',');
    }
    skip_space();
    if (!rest_.empty()) fail("its end");
    if (!dtype || !fortran || !shape)
      fail_file(path_, "header: expected descr, fortran_order and shape, got no {}",
                !dtype     ? "descr"
                : !fortran ? "fortran_order"
                           : "shape");
    if (*fortran)
      fail_file(path_, "expected C order, got Fortran order; save numpy.ascontiguousarray(x)");
    return {*dtype, *shape};
  }

 private:
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size()));
  }

  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(fmt::format("'{}'", c));
  }

  [[noreturn]] void fail(const std::string& wanted) const {
    fail_file(path_, "header: expected {}, got {}", wanted,
              rest_.empty() ? "its end" : quote_bytes(rest_));
  }

  std::string_view string() {
    skip_space();
    const size_t end = rest_.empty() ? rest_.npos : rest_.find(rest_[0], 1);
    if (!(rest_.starts_with('\'') || rest_.starts_with('"')) || end == rest_.npos) fail("a string");
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool boolean() {
    skip_space();
    for (const std::string_view word : {"False", "True"}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return word == "True";
    }
    fail("True or False");
  }

  DType descr() {
    skip_space();
    if (rest_.starts_with('[')) fail("one dtype ('<f4', '<f8' or '<i8')");
    const std::string_view text = string();
    for (const auto& [dtype, name] : kDescr)
      if (text == name) return dtype;
    fail_file(path_,
              "expected dtype '<f4', '<f8' or '<i8', got {}{}; convert it with x.astype before it "
              "is saved",
              quote_bytes(text), text.starts_with('>') ? " (big-endian)" : "");
  }

  Shape tuple() {
    std::array<int64_t, kMaxRank> sizes{};
    size_t rank = 0;
    expect('(');
    while (!take(')')) {
      if (rank == kMaxRank) fail_file(path_, "shape: expected at most {} axes, got more", kMaxRank);
      sizes[rank++] = size();
      if (take(',')) continue;
      if (rank == 1) fail("',' after the only size");  // (3) is a number in Python, (3,) a tuple
      expect(')');
      break;
    }
    return shape_in_file(path_, "header", std::span(sizes.data(), rank));
  }

  int64_t size() {
    skip_space();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) fail("a size");
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  std::string_view rest_;
  const std::string& path_;
};

// The bytes before the header's text: magic, version, and a length of two bytes (version 1) or
// four.
size_t prefix_bytes(std::string_view bytes, const std::string& path) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + 2)
    fail_file(path, "expected a .npy file, which begins with \\x93NUMPY and its version, got {}",
              quote_bytes(bytes.substr(0, kMagic.size() + 2)));
  const auto major = static_cast<unsigned char>(bytes[6]),
             minor = static_cast<unsigned char>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0)
    fail_file(path, "expected .npy version 1.0, 2.0 or 3.0, got {}.{}", major, minor);
  return kMagic.size() + 2 + (major == 1 ? 2 : 4);
}

}  // namespace

Tensor parse_npy(std::string_view bytes, const std::string& path) {
  const size_t prefix = prefix_bytes(bytes, path);
  if (bytes.size() < prefix)
    fail_file(path, "expected a header length in bytes 8 to {}, got a file of {} bytes", prefix - 1,
              bytes.size());
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + kMagic.size() + 2, prefix - kMagic.size() - 2);
  if (length > bytes.size() - prefix)
    fail_file(path, "expected a header of {} bytes, got a file with {} bytes after its length",
              length, bytes.size() - prefix);
  const Header header = HeaderReader(bytes.substr(prefix, length), path).read();
  const std::string_view data = bytes.substr(prefix + length);
  const size_t expected = static_cast<size_t>(header.shape.numel()) * size_of(header.dtype);
  if (data.size() != expected)
    fail_file(path, "expected {} bytes of data for {} {}, got {}", expected, name_of(header.dtype),
              to_text(header.shape), data.size());
  return tensor_of_bytes(data, header.shape, header.dtype);
}

std::string npy_bytes(const Tensor& x) {
  require_defined("save_npy", "the tensor", x);
  std::string_view descr;
  for (const auto& [dtype, name] : kDescr)
    if (dtype == x.dtype()) descr = name;
  std::string sizes;
  for (const int64_t n : x.shape().sizes()) sizes += fmt::format("{}, ", n);
  // (3,) with one axis, (2, 3) with more
  if (!sizes.empty()) sizes.resize(sizes.size() - (x.rank() == 1 ? 1 : 2));
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
  const size_t prefix = kMagic.size() + 4;
  const size_t begin = (prefix + header.size() + 1 + kAlign - 1) / kAlign * kAlign;
  header.resize(begin - prefix - 1, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());  // five sizes at most: far below 2^16

  std::string bytes(kMagic);
  bytes += {1, 0, static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  bytes += header;
  append_bytes(bytes, x);
  return bytes;
}

Tensor load_npy(const std::string& path) {
  return parse_npy(read_file(path), path);
}

void save_npy(const std::string& path, const Tensor& x) {
  write_file(path, npy_bytes(x));
}

}  // namespace heed
