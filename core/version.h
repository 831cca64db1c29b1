// What is running: heed, the compiler, BLAS. For `--version` and for reports of trouble.
#pragma once
#include <string>
#include <string_view>

namespace heed {

/// Several lines, the last one ended too: program and version, compiler, BLAS and its
/// configuration, the core type BLAS chose on this CPU, threads.
std::string version_text(std::string_view program);

}  // namespace heed
