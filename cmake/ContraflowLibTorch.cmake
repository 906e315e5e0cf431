# LibTorch as imported targets. LibTorch's own CMake package refuses to configure a CUDA build of
# torch where no CUDA toolkit is installed; linking its libraries by name does not.
if(CONTRAFLOW_LIBTORCH)
  set(_torch_root "${CONTRAFLOW_LIBTORCH}")
else()
  file(GLOB _torch_candidates "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
  list(GET _torch_candidates 0 _torch_root)
endif()
if(NOT EXISTS "${_torch_root}/include/ATen/ATen.h")
  message(FATAL_ERROR "[cmake] CONTRAFLOW_LIBTORCH: expected a folder with include/ATen/ATen.h, got "
                      "'${_torch_root}'. Run 'make setup', or pass -DCONTRAFLOW_LIBTORCH=/path/to/torch.")
endif()
message(STATUS "LibTorch: ${_torch_root}")

add_library(contraflow_libtorch INTERFACE)
add_library(contraflow::libtorch ALIAS contraflow_libtorch)
foreach(_lib c10 torch_cpu)
  add_library(contraflow_torch_${_lib} SHARED IMPORTED GLOBAL)
  set_target_properties(contraflow_torch_${_lib} PROPERTIES
    IMPORTED_LOCATION "${_torch_root}/lib/lib${_lib}.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_torch_root}/include;${_torch_root}/include/torch/csrc/api/include")
  target_link_libraries(contraflow_libtorch INTERFACE contraflow_torch_${_lib})
endforeach()
