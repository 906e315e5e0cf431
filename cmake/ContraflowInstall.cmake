# contraflow::contraflow, the whole library, and what `cmake --install` puts where.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(_folders GLOBAL PROPERTY CONTRAFLOW_FOLDERS)
add_library(contraflow_all INTERFACE)
add_library(contraflow::contraflow ALIAS contraflow_all)
set_target_properties(contraflow_all PROPERTIES EXPORT_NAME contraflow)
set(_targets contraflow_all)
foreach(_folder ${_folders})
  target_link_libraries(contraflow_all INTERFACE contraflow_${_folder})
  list(APPEND _targets contraflow_${_folder})
endforeach()

if(NOT CONTRAFLOW_INSTALL)
  return()
endif()
set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/contraflow")
install(TARGETS ${_targets} EXPORT contraflowTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(_folder ${_folders})
  install(DIRECTORY "${contraflow_SOURCE_DIR}/contraflow/${_folder}"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/contraflow" FILES_MATCHING PATTERN "*.h")
endforeach()
install(EXPORT contraflowTargets NAMESPACE contraflow:: DESTINATION "${_package}")
configure_package_config_file("${contraflow_SOURCE_DIR}/cmake/contraflowConfig.cmake.in"
  "${contraflow_BINARY_DIR}/contraflowConfig.cmake" INSTALL_DESTINATION "${_package}")
write_basic_package_version_file("${contraflow_BINARY_DIR}/contraflowConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${contraflow_BINARY_DIR}/contraflowConfig.cmake"
              "${contraflow_BINARY_DIR}/contraflowConfigVersion.cmake"
              "${contraflow_SOURCE_DIR}/cmake/ContraflowLibTorch.cmake" DESTINATION "${_package}")
install(FILES "${contraflow_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
