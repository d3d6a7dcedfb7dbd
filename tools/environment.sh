# shellcheck shell=bash
# Sourced by the scripts of this folder: paths, versions, the compiler cache, and how they speak to the user.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
llvm_bin=/usr/lib/llvm-22/bin
onnx_version=1.23.2
onnx_sha256=008cb0467b2bbee41448acc7da8b6f4e704624cb0d327a2d5adafc7ce19bc5b8
cache_home=${XDG_CACHE_HOME:-$HOME/.cache}
# Kept between builds; ONNXC_DEPS moves it.
onnx_prefix=${ONNXC_DEPS:-$cache_home/onnxc-deps}/onnx-$onnx_version

export PATH="$root/.venv/bin:$llvm_bin:$PATH"
# The cache serves every checkout on this machine: paths below the root do not count.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
export PIP_DISABLE_PIP_VERSION_CHECK=1

step() { printf '\033[1m==> %s\033[0m\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# Compile jobs: one a core, but none without 1.5 GB of memory.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}
