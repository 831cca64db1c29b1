// The choice of BLAS's kernels, begun again from what OpenBLAS takes for a CPU that it does not
// know.
#include "core/detail/blas_core.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/blas.h"

extern "C" {
void gotoblas_dynamic_quit(void) __attribute__((weak));
void gotoblas_dynamic_init(void) __attribute__((weak));
}

namespace heed {
namespace {

constexpr const char* kSetting = "OPENBLAS_CORETYPE";

// The setting, and the core in use, are afterwards what they were.
class BlasCore : public testing::Test {
 protected:
  void SetUp() override {
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init)
      GTEST_SKIP() << "this BLAS has kernels for one CPU only";
    if (const char* set = std::getenv(kSetting)) setting_ = set;
  }
  void TearDown() override {
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init) return;
    begin(setting_.empty() ? nullptr : setting_.c_str());
    choose_blas_core();
  }
  static void begin(const char* core) {
    gotoblas_dynamic_quit();
    if (core)
      setenv(kSetting, core, 1);
    else
      unsetenv(kSetting);
    gotoblas_dynamic_init();
  }

 private:
  std::string setting_;
};

#if defined(__x86_64__)
std::string widest() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : "Prescott";
}

TEST_F(BlasCore, AnUnknownCpuGetsTheCoreOfItsWidestVectors) {
  begin("Prescott");
  ASSERT_EQ(blas_core(), "Prescott");
  unsetenv(kSetting);
  choose_blas_core();
  EXPECT_EQ(blas_core(), widest());
  EXPECT_EQ(std::getenv(kSetting), nullptr);
}

TEST_F(BlasCore, ACoreOfHalfTheWidthIsLeft) {
  if (widest() != "SkylakeX") GTEST_SKIP() << "this CPU has no AVX-512";
  for (const char* half : {"Haswell", "Zen"}) {
    begin(half);
    ASSERT_EQ(blas_core(), half);
    unsetenv(kSetting);
    choose_blas_core();
    EXPECT_EQ(blas_core(), "SkylakeX");
  }
}

TEST_F(BlasCore, TheUsersSettingWins) {
  for (const char* core : {"Prescott", "Nehalem"}) {
    begin(core);
    choose_blas_core();
    EXPECT_EQ(blas_core(), core);
    EXPECT_STREQ(std::getenv(kSetting), core);
  }
}
#endif

}  // namespace
}  // namespace heed
