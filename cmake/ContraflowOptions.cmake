# What a builder can choose, and the settings every target shares.
option(CONTRAFLOW_BUILD_CLI "Build the contraflow command line" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(CONTRAFLOW_WARNINGS_AS_ERRORS "Fail the build on a warning" ${PROJECT_IS_TOP_LEVEL})
set(CONTRAFLOW_LIBTORCH "" CACHE PATH
    "Folder of the LibTorch to use (the one that holds include/ and lib/); empty: the torch package of .venv")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
