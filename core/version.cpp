#include "core/version.h"

#include <fmt/format.h>

#include <thread>

#include "core/blas.h"
#include "core/vector_math.h"

namespace heed {

// HEED_VERSION and HEED_BUILD come from CMakeLists.txt.
std::string version_text(std::string_view program) {
  const int threads = blas_threads();  // chooses the core type
  return fmt::format(
      "{} (heed {})\n"
      "compiler   {}\n"
      "BLAS       {}\n"
      "core type  {}, own kernels for {}\n"
      "threads    {} in BLAS, {} on this machine\n",
      program, HEED_VERSION, HEED_BUILD, blas_config(), blas_core(), vector_name(), threads,
      std::thread::hardware_concurrency());
}

}  // namespace heed
