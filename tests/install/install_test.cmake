# Run as: cmake -DBUILD=... -DSOURCE=... -DLIBTORCH=... -DMODE=MODE -P install_test.cmake
#   installed      installs contraflow under a temporary prefix, moves the prefix, runs the program there, then
#                  builds the consumer and the examples against it and runs them
#   headers        installs it, and compiles every installed header on its own
#   subdirectory   builds the consumer with contraflow's sources as a subdirectory
foreach(variable BUILD SOURCE LIBTORCH MODE)
  if(NOT DEFINED ${variable})
    message(FATAL_ERROR "install_test.cmake: pass -D${variable}=...")
  endif()
endforeach()

if(DEFINED ENV{TMPDIR})
  set(temporary "$ENV{TMPDIR}")
else()
  set(temporary "/tmp")
endif()
string(RANDOM LENGTH 12 suffix)
set(work "${temporary}/contraflow_${MODE}_${suffix}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    file(REMOVE_RECURSE "${work}")
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: expected exit code 0, got ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# A program as a user starts it.
function(run_program)
  run("${CMAKE_COMMAND}" -E env --unset=LD_LIBRARY_PATH OMP_NUM_THREADS=1 ${ARGN})
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect_files)
  foreach(file ${ARGN})
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "${file}: expected a file, got none")
    endif()
  endforeach()
endfunction()

function(install_contraflow)
  run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${work}/first")
  file(RENAME "${work}/first" "${work}/prefix")  # an installation can be moved
  file(GLOB_RECURSE leaked "${work}/prefix/*.gch" "${work}/prefix/*pch*" "${work}/prefix/*-inl.h")
  if(leaked)
    message(FATAL_ERROR "installed files: expected no internal header, got ${leaked}")
  endif()
  file(GLOB_RECURSE exported "${work}/prefix/*contraflowTargets*.cmake")
  foreach(file ${exported})
    file(READ "${file}" text)
    if(text MATCHES "pch" OR text MATCHES "${BUILD}")
      message(FATAL_ERROR "${file}: expected neither a precompiled header nor the build folder, got one")
    endif()
  endforeach()
endfunction()

# Trains by an installed config, far away from the sources; scores and samples.
function(use_program program)
  set(run "${work}/run")
  run_program("${program}" train "${work}/prefix/share/contraflow/configs/checkerboard.toml" --out "${run}"
    --set training.steps=20 --set training.schedule.warmup_steps=2 --set training.validate_every=20
    --set training.validation_rows=100 --set data.test_rows=100)
  run_program("${program}" sample "${run}" -n 200 -o "${work}/samples.csv")
  run_program("${program}" score "${run}" "${work}/samples.csv" --columns x0,x1 -o "${work}/scores.csv")
  expect_files("${work}/samples.csv" "${work}/scores.csv")
endfunction()

function(configure_project folder)
  run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/install/${folder}" -B "${work}/build" -G Ninja
    -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_COMPILER=${COMPILER}" ${ARGN})
endfunction()

set(arguments)
if(SANITIZE)
  set(arguments "-DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE}")
endif()
if(MODE STREQUAL "subdirectory")
  configure_project(consumer "-DCONTRAFLOW_SOURCE=${SOURCE}" "-DCONTRAFLOW_LIBTORCH=${LIBTORCH}"
    -DCONTRAFLOW_PCH=OFF ${arguments})
  run("${CMAKE_COMMAND}" --build "${work}/build" --parallel 2 --target consumer)
  run_program("${work}/build/consumer")
elseif(MODE STREQUAL "headers")
  install_contraflow()
  configure_project(headers "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CXX_FLAGS_RELEASE=-O0" ${arguments})
  run("${CMAKE_COMMAND}" --build "${work}/build" --parallel 2)
else()
  install_contraflow()
  if(EXISTS "${work}/prefix/bin/contraflow")
    use_program("${work}/prefix/bin/contraflow")
  endif()
  configure_project(consumer "-DCMAKE_PREFIX_PATH=${work}/prefix"
    "-DCONTRAFLOW_EXAMPLES=${SOURCE}/examples" ${arguments})
  run("${CMAKE_COMMAND}" --build "${work}/build" --parallel 2)
  run_program("${work}/build/consumer")
  run_program("${work}/build/train" "${work}/flow.safetensors")
  run_program("${work}/build/density" "${work}/density.safetensors")
  if(EXISTS "${work}/run")
    run_program("${work}/build/serve" "${work}/run" "${work}/samples.csv")
    string(REGEX MATCHALL "\n" lines "${output}")
    list(LENGTH lines count)
    if(NOT count EQUAL 200)
      message(FATAL_ERROR "serve: expected 200 lines, got ${count}:\n${output}")
    endif()
  endif()
endif()
file(REMOVE_RECURSE "${work}")
