# LibTorch as the imported target contraflow::libtorch. Used by the build and, installed, by
# contraflowConfig.cmake.
#
# LibTorch's own CMake package refuses to configure a CUDA build of torch where no CUDA toolkit is
# installed; naming its libraries does not. A CUDA build's libtorch_cpu.so needs libcudart and libcupti
# at load time; it finds them by its own rpath in the nvidia packages beside the torch package.

# contraflow_libtorch_version(<folder> <variable>): "2.13.0", or "" when the folder is no LibTorch.
function(contraflow_libtorch_version root variable)
  set(version "")
  foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT version AND EXISTS "${root}/include/${header}")
      file(STRINGS "${root}/include/${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
      string(REPLACE ";" "." version "${numbers}")
    endif()
  endforeach()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()

# contraflow_find_libtorch(<folder> <remedy>): checks the folder and makes contraflow::libtorch.
# Sets CONTRAFLOW_LIBTORCH_VERSION for the caller.
function(contraflow_find_libtorch root remedy)
  if(NOT EXISTS "${root}/include/ATen/ATen.h")
    message(FATAL_ERROR "[cmake] CONTRAFLOW_LIBTORCH: expected a folder with include/ATen/ATen.h, got "
                        "'${root}'. ${remedy}")
  endif()
  contraflow_libtorch_version("${root}" version)
  if(version VERSION_LESS 2.11 OR version VERSION_GREATER_EQUAL 2.15)
    message(FATAL_ERROR "[cmake] CONTRAFLOW_LIBTORCH: expected LibTorch 2.11 to 2.14, got "
                        "'${version}' in '${root}'. ${remedy}")
  endif()
  set(CONTRAFLOW_LIBTORCH_VERSION "${version}" PARENT_SCOPE)
  if(TARGET contraflow::libtorch)
    return()
  endif()

  add_library(contraflow::libtorch INTERFACE IMPORTED GLOBAL)
  set(libraries c10 torch_cpu)
  if(CONTRAFLOW_CUDA)
    list(APPEND libraries c10_cuda torch_cuda)
  endif()
  foreach(library ${libraries})
    if(NOT EXISTS "${root}/lib/lib${library}.so")
      message(FATAL_ERROR "[cmake] CONTRAFLOW_LIBTORCH: expected lib/lib${library}.so, got nothing in "
                          "'${root}'. ${remedy} CONTRAFLOW_CUDA=ON needs a CUDA build of torch.")
    endif()
    add_library(contraflow::torch_${library} SHARED IMPORTED GLOBAL)
    set_target_properties(contraflow::torch_${library} PROPERTIES
      IMPORTED_LOCATION "${root}/lib/lib${library}.so"
      IMPORTED_NO_SONAME FALSE
      INTERFACE_INCLUDE_DIRECTORIES "${root}/include;${root}/include/torch/csrc/api/include")
    target_link_libraries(contraflow::libtorch INTERFACE contraflow::torch_${library})
  endforeach()
  if(CONTRAFLOW_CUDA)
    # torch_cuda registers its kernels when it is loaded; no symbol of it is named.
    target_link_options(contraflow::libtorch INTERFACE "LINKER:--no-as-needed")
  endif()
endfunction()

# contraflow_check_libtorch_loads(<folder>): loads libtorch_cpu.so once at configure time, so that a
# missing library is named here and not by every program.
function(contraflow_check_libtorch_loads root)
  if(CMAKE_CROSSCOMPILING OR "${CONTRAFLOW_LIBTORCH_LOADS}" STREQUAL "${root}")
    return()
  endif()
  try_run(exit_code compiled "${CMAKE_CURRENT_BINARY_DIR}/load_libtorch"
          "${PROJECT_SOURCE_DIR}/cmake/load_libtorch.cpp"
          LINK_LIBRARIES ${CMAKE_DL_LIBS}
          COMPILE_OUTPUT_VARIABLE compile_output RUN_OUTPUT_VARIABLE run_output
          ARGS "${root}/lib/libtorch_cpu.so")
  if(NOT compiled)
    message(FATAL_ERROR "[cmake] CMAKE_CXX_COMPILER: expected a C++20 compiler with the C++11 string ABI of "
                        "LibTorch, got an error. Set CXX to g++ 11 or newer.\n${compile_output}")
  endif()
  if(NOT exit_code EQUAL 0)
    string(STRIP "${run_output}" run_output)
    message(FATAL_ERROR "[cmake] CONTRAFLOW_LIBTORCH: expected libtorch_cpu.so to load, got '${run_output}'. "
                        "A CUDA build of torch needs its nvidia packages (pip install torch with its "
                        "dependencies); a CPU build needs none.")
  endif()
  set(CONTRAFLOW_LIBTORCH_LOADS "${root}" CACHE INTERNAL "LibTorch that was seen to load")
endfunction()
