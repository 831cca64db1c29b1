#include "core/detail/blas_core.h"

#include <cblas.h>

#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#if defined(OPENBLAS_CONST) && defined(__x86_64__)
#define HEED_CAN_SWITCH 1
#endif

#ifdef HEED_CAN_SWITCH
// Exported by OpenBLAS builds that carry kernels for several CPUs; null where they are not.
extern "C" {
void gotoblas_dynamic_quit(void) __attribute__((weak));
void gotoblas_dynamic_init(void) __attribute__((weak));
}
#endif

namespace heed {

int lanes_of_blas_core(std::string_view core) {
  if (core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids") return 16;
  if (core == "Haswell" || core == "Zen" || core == "Sandybridge") return 8;
  if (core == "Prescott") return 4;  // SSE3; what OpenBLAS takes for a CPU that it does not know
  return 0;
}

#ifdef HEED_CAN_SWITCH
namespace {

constexpr const char* kSetting = "OPENBLAS_CORETYPE";

bool cpu_has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd");
}

// The widest core that this CPU can run, if it is wider than the one that was chosen; else null.
const char* wider_core(int chosen_lanes) {
  if (chosen_lanes == 0) return nullptr;
  if (chosen_lanes < 16 && cpu_has_avx512()) return "SkylakeX";
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return chosen_lanes < 8 && avx2 ? "Haswell" : nullptr;
}

// Sizes on both sides of the kernels' blocks, every transposition.
template <class T, class Gemm>
bool right(Gemm gemm) {
  constexpr int m = 37, n = 51, k = 67;
  std::vector<T> a(m * k), b(k * n);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(static_cast<int>(i * 7 % 13) - 6);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(static_cast<int>(i * 5 % 11) - 5);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      std::vector<T> c(m * n, T(1));
      gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k,
           T(1), a.data(), ta ? m : k, b.data(), tb ? k : n, T(1), c.data(), n);
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          T sum = 1;  // small whole numbers: exact in any order
          for (int l = 0; l < k; ++l)
            sum += a[static_cast<size_t>(ta ? l * m + i : i * k + l)] *
                   b[static_cast<size_t>(tb ? j * k + l : l * n + j)];
          if (!(c[static_cast<size_t>(i * n + j)] == sum)) return false;
        }
    }
  return true;
}

bool products_are_right() {
  return right<float>([](auto... x) { cblas_sgemm(x...); }) &&
         right<double>([](auto... x) { cblas_dgemm(x...); });
}

void choose_again(const char* core) {
  gotoblas_dynamic_quit();
  if (core) setenv(kSetting, core, 1);
  gotoblas_dynamic_init();
  if (core) unsetenv(kSetting);
}

}  // namespace

void choose_blas_core() {
  if (std::getenv(kSetting) || !gotoblas_dynamic_quit || !gotoblas_dynamic_init) return;
  const char* wider = wider_core(lanes_of_blas_core(openblas_get_corename()));
  if (!wider) return;
  choose_again(wider);
  if (std::string_view(openblas_get_corename()) != wider || !products_are_right())
    choose_again(nullptr);
}
#else
void choose_blas_core() {}
#endif

}  // namespace heed
