# One static library per folder: what a folder may link is what it may include.

find_package(nlohmann_json REQUIRED)

function(contraflow_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # -fPIC everywhere, so that one precompiled header serves libraries and programs.
  target_compile_options(${target} PRIVATE -fPIC -Wall -Wextra -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${CONTRAFLOW_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# The LibTorch headers take most of a compilation: they are parsed once, here.
add_library(contraflow_pch OBJECT "${PROJECT_SOURCE_DIR}/cmake/pch.cpp")
target_precompile_headers(contraflow_pch PRIVATE "${PROJECT_SOURCE_DIR}/cmake/pch.h")
target_link_libraries(contraflow_pch PRIVATE contraflow_libtorch nlohmann_json::nlohmann_json)
contraflow_compile_settings(contraflow_pch)

# contraflow_library(core SOURCES a.cpp b.cpp DEPENDS folder... [NO_TORCH])
function(contraflow_library folder)
  cmake_parse_arguments(ARG "NO_TORCH" "" "SOURCES;DEPENDS" ${ARGN})
  set(target contraflow_${folder})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(contraflow::${folder} ALIAS ${target})
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>" "$<INSTALL_INTERFACE:include>")
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(${target} PUBLIC contraflow_${dependency})
  endforeach()
  target_link_libraries(${target} PUBLIC nlohmann_json::nlohmann_json)
  if(NOT ARG_NO_TORCH)
    target_link_libraries(${target} PUBLIC contraflow_libtorch)
    target_precompile_headers(${target} REUSE_FROM contraflow_pch)
  endif()
  contraflow_compile_settings(${target})
endfunction()
