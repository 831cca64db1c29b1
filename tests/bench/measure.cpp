#include "tests/bench/measure.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <new>
#include <thread>

#include "core/blas.h"
#include "core/error.h"
#include "core/vector_math.h"

namespace heed::bench {
namespace {

// The part of a file after this key, up to the end of its line.
std::string line_of(const char* path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) {
      const size_t at = line.find_first_not_of(" \t:", key.size());
      return at == std::string::npos ? "" : line.substr(at);
    }
  return "";
}

void write_all(int file, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file, text.data() + done, text.size() - done);
    if (n <= 0) return;  // the parent sees that there is no JSON
    done += static_cast<size_t>(n);
  }
}

std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t n; (n = ::read(file, part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<size_t>(n));
  return text;
}

int fail(const char* what, int code) {
  std::cerr << "bench: " << what << "\n";
  return code;
}

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double peak_resident_mb() {
  // Not getrusage's ru_maxrss, which begins with what the parent had.
  return std::atof(line_of("/proc/self/status", "VmHWM").c_str()) * 1024e-6;
}

double resident_mb() {
  return std::atof(line_of("/proc/self/status", "VmRSS").c_str()) * 1024e-6;
}

Json in_child(const std::function<Json()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe to a child process");
  std::fflush(stdout);  // or the child would write it too
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no child process could be started");
  if (child == 0) {
    close(ends[0]);
    int code = 0;
    try {
      write_all(ends[1], work().dump());
    } catch (...) {
      code = report_failure();
    }
    _exit(code);
  }
  close(ends[1]);
  const std::string text = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) throw ChildFailed{WEXITSTATUS(status)};
  Json result = Json::parse(text, nullptr, false);
  if (!WIFEXITED(status) || result.is_discarded())
    throw std::runtime_error("a child process ended without a result; is there too little memory?");
  return result;
}

int report_failure() {
  try {
    throw;
  } catch (const ChildFailed& e) {
    return e.code;
  } catch (const std::invalid_argument& e) {
    return fail(e.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; use smaller sizes", 1);
  } catch (const FileError& e) {
    return fail(e.what(), 3);
  } catch (const std::exception& e) {
    return fail(e.what(), 1);
  }
}

std::string machine_text() {
  const int blas = blas_threads();  // chooses the kernels, whose name comes next
  double load[1] = {-1};
  if (getloadavg(load, 1) != 1) load[0] = -1;
  const std::string model = line_of("/proc/cpuinfo", "model name");
  const char* set = std::getenv("OPENBLAS_CORETYPE");
  return fmt::format("{}, {} cores, load {:.1f}; BLAS core {}{} ({} thread), SIMD {}",
                     model.empty() ? "unknown CPU" : model, std::thread::hardware_concurrency(),
                     load[0], blas_core(), set ? ", as OPENBLAS_CORETYPE says" : "", blas,
                     vector_name());
}

std::string thousands(double value) {
  std::string text = fmt::format("{:.0f}", value);
  const size_t least = text.starts_with('-') ? 1 : 0;
  for (size_t at = text.size(); at > least + 3;) text.insert(at -= 3, ",");
  return text;
}

}  // namespace heed::bench
