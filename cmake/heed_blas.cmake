# Finds OpenBLAS as heed::blas; otherwise leaves a sentence in heed_blas_problem. Used by the build
# and, installed, by find_package(heed).
set(heed_blas_problem "")
find_library(HEED_BLAS_LIBRARY NAMES openblas PATH_SUFFIXES openblas)
find_path(HEED_BLAS_INCLUDE NAMES cblas.h PATH_SUFFIXES openblas openblas-pthread)
mark_as_advanced(HEED_BLAS_LIBRARY HEED_BLAS_INCLUDE)

if(NOT HEED_BLAS_LIBRARY OR NOT HEED_BLAS_INCLUDE)
  set(heed_blas_problem
    "heed needs OpenBLAS and did not find it (library: ${HEED_BLAS_LIBRARY}, directory of cblas.h: "
    "${HEED_BLAS_INCLUDE}). On Debian and Ubuntu: sudo apt-get install libopenblas-dev. Elsewhere: "
    "-DHEED_BLAS_LIBRARY=/path/libopenblas.so -DHEED_BLAS_INCLUDE=/directory/of/cblas.h")
  list(JOIN heed_blas_problem "" heed_blas_problem)
elseif(NOT TARGET heed::blas)
  add_library(heed::blas INTERFACE IMPORTED)
  target_link_libraries(heed::blas INTERFACE ${HEED_BLAS_LIBRARY})
  target_include_directories(heed::blas INTERFACE ${HEED_BLAS_INCLUDE})
endif()
