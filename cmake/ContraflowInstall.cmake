# contraflow::contraflow, the whole library, and what `cmake --install` puts where.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(_folders GLOBAL PROPERTY CONTRAFLOW_FOLDERS)
get_property(_headers GLOBAL PROPERTY CONTRAFLOW_PUBLIC_HEADERS)
list(APPEND _headers contraflow/fwd.h)
if(CONTRAFLOW_SHARED)
  # One library of all objects; the tests and the program, which use hidden names, keep the static ones.
  add_library(contraflow_all SHARED)
  target_compile_features(contraflow_all PUBLIC cxx_std_20)
  target_include_directories(contraflow_all PUBLIC
    "$<BUILD_INTERFACE:${contraflow_SOURCE_DIR};${contraflow_BINARY_DIR}/include>" "$<INSTALL_INTERFACE:include>")
  target_link_libraries(contraflow_all PUBLIC contraflow::libtorch nlohmann_json::nlohmann_json)
  foreach(_folder ${_folders})
    get_target_property(_type contraflow_${_folder} TYPE)
    if(_type STREQUAL "INTERFACE_LIBRARY")  # compiled with another folder
      continue()
    endif()
    target_sources(contraflow_all PRIVATE $<TARGET_OBJECTS:contraflow_${_folder}>)
    get_target_property(_links contraflow_${_folder} LINK_LIBRARIES)
    foreach(_link ${_links})
      if(NOT TARGET ${_link} AND NOT _link MATCHES "::@|^contraflow")
        target_link_libraries(contraflow_all PRIVATE ${_link})  # Highway, libgomp
      endif()
    endforeach()
  endforeach()
  if(CONTRAFLOW_CUDA)
    target_sources(contraflow_all PRIVATE $<TARGET_OBJECTS:contraflow_kernels_cuda>)
    target_link_libraries(contraflow_all PRIVATE CUDA::cudart)
  endif()
  set_target_properties(contraflow_all PROPERTIES OUTPUT_NAME contraflow
    VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}"
    INSTALL_RPATH "$ORIGIN;${CONTRAFLOW_LIBTORCH_ROOT}/lib")
  set(_targets contraflow_all)
else()
  add_library(contraflow_all INTERFACE)
  set(_targets contraflow_all)
  foreach(_folder ${_folders})
    target_link_libraries(contraflow_all INTERFACE contraflow_${_folder})
    list(APPEND _targets contraflow_${_folder})
  endforeach()
endif()
add_library(contraflow::contraflow ALIAS contraflow_all)
set_target_properties(contraflow_all PROPERTIES EXPORT_NAME contraflow)

# contraflow/contraflow.h, which includes every public header, and contraflow/version.h.
set(_generated "${contraflow_BINARY_DIR}/include/contraflow")
list(TRANSFORM _headers REPLACE "(.+)" "#include \"\\1\"" OUTPUT_VARIABLE CONTRAFLOW_INCLUDES)
list(JOIN CONTRAFLOW_INCLUDES "\n" CONTRAFLOW_INCLUDES)
configure_file("${contraflow_SOURCE_DIR}/cmake/contraflow.h.in" "${_generated}/contraflow.h" @ONLY)
configure_file("${contraflow_SOURCE_DIR}/cmake/version.h.in" "${_generated}/version.h" @ONLY)

if(NOT CONTRAFLOW_INSTALL)
  return()
endif()
set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/contraflow")
install(TARGETS ${_targets} EXPORT contraflowTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(_header ${_headers})
  cmake_path(GET _header PARENT_PATH _folder)
  install(FILES "${contraflow_SOURCE_DIR}/${_header}"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/${_folder}")
endforeach()
install(FILES "${_generated}/contraflow.h" "${_generated}/version.h"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/contraflow")
install(EXPORT contraflowTargets NAMESPACE contraflow:: DESTINATION "${_package}")
configure_package_config_file("${contraflow_SOURCE_DIR}/cmake/contraflowConfig.cmake.in"
  "${contraflow_BINARY_DIR}/contraflowConfig.cmake" INSTALL_DESTINATION "${_package}")
write_basic_package_version_file("${contraflow_BINARY_DIR}/contraflowConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${contraflow_BINARY_DIR}/contraflowConfig.cmake"
              "${contraflow_BINARY_DIR}/contraflowConfigVersion.cmake"
              "${contraflow_SOURCE_DIR}/cmake/ContraflowLibTorch.cmake" DESTINATION "${_package}")
install(FILES "${contraflow_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
