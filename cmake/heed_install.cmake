# cmake --install: headers under include/heed, <heed/heed.h> for all of them, the libraries, and
# what find_package(heed) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# <heed/heed.h> is made from the folders, so that it cannot fall behind them.
set(everything "// All of heed. Made by CMake from the headers of the four folders.\n#pragma once\n")
foreach(folder core autograd layers optim)
  file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
       ${PROJECT_SOURCE_DIR}/${folder}/*.h)
  foreach(header IN LISTS headers)
    # folder/detail/ is private: installed for the public headers that need it, never offered.
    string(APPEND everything "#include \"${header}\"\n")
  endforeach()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed FILES_MATCHING PATTERN "*.h")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/include/heed/heed.h CONTENT "${everything}")
install(FILES ${PROJECT_BINARY_DIR}/include/heed/heed.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/heed)
install(TARGETS heed heed_core heed_autograd heed_layers heed_optim EXPORT heedTargets)
install(EXPORT heedTargets NAMESPACE heed:: DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/heedConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/heedConfig.cmake
              ${PROJECT_SOURCE_DIR}/cmake/heed_blas.cmake
              ${PROJECT_BINARY_DIR}/heedConfigVersion.cmake
        DESTINATION ${package})
