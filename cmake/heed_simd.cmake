# One kernel source, compiled once for every instruction set worth having; core/simd picks at run
# time. These are the only -m flags of heed: everything else runs on any CPU of the architecture.
function(heed_add_simd target)
  set(source ${PROJECT_SOURCE_DIR}/core/simd/kernels.cpp)
  if(NOT EXISTS ${source})
    return()
  endif()
  set(levels baseline)
  set(wide "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    list(APPEND levels avx2 avx512)
    set(wide HEED_HAVE_X86_SIMD)
  endif()
  set(flags_baseline "")
  set(flags_avx2 -mavx2 -mfma)
  set(flags_avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512)
  foreach(level IN LISTS levels)
    add_library(heed_simd_${level} OBJECT ${source})
    heed_target(heed_simd_${level})
    # -fno-trapping-math: comparisons may be computed for lanes that do not need them, without
    # which no branch becomes a vector select. Neither flag reorders a sum.
    # -O2 in Debug: unoptimised, std::sqrt would be a function of its own, compiled for the wide
    # CPU, which the linker may hand to everybody else (tests/house/simd.sh looks).
    target_compile_options(heed_simd_${level} PRIVATE
      ${flags_${level}} -ffp-contract=fast -fno-trapping-math $<$<CONFIG:Debug>:-O2>)
    target_compile_definitions(heed_simd_${level} PRIVATE HEED_SIMD=${level} ${wide})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:heed_simd_${level}>)
  endforeach()
  target_compile_definitions(${target} PRIVATE ${wide})
  list(JOIN levels ", " levels)
  message(STATUS "SIMD: on, kernels for ${levels} (chosen at run time)")
endfunction()
