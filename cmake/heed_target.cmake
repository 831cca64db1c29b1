# How every target of heed is compiled. No fast-math here, ever: tests/house/flags.sh reads the
# compile commands.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# Warnings, the include root and value-preserving arithmetic for one target.
#   -ffp-contract=off   a*b+c is rounded twice in every compiler and on every CPU, as written
#                       (core/simd is exempt: it has an FMA and uses it)
#   -fno-math-errno     sqrt is one instruction; nobody reads errno. Changes no value.
#   -Wno-restrict       g++ before 13 warns of "text" + std::string inside <string> (GCC bug 105651)
function(heed_target target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion $<$<BOOL:${HEED_WERROR}>:-Werror>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    -ffp-contract=off -fno-math-errno $<$<BOOL:${HEED_NATIVE}>:-march=native>)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR};${PROJECT_BINARY_DIR}/include>")
endfunction()

# heed_library(folder [lower]): folder/*.cpp as the static library heed_<folder>, which may include
# headers of the library `lower`. A folder without .cpp is a library of headers.
function(heed_library folder)
  set(target heed_${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  if(sources)
    set(visible PUBLIC)
    add_library(${target} STATIC ${sources})
    heed_target(${target})
  else()
    set(visible INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  # Installed headers keep their root-relative includes ("core/tensor.h"), so both the directory
  # of <heed/heed.h> and the one of "core/..." are on the path.
  target_include_directories(${target} ${visible} "$<INSTALL_INTERFACE:include;include/heed>")
  foreach(lower IN LISTS ARGN)
    target_link_libraries(${target} ${visible} heed_${lower})
  endforeach()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder})
  add_library(heed::${folder} ALIAS ${target})
endfunction()

# No hot loop is in this target: the compiler need not try hard, and is done sooner. The headers named
# behind it are parsed once for all of its files.
function(heed_cool target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(ARGN)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# A program of the tree: lands in build/bin. Its hot loops are in the library.
function(heed_program name)
  add_executable(${name} ${ARGN})
  heed_target(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE heed::heed)
  heed_cool(${name})
  target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O0>)
endfunction()
