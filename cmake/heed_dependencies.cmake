# What heed needs from the system, checked before anything is compiled. Prints one line for every
# dependency and optional feature: on or off, and why.

# heed_find(package debian why): find_package whose failure names the Debian package.
macro(heed_find package debian why)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "heed needs ${package} (${why}) and did not find it. "
                        "On Debian and Ubuntu: sudo apt-get install ${debian}")
  endif()
  message(STATUS "${package}: on, ${${package}_VERSION} (${why})")
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
heed_find(fmt libfmt-dev "formatting; public headers use it")
heed_find(nlohmann_json nlohmann-json3-dev "headers of weight files, configurations")
if(HEED_EXAMPLES)
  heed_find(CLI11 libcli11-dev "command lines of the programs")
  message(STATUS "programs: on, in ${PROJECT_BINARY_DIR}/bin")
else()
  message(STATUS "programs: off (HEED_EXAMPLES=OFF)")
endif()
if(HEED_TESTS)
  heed_find(GTest libgtest-dev "the tests")
  message(STATUS "tests: on, run ctest")
else()
  message(STATUS "tests: off (HEED_TESTS=OFF)")
endif()

# BLAS: finding a file proves little, so a program that calls cblas_sgemm is compiled and linked.
include(heed_blas)
if(heed_blas_problem)
  message(FATAL_ERROR "${heed_blas_problem}")
endif()

set(key "${HEED_BLAS_LIBRARY};${HEED_BLAS_INCLUDE}")
if(NOT "${HEED_BLAS_LINKED}" STREQUAL "${key}")  # once for every library found
  set(probe ${PROJECT_BINARY_DIR}/probe)
  file(WRITE ${probe}/sgemm.cpp "#include <cblas.h>
int main() {
  const float a = 2, b = 3;
  float c = 0;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
  return c == 6 ? 0 : 1;
}
")
  try_compile(linked ${probe} SOURCES ${probe}/sgemm.cpp
              CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${HEED_BLAS_INCLUDE}"
              LINK_LIBRARIES ${HEED_BLAS_LIBRARY} Threads::Threads OUTPUT_VARIABLE output)
  if(NOT linked)
    string(REGEX MATCHALL "[^\n]*(undefined reference|cannot find|error|not found)[^\n]*" lines
           "${output}")
    list(APPEND lines "${output}")
    list(GET lines 0 line)
    message(FATAL_ERROR
      "A program that calls cblas_sgemm does not link with ${HEED_BLAS_LIBRARY}. The linker says: "
      "${line}\nOn Debian and Ubuntu install the package libopenblas-dev: "
      "sudo apt-get install libopenblas-dev. Then configure again in an empty build folder.")
  endif()
  set(HEED_BLAS_LINKED "${key}" CACHE INTERNAL "the BLAS that the probe linked with")
endif()
message(STATUS "BLAS: on, cblas_sgemm links with ${HEED_BLAS_LIBRARY}")
