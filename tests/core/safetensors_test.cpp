// Named tensors to and from a file: exact numbers, foreign files, and what is refused.
#include "core/safetensors.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/file_bytes.h"
#include "tests/core/file_checks.h"

namespace heed {
namespace {

using Safetensors = ScratchFolder;

// A file from its header text and its data.
std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

void expect_refused(const std::string& bytes, const std::string& part) {
  expect_file_error([&] { parse_safetensors(bytes, "m.safetensors"); }, "m.safetensors", part);
}

// The header of one tensor "w".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(SafetensorsFixture, AForeignFileIsReadNumberForNumber) {
  Metadata metadata;
  const auto tensors = load_safetensors(fixture("mixed.safetensors"), &metadata);
  EXPECT_EQ(metadata, (Metadata{{"format", "pt"}, {"note", "a \"quoted\"\nline"}}));
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].first, "weight");
  EXPECT_EQ(tensors[0].second.shape(), (Shape{1, 3}));
  EXPECT_EQ(raw_bytes(tensors[0].second), std::string("\0\0\xc0\x3f\0\0\0\x80\0\0\x40\x40", 12));
  EXPECT_EQ(tensors[1].first, "größe.→");
  EXPECT_EQ(tensors[1].second.dtype(), f64);
  EXPECT_EQ(tensors[1].second.to_vector(), (std::vector<double>{3.141592653589793, -1e300}));
  EXPECT_EQ(tensors[2].second.shape(), (Shape{0, 4}));
  EXPECT_EQ(tensors[3].first, "ids");
  EXPECT_EQ(tensors[3].second.shape(), Shape{});
  EXPECT_EQ(tensors[3].second.to_ids(), std::vector<int64_t>{9007199254740993});
}

TEST(SafetensorsFixture, AFileWithMetadataOnlyHasNoTensors) {
  Metadata metadata{{"old", "value"}};
  EXPECT_TRUE(load_safetensors(fixture("none.safetensors"), &metadata).empty());
  EXPECT_TRUE(metadata.empty());
}

TEST(SafetensorsFixture, HalfPrecisionIsRefusedByName) {
  const std::string path = fixture("half.safetensors");
  expect_file_error([&] { load_safetensors(path); }, path,
                    "tensor \"h\": expected dtype F32, F64 or I64, got \"F16\"");
}

TEST_F(Safetensors, RoundTripKeepsEveryBitOrderAndName) {
  const std::vector<NamedTensor> saved = {
      {"odd", odd_floats()},
      {"encoder.größe.→", Tensor::of({{1, 2}, {3, 4}}, f64)},
      {"a \"quoted\"\n\\name", Tensor::of({-1, 0, 1}, i64)},
      {"", Tensor::scalar(-0.0)},
      {"empty", Tensor::zeros({3, 0, 2}, f64)},
  };
  const Metadata metadata{{"config", "{\"layers\": 2}"}, {"größe", ""}};
  save_safetensors(path("m"), saved, metadata);
  Metadata read;
  const auto loaded = load_safetensors(path("m"), &read);
  EXPECT_EQ(read, metadata);
  ASSERT_EQ(loaded.size(), saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    EXPECT_EQ(loaded[i].first, saved[i].first);
    EXPECT_EQ(loaded[i].second.dtype(), saved[i].second.dtype());
    EXPECT_EQ(loaded[i].second.shape(), saved[i].second.shape());
    EXPECT_EQ(raw_bytes(loaded[i].second), raw_bytes(saved[i].second));
  }
  EXPECT_EQ(safetensors_bytes(loaded, read), read_file(path("m"))) << "not the same bytes again";
}

TEST_F(Safetensors, NoTensorsAndNoMetadataIsAFileToo) {
  save_safetensors(path("m"), {});
  EXPECT_TRUE(load_safetensors(path("m")).empty());
}

TEST(SafetensorsBytes, AStridedTensorIsWrittenDense) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  const NamedTensor columns[] = {{"x", x.view({2, 2}, {3, 1}, 1)}};
  const auto loaded = parse_safetensors(safetensors_bytes(columns), "m");
  EXPECT_EQ(loaded[0].second.to_vector(), (std::vector<double>{2, 3, 5, 6}));
}

// What other readers rely on: every tensor is aligned to its numbers, whatever the order.
TEST(SafetensorsBytes, TheHeaderIsPaddedAndEveryTensorIsAligned) {
  const NamedTensor tensors[] = {
      {"a", Tensor::zeros({1})}, {"b", Tensor::zeros({1}, f64)}, {"c", Tensor::zeros({1}, i64)}};
  const std::string bytes = safetensors_bytes(tensors);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  ASSERT_EQ(header.size(), 3u);
  EXPECT_EQ(header["a"].dump(), R"({"data_offsets":[16,20],"dtype":"F32","shape":[1]})");
  EXPECT_EQ(header["b"].dump(), R"({"data_offsets":[0,8],"dtype":"F64","shape":[1]})");
  EXPECT_EQ(header["c"].dump(), R"({"data_offsets":[8,16],"dtype":"I64","shape":[1]})");
  EXPECT_EQ(bytes.size(), 8 + length + 20);
}

TEST(SafetensorsBytes, WhatCannotBeSavedIsTheCallersError) {
  const Tensor x = Tensor::scalar(1);
  const auto refused = [](const std::vector<NamedTensor>& tensors, const Metadata& metadata,
                          const std::string& part) {
    try {
      safetensors_bytes(tensors, metadata);
      ADD_FAILURE() << "accepted: " << part;
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  refused({{"w", x}, {"w", x}}, {}, "each name once and none __metadata__, got \"w\"");
  refused({{"__metadata__", x}}, {}, "got \"__metadata__\"");
  refused({{"w", Tensor()}}, {}, "expected a tensor as \"w\"");
  refused({{"\xff", x}}, {}, "expected text in UTF-8, got \"\\xff\"");
  refused({}, {{"key", "\xc3"}}, "expected text in UTF-8");
}

TEST(SafetensorsHeader, LengthIsCheckedAgainstTheFileBeforeAnythingElse) {
  expect_refused("", "at least 8 bytes, got 0");
  expect_refused(std::string(7, '\0'), "at least 8 bytes, got 7");
  expect_refused(std::string(8, '\0'), "begin with '{'");
  expect_refused(std::string("\x03\0\0\0\0\0\0\0{}", 10), "a header of 3 bytes, got a file with 2");
  expect_refused(std::string(8, '\xff') + "{}",
                 "at most 100000000 bytes, got 18446744073709551615");
  expect_refused(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10), "at most 100000000 bytes");
  expect_refused(std::string("\0\xe1\xf5\x05\0\0\0\0{}", 10), "a header of 100000000 bytes");
}

TEST(SafetensorsHeader, MustBeJsonOfTheFormat) {
  expect_refused(file_of("{"), "expected JSON");
  expect_refused(file_of("{}x"), "expected JSON in UTF-8, got what is not at byte 10");
  expect_refused(file_of("\xef\xbb\xbf{}"), "begin with '{'");
  expect_refused(file_of(" {}"), "begin with '{'");
  expect_refused(file_of(std::string("{}\0", 3)), "a zero at byte 10");
  expect_refused(file_of("{\"\xff\":1}"), "expected JSON in UTF-8");
  expect_refused(file_of("[]"), "begin with '{'");
  expect_refused(file_of(R"({"w":1})"), "\"w\": expected an object as value, got 1");
  expect_refused(file_of(R"({"w":{}})"), "tensor \"w\": expected dtype, shape and data_offsets");
  expect_refused(file_of(R"({"w":{"dtype":"F32","shape":[]}})"), "got no data_offsets");
  expect_refused(file_of(R"({"w":{"dtype":"F32","data_offsets":[0,0]}})"), "got no shape");
  expect_refused(file_of(R"({"w":{"more":1}})"), "got \"more\"");
  expect_refused(file_of(R"({"w":{"dtype":1}})"), "a string as dtype, got 1");
  expect_refused(file_of(R"({"w":{"dtype":{}}})"), "a string as dtype, got an object");
  expect_refused(file_of(R"({"w":{"shape":4}})"), "a list of sizes >= 0 as shape, got 4");
  expect_refused(file_of(R"({"w":{"shape":"4"}})"), "got the string \"4\"");
  expect_refused(file_of(R"({"w":{"shape":[[4]]}})"), "got a list");
  expect_refused(file_of(R"({"w":{"shape":[{}]}})"), "got an object");
  expect_refused(file_of(R"({"w":{"shape":[null]}})"), "got null");
  expect_refused(file_of(R"({"w":{"shape":[true]}})"), "got true or false");
  expect_refused(file_of(R"({"__metadata__":{"a":1}})"),
                 "__metadata__: expected a string as value");
  expect_refused(file_of(R"({"__metadata__":{"a":{}}})"), "got an object");
  expect_refused(file_of(R"({"__metadata__":[]})"), "got a list");
}

TEST(SafetensorsHeader, ANameGivenTwiceIsRefused) {
  const std::string w = R"("w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  expect_refused(file_of("{" + w + "," + w + "}"), "expected each name once, got \"w\" twice");
  expect_refused(file_of(R"({"__metadata__":{},"__metadata__":{}})"), "\"__metadata__\" twice");
  expect_refused(file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "got \"a\" twice");
  expect_refused(file_of(R"({"w":{"dtype":"F32","dtype":"F64"}})"), "dtype once, got it twice");
  expect_refused(file_of(R"({"w":{"shape":[],"shape":[]}})"), "shape once");
  expect_refused(file_of(R"({"w":{"data_offsets":[0,4],"data_offsets":[0,4]}})"),
                 "data_offsets once");
}

TEST(SafetensorsHeader, DeepNestingEndsAtItsFirstBracket) {
  const std::string deep(5'000'000, '[');
  expect_refused(file_of("{\"w\":" + deep), "\"w\": expected an object as value, got a list");
  expect_refused(file_of(R"({"w":{"shape":)" + deep), "got a list");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"\":";
  expect_refused(file_of(objects), "expected only dtype, shape and data_offsets, got \"\"");
}

TEST(SafetensorsSizes, MustBeWholeAndSmallEnough) {
  const std::string data(8, '\0');
  expect_refused(file_of(one("F32", "[-2]", "[0,8]"), data), "got -2");
  expect_refused(file_of(one("F32", "[2.0]", "[0,8]"), data), "got \"2.0\"");
  expect_refused(file_of(one("F32", "[1e400]", "[0,8]"), data), "expected JSON");
  expect_refused(file_of(one("F32", "[18446744073709551615]", "[0,8]"), data),
                 "got 18446744073709551615");
  expect_refused(file_of(one("F32", "[9223372036854775807]", "[0,8]"), data),
                 "at most 2147483647 elements");
  expect_refused(file_of(one("F64", "[2147483647]", "[0,8]"), data),
                 "expected 17179869176 bytes for F64");
  expect_refused(file_of(one("F32", "[65536,65536]", "[0,8]"), data),
                 "at most 2147483647 elements");
  expect_refused(file_of(one("F32", "[4294967296,4294967296]", "[0,0]")), "at most 2147483647");
  expect_refused(file_of(one("F32", "[1,1,1,1,1,2]", "[0,8]"), data), "expected at most 5 axes");
  expect_refused(file_of(one("F32", "[0,2147483647,2147483647,2147483647]", "[0,0]")),
                 "at most 2147483647 elements");
}

TEST(SafetensorsOffsets, MustFitTheShapeAndTheFile) {
  const std::string data(8, '\0');
  expect_refused(file_of(one("F32", "[2]", "[0]"), data), "expected two data_offsets, got 1");
  expect_refused(file_of(one("F32", "[2]", "[0,4,8]"), data), "at most 2 data_offsets");
  expect_refused(file_of(one("F32", "[2]", "[8,0]"), data), "data_offsets in order, got [8, 0]");
  expect_refused(file_of(one("F32", "[1]", "[0,8]"), data),
                 "expected 4 bytes for F32 [1], got data_offsets [0, 8]");
  expect_refused(file_of(one("F32", "[3]", "[0,12]"), data),
                 "up to byte 12, got a file with 8 bytes");
  expect_refused(file_of(one("F32", "[2]", "[9223372036854775799,9223372036854775807]"), data),
                 "up to byte 9223372036854775807");
}

TEST(SafetensorsOffsets, MustCoverTheDataOnce) {
  const auto two = [](const char* a, const char* b) {
    return std::string(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)") + a +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + b + "}}";
  };
  const std::string data =
      std::string("\0\0\x80\x3f\0\0\0\x40", 8) + std::string("\0\0\x40\x40", 4);
  EXPECT_EQ(parse_safetensors(file_of(two("[0,8]", "[8,12]"), data), "m")[1].second.item(), 3);
  EXPECT_EQ(parse_safetensors(file_of(two("[4,12]", "[0,4]"), data), "m")[1].second.item(), 1);
  expect_refused(file_of(two("[0,8]", "[4,8]"), data),
                 "begin at byte 8, where the one before it ends, got 4");
  expect_refused(file_of(two("[0,8]", "[12,16]"), data + "    "), "begin at byte 8");
  expect_refused(file_of(two("[4,12]", "[12,16]"), data + "    "), "begin at byte 0");
  expect_refused(file_of(two("[0,8]", "[8,12]"), data + "x"),
                 "expected 12 bytes of data, as the header says, got 13");
  expect_refused(file_of("{}", "x"), "expected 0 bytes of data");
}

}  // namespace
}  // namespace heed
