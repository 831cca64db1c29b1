// One tensor to and from .npy: NumPy's own files, exact numbers, and what is refused.
#include "core/npy.h"

#include <gtest/gtest.h>

#include "core/file_bytes.h"
#include "tests/core/file_checks.h"

namespace heed {
namespace {

using Npy = ScratchFolder;

const std::string kPrefix("\x93NUMPY\x01\0", 8);

// A version 1.0 file from its header text and its data.
std::string file_of(const std::string& header, const std::string& data = "") {
  return kPrefix + static_cast<char>(header.size() & 0xff) + static_cast<char>(header.size() >> 8) +
         header + data;
}

void expect_refused(const std::string& bytes, const std::string& part) {
  expect_file_error([&] { parse_npy(bytes, "x.npy"); }, "x.npy", part);
}

TEST(NpyFixture, NumbersOfNumpyAreReadExactly) {
  const Tensor x = load_npy(fixture("f32.npy"));
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(raw_bytes(x), std::string("\0\0\xc0\x3f\0\0\0\x80\0\0\x80\x7f"
                                      "\0\0\x10\xc0\x01\0\0\0\x9e\xc9\x7f\x7f",
                                      24));
  const Tensor scalar = load_npy(fixture("f64_scalar.npy"));
  EXPECT_EQ(scalar.shape(), Shape{});
  EXPECT_EQ(scalar.dtype(), f64);
  EXPECT_EQ(scalar.item(), 3.141592653589793);
  EXPECT_EQ(load_npy(fixture("i64.npy")).to_ids(),
            (std::vector<int64_t>{INT64_MIN, -1, 0, 9007199254740993, INT64_MAX}));
  EXPECT_EQ(load_npy(fixture("empty.npy")).shape(), (Shape{2, 0, 3}));
  EXPECT_EQ(load_npy(fixture("rank5.npy")).shape(), (Shape{1, 2, 1, 2, 1}));
  for (const char* name : {"version2.npy", "version3.npy"})
    EXPECT_EQ(load_npy(fixture(name)).to_ids(), (std::vector<int64_t>{0, 1, 2})) << name;
}

TEST(NpyFixture, OurFilesAreNumpysByteForByte) {
  for (const char* name : {"f32.npy", "f64_scalar.npy", "i64.npy", "empty.npy", "rank5.npy"})
    EXPECT_EQ(npy_bytes(load_npy(fixture(name))), read_file(fixture(name))) << name;
}

TEST(NpyFixture, WhatHeedCannotHoldIsRefusedWithTheRemedy) {
  const auto refused = [](const char* name, const char* part) {
    expect_file_error([&] { load_npy(fixture(name)); }, fixture(name), part);
  };
  refused("fortran.npy", "expected C order, got Fortran order; save numpy.ascontiguousarray(x)");
  refused("big_endian.npy", "expected dtype '<f4', '<f8' or '<i8', got \">f4\" (big-endian)");
  refused("half.npy", "got \"<f2\"; convert it");
  refused("record.npy", "expected one dtype ('<f4', '<f8' or '<i8'), got \"[('a', '<f4')]");
  refused("rank6.npy", "expected at most 5 axes, got more");
}

TEST_F(Npy, RoundTripKeepsEveryBit) {
  for (const Tensor& x : {odd_floats(), Tensor::of({{1, 2}, {3, 4}}, f64), Tensor::scalar(-0.0),
                          Tensor::of({-1, 0, 1}, i64), Tensor::zeros({0}), Tensor::zeros({2, 0})}) {
    save_npy(path("x.npy"), x);
    const Tensor y = load_npy(path("x.npy"));
    EXPECT_EQ(y.dtype(), x.dtype());
    EXPECT_EQ(y.shape(), x.shape());
    EXPECT_EQ(raw_bytes(y), raw_bytes(x)) << to_text(x);
    EXPECT_EQ((read_file(path("x.npy")).size() - raw_bytes(x).size()) % 64, 0u);
  }
}

TEST(NpyBytes, AStridedTensorIsWrittenDense) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}}).view({2, 2}, {3, 1}, 1);
  EXPECT_EQ(parse_npy(npy_bytes(x), "x").to_vector(), (std::vector<double>{2, 3, 5, 6}));
}

TEST(NpyBytes, AnEmptyHandleIsTheCallersError) {
  EXPECT_THROW(npy_bytes(Tensor()), std::invalid_argument);
}

TEST(NpyHeader, EveryLegalSpellingIsRead) {
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  for (const char* header : {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
                             "{\"shape\":(2,),\"descr\":\"<f4\",\"fortran_order\":False}",
                             "  {\t'fortran_order' :False , 'shape': ( 2 , ), 'descr': '<f4' } "})
    EXPECT_EQ(parse_npy(file_of(header, data), "x").to_vector(), (std::vector<double>{1, 2}));
  EXPECT_EQ(
      parse_npy(file_of("{'descr':'<f4','fortran_order':False,'shape':(1,2,)}", data), "x").shape(),
      (Shape{1, 2}));
}

TEST(NpyHeader, MagicVersionAndLengthAreChecked) {
  expect_refused("", "expected a .npy file");
  expect_refused("PK\x03\x04 an npz", "got \"PK\\x03\\x04 an \"");
  expect_refused(kPrefix, "a header length in bytes 8 to 9, got a file of 8 bytes");
  expect_refused(std::string("\x93NUMPY\x04\0\x02\0{}", 12), "version 1.0, 2.0 or 3.0, got 4.0");
  expect_refused(std::string("\x93NUMPY\x01\x01\x02\0{}", 12), "got 1.1");
  expect_refused(kPrefix + std::string("\x03\0{}", 4), "a header of 3 bytes, got a file with 2");
  expect_refused(std::string("\x93NUMPY\x02\0\xff\xff\xff\xff{}", 14),
                 "a header of 4294967295 bytes");
}

TEST(NpyHeader, MustBeTheThreeEntriesAndNothingElse) {
  const std::string data(8, '\0');
  const auto refused = [&](const std::string& header, const std::string& part) {
    expect_refused(file_of(header, data), part);
  };
  refused("", "expected '{', got its end");
  refused("{}", "got no descr");
  refused("{'descr': '<f4', 'shape': (2,)}", "got no fortran_order");
  refused("{'descr': '<f4', 'fortran_order': False}", "got no shape");
  refused("{'descr': '<f4', 'descr': '<f4'}", "once each, got \"descr\"");
  refused("{'more': 1}", "got \"more\"");
  refused("{'descr': '<f4'", "expected ',', got its end");
  refused("{'descr': '<f4", "expected a string");
  refused("{descr: 1}", "expected a string, got \"descr: 1}\"");
  refused("{'descr' '<f4'}", "expected ':'");
  refused("{'fortran_order': 0}", "expected True or False, got \"0}\"");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
          "expected its end, got \"x\"");
}

TEST(NpyHeader, SizesMustBeWholeAndFitTheFile) {
  const auto refused = [](const std::string& shape, const std::string& part) {
    expect_refused(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}",
                           std::string(8, '\0')),
                   part);
  };
  refused("2", "expected '(', got \"2}\"");
  refused("(2)", "expected ',' after the only size");
  refused("(2", "expected ','");
  refused("(1, 2", "expected ')', got \"}\"");
  refused("(,)", "expected a size");
  refused("(2.0,)", "expected ','");
  refused("(-2,)", "sizes >= 0, got [-2]");
  refused("(99999999999999999999,)", "expected a size, got");
  refused("(9223372036854775807,)", "at most 2147483647 elements");
  refused("(65536, 65536)", "at most 2147483647 elements");
  refused("(1,)", "expected 4 bytes of data for f32 [1], got 8");
  refused("(3,)", "expected 12 bytes of data for f32 [3], got 8");
  refused("(2147483647,)", "expected 8589934588 bytes of data");
}

}  // namespace
}  // namespace heed
