# How every target is compiled: warnings are errors, sanitizers by preset, ccache and lld where they are installed.

# For programs that only drive a server, and have nothing of it in them.
add_library(shale_plain_settings INTERFACE)
target_compile_options(shale_plain_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual -fno-omit-frame-pointer)
# GCC says what a warning is. clang, which builds fuzzers only, knows others, and takes what stands together in a unity
# build for shadowed.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(shale_plain_settings INTERFACE -Wshadow -Werror)
endif()
# The repository is the include root: #include "engine/log/log.h" names the file as the tree shows it.
target_include_directories(shale_plain_settings INTERFACE ${PROJECT_SOURCE_DIR})

add_library(shale_sanitizers INTERFACE)
if(SHALE_SANITIZE)
  # -O1: presets give all the optimisation of release, so that what has no sanitizers is the same as there.
  target_compile_options(shale_sanitizers INTERFACE -O1 -fsanitize=${SHALE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(shale_sanitizers INTERFACE -fsanitize=${SHALE_SANITIZE})
  # GCC 12 reports false positives from inlined standard containers once sanitizers change the inlining. Release
  # compiles the same code with warnings as errors.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(shale_sanitizers INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-restrict
                                                    -Wno-array-bounds -Wno-error)
  endif()
  if(SHALE_SANITIZE MATCHES "thread")
    target_compile_options(shale_sanitizers INTERFACE -Wno-tsan)
  endif()
endif()

# For everything else.
add_library(shale_settings INTERFACE)
target_link_libraries(shale_settings INTERFACE shale_plain_settings shale_sanitizers)
if(SHALE_FUZZ)
  target_compile_options(shale_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Clones of the repository share what has been compiled, wherever they lie. ccache makes paths relative that lie below
  # its base folder, but not that folder's own.
  get_filename_component(parent_folder ${PROJECT_SOURCE_DIR} DIRECTORY)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${parent_folder} CCACHE_NOHASHDIR=true
    CCACHE_SLOPPINESS=include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

# Most of what compiling the server costs is parsing the headers of libraries. Builds with sanitizers, which nobody edits
# against, compile several files of a target as one; release compiles each alone, so that each includes what it needs.
# (Precompiled headers save nothing here: loading one costs as many page faults as parsing costs time.)
function(shale_compile_together target)
  if(SHALE_SANITIZE OR SHALE_COVERAGE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endif()
  if(SHALE_COVERAGE)  # of the product; what of it tests compile into themselves, out of headers, is not counted
    target_compile_options(${target} PRIVATE -O0 --coverage -fprofile-update=atomic -Wno-subobject-linkage)
    target_link_options(${target} PUBLIC --coverage)
  endif()
endfunction()
