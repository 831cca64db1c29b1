// Whole files: errors that name the file, and writing that leaves the old file or the new one.
#include "core/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/core/file_checks.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

using FileBytes = ScratchFolder;

// No file of this process grows beyond `bytes` while this lives: a full disk, for a test.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(FileBytes, RoundTripIsExactForEveryByteAndForNothing) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const std::string& bytes : {all, std::string()}) {
    write_file(path("x"), bytes);
    EXPECT_EQ(read_file(path("x")), bytes);
  }
  EXPECT_EQ(files(), 1) << "a temporary file was left behind";
}

TEST_F(FileBytes, ReadingNamesTheFileAndWhatIsWrong) {
  expect_file_error([&] { read_file(path("none")); }, path("none"), "No such file");
  expect_file_error([&] { read_file(folder()); }, folder(), "expected a file, got a folder");
  expect_file_error([] { read_file("/dev/zero"); }, "/dev/zero", "expected a file, got a device");
}

TEST_F(FileBytes, ReadingStopsAtTheLimit) {
  write_file(path("x"), "12345");
  EXPECT_EQ(read_file(path("x"), 5), "12345");
  expect_file_error([&] { read_file(path("x"), 4); }, path("x"), "at most 4 bytes");
}

TEST_F(FileBytes, APipeIsReadToItsEndOrToTheLimit) {
  const std::string pipe = path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto send = [&](std::string text) {
    return std::jthread([&pipe, text] { std::ofstream(pipe) << text; });
  };
  const std::string long_text(200'000, 'x');
  {
    const auto writer = send(long_text);
    EXPECT_EQ(read_file(pipe), long_text);
  }
  const auto writer = send("0123456789");
  expect_file_error([&] { read_file(pipe, 9); }, pipe, "at most 9 bytes");
}

TEST_F(FileBytes, AFailedWriteLeavesTheOldFileAndNothingElse) {
  expect_file_error([&] { write_file(path("no/such/x"), "a"); }, path("no/such/x"), "No such file");
  fs::create_directory(path("d"));
  expect_file_error([&] { write_file(path("d"), "a"); }, path("d"), "got a folder");
  EXPECT_EQ(files(), 1);
}

TEST_F(FileBytes, AFullDiskIsAnErrorAndLeavesTheOldFile) {
  write_file(path("x"), "old");
  const FileSizeLimit limit(1000);
  expect_file_error([&] { write_file(path("x"), std::string(5000, 'n')); }, path("x"),
                    "File too large");
  EXPECT_EQ(read_file(path("x")), "old");
  EXPECT_EQ(files(), 1) << "a temporary file was left behind";
}

TEST_F(FileBytes, WritingKeepsPermissionsAndLinks) {
  write_file(path("target"), "old");
  fs::permissions(path("target"), fs::perms(0640));
  fs::create_symlink(path("target"), path("link"));
  write_file(path("link"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("target")), "new");
  EXPECT_EQ(fs::status(path("target")).permissions(), fs::perms(0640));
}

// A pipe stands for every special file. Not /dev/null: were this broken, root would lose it.
TEST_F(FileBytes, ASpecialFileIsWrittenAndNotReplaced) {
  const std::string pipe = path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> both(std::fopen(pipe.c_str(), "r+"),
                                                                &std::fclose);
  write_file(pipe, "sent");
  ASSERT_TRUE(std::filesystem::is_fifo(pipe)) << "replaced by a file";
  char got[4] = {};
  EXPECT_EQ(std::fread(got, 1, 4, both.get()), 4u);
  EXPECT_EQ(std::string(got, 4), "sent");
  EXPECT_EQ(files(), 1u);
}

TEST(QuoteBytes, IsOneShortPrintableLine) {
  EXPECT_EQ(quote_bytes("weight"), "\"weight\"");
  EXPECT_EQ(quote_bytes(std::string_view("a\n\0\xff", 4)), "\"a\\x0a\\x00\\xff\"");
  EXPECT_EQ(quote_bytes(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace heed
