# What a builder can choose, and the settings every target shares.
option(CONTRAFLOW_BUILD_CLI "Build the contraflow command line" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_BUILD_BENCHMARKS "Build the benchmarks" OFF)
option(CONTRAFLOW_WARNINGS_AS_ERRORS "Fail the build on a warning" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_INSTALL "Make the install rules" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_PCH "Precompile the LibTorch headers (400 MB in the build folder)" ON)
option(CONTRAFLOW_UNITY "Compile the files of a folder together: a third of the time (OFF: one by one)" ON)
option(CONTRAFLOW_SHARED "Install one libcontraflow.so, which shows public names only, not a static library per folder" OFF)
option(CONTRAFLOW_CUDA "Build for CUDA; needs a CUDA toolkit and a CUDA build of LibTorch" OFF)
set(CONTRAFLOW_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=...; empty: none")
set(CONTRAFLOW_LIBTORCH "" CACHE PATH
    "Folder of the LibTorch to use (the one that holds include/ and lib/); empty: the torch package of .venv")

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(_asserts ON)
else()
  set(_asserts OFF)
endif()
option(CONTRAFLOW_ASSERTS "Check the library's own invariants (CF_ASSERT)" ${_asserts})

# -O3 costs a quarter more to compile, gains nothing (the work is in LibTorch's kernels), and sets off
# false alarms of g++ 12.
if(PROJECT_IS_TOP_LEVEL)
  string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Installed programs find libraries outside of the project where they were at build time.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 11)
  message(FATAL_ERROR "[cmake] CMAKE_CXX_COMPILER: expected g++ 11 or newer, got g++ "
                      "${CMAKE_CXX_COMPILER_VERSION}. Install a newer g++ and set CXX=g++-11.")
endif()

if(CONTRAFLOW_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    message(FATAL_ERROR "[cmake] CONTRAFLOW_CUDA: expected a CUDA toolkit with nvcc, got none. Put nvcc on "
                        "PATH or set CUDACXX, or build with -DCONTRAFLOW_CUDA=OFF: a CUDA build of LibTorch "
                        "works on the CPU without a toolkit.")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # LibTorch's: a process has one
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  endif()
  find_package(CUDAToolkit REQUIRED)  # here: its targets are seen only below the folder that asked
endif()
