# One static library per folder: what a folder may link is what it may include.

find_package(nlohmann_json 3.10 QUIET)
if(NOT nlohmann_json_FOUND)
  message(FATAL_ERROR "[cmake] nlohmann_json: expected version 3.10 or newer, got nothing. "
                      "Run 'apt-get install nlohmann-json3-dev', or pass -Dnlohmann_json_DIR=...")
endif()

function(contraflow_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # -fPIC everywhere, so that one precompiled header serves libraries and programs.
  # In a unit of several files a local name may be that of another file.
  set(shadow -Wshadow)
  if(CONTRAFLOW_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(shadow -Wshadow=local)
  endif()
  target_compile_options(${target} PRIVATE -fPIC -Wall -Wextra ${shadow} -Wnon-virtual-dtor
    "-fmacro-prefix-map=${contraflow_SOURCE_DIR}/="
    $<$<BOOL:${CONTRAFLOW_WARNINGS_AS_ERRORS}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # False alarms on std::string operations inlined at -O2 and above (GCC bugs 105329, 105651).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-stringop-overflow)
    # A unit needs more than a GB: collecting garbage from 128 MB on, the default, costs the precompiled header a
    # quarter of its time (59 s -> 45 s of processor time, g++ 12) and the others a tenth.
    target_compile_options(${target} PRIVATE "SHELL:--param ggc-min-heapsize=1500000")
  endif()
  if(CONTRAFLOW_SHARED)  # CF_EXPORT shows what is public
    target_compile_options(${target} PRIVATE -fvisibility=hidden)
  endif()
  if(CONTRAFLOW_ASSERTS)
    target_compile_definitions(${target} PRIVATE CF_ENABLE_ASSERTS)
  endif()
  if(CONTRAFLOW_SANITIZE)  # with which g++ takes moved-from structs for not initialised
    target_compile_options(${target} PRIVATE "-fsanitize=${CONTRAFLOW_SANITIZE}" -fno-omit-frame-pointer
      -fno-sanitize-recover=all -Wno-maybe-uninitialized)
    target_link_options(${target} PUBLIC "-fsanitize=${CONTRAFLOW_SANITIZE}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CONTRAFLOW_SANITIZE MATCHES "thread")
      # A fence in LibTorch's headers, which guards a count of Python objects, is beyond the sanitizer.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
endfunction()

# g++ 12 at -O3 takes inlined std::string operations and returned structs for out of bounds or not
# initialised (GCC bugs 105329, 105562, 105651); for targets that met it.
function(contraflow_no_false_alarms target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-maybe-uninitialized)
  endif()
endfunction()

# The LibTorch headers take most of a compilation: they are parsed once, for core, and used by all others.
function(contraflow_use_pch target)
  if(CONTRAFLOW_PCH AND target STREQUAL "contraflow_core")
    target_precompile_headers(${target} PRIVATE "${contraflow_SOURCE_DIR}/cmake/pch.h")
  elseif(CONTRAFLOW_PCH)
    target_precompile_headers(${target} REUSE_FROM contraflow_core)
  endif()
endfunction()

# The files of a target become one unit, because most of a compilation is the headers and the templates that they
# instantiate. Names local to a file must then differ within a folder.
function(contraflow_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${CONTRAFLOW_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# Compiles the files of a folder in the unit of another (contraflow_library WITH): a unit without a line costs seven
# seconds for the templates that LibTorch's headers leave to its end.
function(contraflow_join folder host sources dependencies)
  set(target contraflow_${folder})
  add_library(${target} INTERFACE)
  list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  target_sources(contraflow_${host} PRIVATE ${sources})
  target_link_libraries(${target} INTERFACE contraflow_${host})
  set_target_properties(${target} PROPERTIES CONTRAFLOW_HOST ${host})
  foreach(dependency ${dependencies})
    get_target_property(dependency_host contraflow_${dependency} CONTRAFLOW_HOST)
    if(NOT dependency STREQUAL host AND NOT dependency_host STREQUAL host)  # one library needs no other for itself
      target_link_libraries(${target} INTERFACE contraflow_${dependency})
      target_link_libraries(contraflow_${host} PUBLIC contraflow_${dependency})
    endif()
  endforeach()
endfunction()

# The folder's own static library.
function(contraflow_compile folder sources dependencies)
  set(target contraflow_${folder})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${contraflow_SOURCE_DIR}>" "$<BUILD_INTERFACE:${contraflow_BINARY_DIR}/include>"
    "$<INSTALL_INTERFACE:include>")
  foreach(dependency ${dependencies})
    target_link_libraries(${target} PUBLIC contraflow_${dependency})
  endforeach()
  target_link_libraries(${target} PUBLIC nlohmann_json::nlohmann_json)
  contraflow_compile_settings(${target})
  contraflow_unity(${target})
endfunction()

# contraflow_library(core SOURCES a.cpp b.cpp DEPENDS folder... [INTERNAL a.h b.h] [NO_TORCH] [COLD] [WITH folder])
#   COLD       reads words, prints, and calls loops of others: a release compiles it with -O1, in three quarters of the
#              time of -O2.
#   WITH       an earlier folder, in whose unit this one is compiled, with its settings: for small folders.
#   INTERNAL   headers of the folder that are not installed; those of its subfolders never are. No installed
#              header includes one of them (scripts/check_includes.py).
function(contraflow_library folder)
  cmake_parse_arguments(ARG "NO_TORCH;COLD" "WITH" "SOURCES;DEPENDS;INTERNAL" ${ARGN})
  set(target contraflow_${folder})
  if(ARG_WITH)
    contraflow_join(${folder} ${ARG_WITH} "${ARG_SOURCES}" "${ARG_DEPENDS}")
  else()
    contraflow_compile(${folder} "${ARG_SOURCES}" "${ARG_DEPENDS}")
    if(ARG_COLD)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
    if(NOT ARG_NO_TORCH)
      target_link_libraries(${target} PUBLIC contraflow::libtorch)
      contraflow_use_pch(${target})
    endif()
  endif()
  add_library(contraflow::${folder} ALIAS ${target})
  # Folders of contraflow/ make the public library; those of cli/ do not.
  if(CMAKE_CURRENT_SOURCE_DIR STREQUAL "${contraflow_SOURCE_DIR}/contraflow/${folder}")
    set_property(GLOBAL APPEND PROPERTY CONTRAFLOW_FOLDERS ${folder})
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${contraflow_SOURCE_DIR}" "*.h")
    foreach(header ${ARG_INTERNAL})
      list(REMOVE_ITEM headers "contraflow/${folder}/${header}")
    endforeach()
    set_property(GLOBAL APPEND PROPERTY CONTRAFLOW_PUBLIC_HEADERS ${headers})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder})
  endif()
endfunction()
