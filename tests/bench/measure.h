// What every benchmark measures with: a clock, the middle of a few numbers, the memory of the
// process, calls of operator new, and measurements that need a process of their own.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace heed::bench {

using Json = nlohmann::ordered_json;

/// Seconds since it was made or last asked.
class Stopwatch {
 public:
  double lap() {
    const auto now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

/// The middle one, or the upper of the two in the middle; of at least one number.
double median(std::vector<double> values);

/// CPU seconds of all threads of this process so far.
double cpu_seconds();

/// Memory of this process in MB (10^6 bytes): the most there ever was, and now.
double peak_resident_mb();
double resident_mb();

/// Calls of operator new in this process so far, by all threads. Other requests for memory (malloc
/// inside BLAS) are not counted.
uint64_t allocations();

/// Calls `work` in a child process, which starts with little memory and its own choice of BLAS
/// kernels, and returns what it returned. No thread of heed's may run. Throws ChildFailed when the
/// child threw; it has told the user why.
Json in_child(const std::function<Json()>& work);
struct ChildFailed {
  int code;
};

/// Says what went wrong and returns the program's exit code for it: to be called in a catch block.
int report_failure();

/// "CPU model, 2 cores, load 0.4; BLAS SkylakeX, SIMD avx512": what figures depend on.
std::string machine_text();

/// "12,345"
std::string thousands(double value);

}  // namespace heed::bench
