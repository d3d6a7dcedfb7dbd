# Declares the house's libraries, so that flags, include paths and warnings live once.

set(ONNXC_WARNINGS -Wall -Wextra -Werror -Wno-unused-parameter)

# onnxc_library(NAME SOURCES... [LINK LIBS...]): plain C++ without MLIR.
function(onnxc_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${ONNXC_WARNINGS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# onnxc_mlir_library(NAME SOURCES... [LINK LIBS...] [DEPENDS TARGETS...]): a part of the compiler. All of them share one
# precompiled header of MLIR's own headers, which otherwise cost every file some ten seconds.
function(onnxc_mlir_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  onnxc_library(${name} ${ARG_UNPARSED_ARGUMENTS} LINK ${ARG_LINK} MLIR LLVM)
  target_precompile_headers(${name} REUSE_FROM onnxc_mlir_pch)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# onnxc_mlir_pch(HEADER): makes the precompiled header that onnxc_mlir_library shares.
function(onnxc_mlir_pch header)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/pch.cpp.in" "")
  configure_file("${CMAKE_CURRENT_BINARY_DIR}/pch.cpp.in" "${CMAKE_CURRENT_BINARY_DIR}/pch.cpp" COPYONLY)
  add_library(onnxc_mlir_pch STATIC "${CMAKE_CURRENT_BINARY_DIR}/pch.cpp")
  target_compile_options(onnxc_mlir_pch PRIVATE ${ONNXC_WARNINGS})
  target_include_directories(onnxc_mlir_pch PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_precompile_headers(onnxc_mlir_pch PRIVATE "${header}")
endfunction()
