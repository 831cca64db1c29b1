#include "core/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/file_bytes.h"

namespace heed {
namespace {

using nlohmann::json;

constexpr uint64_t kMostHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";

std::string_view file_name(DType d) {
  return d == f32 ? "F32" : d == f64 ? "F64" : "I64";
}

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> sizes;
  std::optional<std::vector<int64_t>> range;  // begin, end: bytes of the data section

  int64_t begin() const { return (*range)[0]; }
  int64_t end() const { return (*range)[1]; }
};

// Reads the header as a stream of JSON events: a duplicate name is seen (a JSON object would keep
// the last), and nesting deeper than the format's ends at its first bracket.
class HeaderReader : public json::json_sax_t {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  std::vector<Entry> entries;
  Metadata metadata;

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("true or false"); }
  bool number_integer(int64_t value) override { refuse(fmt::format("{}", value)); }  // negative
  bool number_float(double, const std::string& text) override { refuse(quote_bytes(text)); }
  bool binary(json::binary_t&) override { refuse("binary"); }

  bool number_unsigned(uint64_t value) override {
    if (!list_ || value > INT64_MAX) refuse(fmt::format("{}", value));
    const size_t most = at_ == At::shape ? kMaxRank : 2;
    if (list_->size() == most)
      fail("expected at most {} {}, got more", most, at_ == At::shape ? "axes" : "data_offsets");
    list_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string& text) override {
    if (at_ == At::metadata_value) {
      metadata[key_] = std::move(text);
      at_ = At::metadata;
    } else if (at_ == At::dtype) {
      entries.back().dtype = dtype_named(text);
      at_ = At::tensor;
    } else {
      refuse("the string " + quote_bytes(text));
    }
    return true;
  }

  bool start_object(size_t) override {
    if (at_ == At::file)
      at_ = At::header;
    else if (at_ == At::header_value)
      at_ = key_ == kMetadata ? At::metadata : At::tensor;
    else
      refuse("an object");
    if (at_ == At::tensor) entries.push_back({key_, {}, {}, {}});
    return true;
  }

  bool end_object() override {
    if (at_ == At::tensor) {
      const Entry& e = entries.back();
      if (!e.dtype || !e.sizes || !e.range)
        fail("expected dtype, shape and data_offsets, got no {}", !e.dtype   ? "dtype"
                                                                  : !e.sizes ? "shape"
                                                                             : "data_offsets");
    }
    at_ = At::header;
    return true;
  }

  bool key(std::string& name) override {
    if (at_ == At::header) {
      if (!names_.insert(name).second)
        fail_file(path_, "header: expected each name once, got {} twice", quote_bytes(name));
      at_ = At::header_value;
    } else if (at_ == At::metadata) {
      if (metadata.count(name)) fail("expected each key once, got {} twice", quote_bytes(name));
      at_ = At::metadata_value;
    } else {
      at_ = field_named(name);
    }
    key_ = std::move(name);
    return true;
  }

  bool start_array(size_t) override {
    if (list_ || !(at_ == At::shape || at_ == At::range)) refuse("a list");
    list_ = &(at_ == At::shape ? entries.back().sizes : entries.back().range).emplace();
    return true;
  }

  bool end_array() override {
    if (at_ == At::range && list_->size() != 2)
      fail("expected two data_offsets, got {}", list_->size());
    list_ = nullptr;
    at_ = At::tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    fail_file(path_, "header: expected JSON in UTF-8, got what is not at byte {}", 7 + position);
  }

 private:
  enum class At {
    file,
    header,
    header_value,
    metadata,
    metadata_value,
    tensor,
    dtype,
    shape,
    range
  };

  std::string place() const {
    if (at_ == At::metadata || at_ == At::metadata_value) return kMetadata;
    if (at_ == At::header_value) return quote_bytes(key_);
    return at_ < At::tensor ? "header" : "tensor " + quote_bytes(entries.back().name);
  }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    fail_file(path_, "{}: {}", place(), fmt::format(text, std::forward<Args>(args)...));
  }

  [[noreturn]] void refuse(const std::string& got) const {
    // in the order of At
    constexpr const char* kWanted[] = {"an object of tensors",
                                       "a name",
                                       "an object as value",
                                       "a key",
                                       "a string as value",
                                       "dtype, shape or data_offsets",
                                       "a string as dtype",
                                       "a list of sizes >= 0 as shape",
                                       "a list of two sizes as data_offsets"};
    fail("expected {}, got {}", kWanted[static_cast<size_t>(at_)], got);
  }

  At field_named(const std::string& name) {
    const Entry& e = entries.back();
    const auto once = [&](bool seen) {
      if (seen) fail("expected {} once, got it twice", name);
    };
    if (name == "dtype") return once(e.dtype.has_value()), At::dtype;
    if (name == "shape") return once(e.sizes.has_value()), At::shape;
    if (name == "data_offsets") return once(e.range.has_value()), At::range;
    fail("expected only dtype, shape and data_offsets, got {}", quote_bytes(name));
  }

  DType dtype_named(const std::string& name) const {
    for (const DType d : {f32, f64, i64})
      if (name == file_name(d)) return d;
    fail("expected dtype F32, F64 or I64, got {}; convert it before it is saved",
         quote_bytes(name));
  }

  const std::string& path_;
  std::set<std::string> names_;
  std::string key_;
  At at_ = At::file;
  std::vector<int64_t>* list_ = nullptr;  // the list that is open
};

// The shape, once it is known that the tensor fits its bytes and its bytes fit the file.
Shape checked_shape(const Entry& e, uint64_t data_bytes, const std::string& path) {
  const std::string place = "tensor " + quote_bytes(e.name);
  if (e.begin() > e.end())
    fail_file(path, "{}: expected data_offsets in order, got [{}, {}]", place, e.begin(), e.end());
  if (static_cast<uint64_t>(e.end()) > data_bytes)
    fail_file(path, "{}: expected data up to byte {}, got a file with {} bytes of data", place,
              e.end(), data_bytes);
  const Shape shape = shape_in_file(path, place, *e.sizes);
  const auto bytes = static_cast<int64_t>(static_cast<size_t>(shape.numel()) * size_of(*e.dtype));
  if (e.end() - e.begin() != bytes)
    fail_file(path, "{}: expected {} bytes for {} {}, got data_offsets [{}, {}]", place, bytes,
              file_name(*e.dtype), to_text(shape), e.begin(), e.end());
  return shape;
}

// The format demands that the tensors fill the data section: no byte twice, none unused.
void check_coverage(const std::vector<Entry>& entries, uint64_t data_bytes,
                    const std::string& path) {
  std::vector<const Entry*> order;
  for (const Entry& e : entries) order.push_back(&e);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return *a->range < *b->range; });
  int64_t end = 0;
  for (const Entry* e : order) {
    if (e->begin() != end)
      fail_file(path,
                "tensor {}: expected its data to begin at byte {}, where the one before it"
                " ends, got {}",
                quote_bytes(e->name), end, e->begin());
    end = e->end();
  }
  if (static_cast<uint64_t>(end) != data_bytes)
    fail_file(path, "expected {} bytes of data, as the header says, got {}", end, data_bytes);
}

std::string_view header_of(std::string_view bytes, const std::string& path) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    fail_file(path, "expected a safetensors file of at least 8 bytes, got {}", bytes.size());
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMostHeader)
    fail_file(path, "expected a safetensors header of at most {} bytes, got {}", kMostHeader,
              length);
  if (length > bytes.size() - sizeof length)
    fail_file(path, "expected a header of {} bytes, got a file with {} bytes after its length",
              length, bytes.size() - sizeof length);
  const std::string_view header = bytes.substr(sizeof length, length);
  // The parser would skip a byte order mark and take a zero byte for the end.
  if (!header.starts_with('{'))
    fail_file(path, "header: expected it to begin with '{{', got {}",
              quote_bytes(header.substr(0, 8)));
  if (const size_t zero = header.find('\0'); zero != header.npos)
    fail_file(path, "header: expected JSON in UTF-8, got a zero at byte {}", 8 + zero);
  return header;
}

std::string json_text(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    detail::throw_argument("save_safetensors: expected text in UTF-8, got " + quote_bytes(text));
  }
}

}  // namespace

std::vector<NamedTensor> parse_safetensors(std::string_view bytes, const std::string& path,
                                           Metadata* metadata) {
  const std::string_view text = header_of(bytes, path);
  HeaderReader header(path);
  json::sax_parse(text, &header);
  const std::string_view data = bytes.substr(sizeof(uint64_t) + text.size());
  std::vector<Shape> shapes;
  for (const Entry& e : header.entries) shapes.push_back(checked_shape(e, data.size(), path));
  check_coverage(header.entries, data.size(), path);

  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < shapes.size(); ++i) {
    Entry& e = header.entries[i];
    const auto begin = static_cast<size_t>(e.begin()), size = static_cast<size_t>(e.end()) - begin;
    tensors.emplace_back(std::move(e.name),
                         tensor_of_bytes(data.substr(begin, size), shapes[i], *e.dtype));
  }
  if (metadata) *metadata = std::move(header.metadata);
  return tensors;
}

std::string safetensors_bytes(std::span<const NamedTensor> tensors, const Metadata& metadata) {
  std::set<std::string_view> names{kMetadata};
  for (const auto& [name, tensor] : tensors) {
    require_defined("save_safetensors", quote_bytes(name), tensor);
    require(names.insert(name).second,
            "save_safetensors: expected each name once and none {}, got {}", kMetadata,
            quote_bytes(name));
  }
  // Eight-byte numbers come first in the data, so that every tensor is aligned to its numbers: some
  // readers map the file and do not copy. The header keeps the given order.
  std::vector<uint64_t> begin(tensors.size());
  std::string data;
  for (const size_t width : {size_t{8}, size_t{4}}) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor& x = tensors[i].second;
      if (size_of(x.dtype()) != width) continue;
      begin[i] = data.size();
      append_bytes(data, x);
    }
  }
  std::string header = "{";
  if (!metadata.empty()) {
    header += fmt::format("\"{}\":{{", kMetadata);
    for (const auto& [key, value] : metadata)
      header += fmt::format("{}:{},", json_text(key), json_text(value));
    header.back() = '}';
    header += ',';
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, x] = tensors[i];
    header += fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}},)",
                          json_text(name), file_name(x.dtype()), to_text(x.shape()), begin[i],
                          begin[i] + static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  }
  if (header.size() > 1) header.pop_back();  // the last comma
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  require(length <= kMostHeader,
          "save_safetensors: expected names and metadata of at most {} bytes, got {}", kMostHeader,
          length);
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

std::vector<NamedTensor> load_safetensors(const std::string& path, Metadata* metadata) {
  return parse_safetensors(read_file(path), path, metadata);
}

void save_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                      const Metadata& metadata) {
  write_file(path, safetensors_bytes(tensors, metadata));
}

}  // namespace heed
