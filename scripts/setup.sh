#!/usr/bin/env bash
# Makes everything that the build and the tests need: system packages that are missing (apt-get, with
# root or passwordless sudo) and the private environment .venv with a pinned LibTorch. Once that is
# done, a run takes a fraction of a second and uses no network.
# Usage: scripts/setup.sh [bench]; bench: also what the benchmarks need (Google Benchmark, normflows).
#   CONTRAFLOW_LIBTORCH=DIR  use that LibTorch; none is installed.
#   CXX, PYTHON              the compiler and the Python to use.
#   CMAKE_PREFIX_PATH        folders (with include/ in them) that hold libraries of your own.
# Exit code 2: something is missing that this script may not install (it says what, and the command).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

readonly log=build/setup.log
readonly stamp=.venv/contraflow.stamp
readonly bench_stamp=.venv/contraflow.bench.stamp
readonly cmake_minimum=3.25
readonly elsewhere="Libraries installed elsewhere are found in CMAKE_PREFIX_PATH=FOLDER, with FOLDER/include."
libtorch="${CONTRAFLOW_LIBTORCH:-}"
cxx="${CXX:-g++}"
bench=""

say() { printf '%s\n' "$*"; }

# stop CODE TEXT...: what went wrong and what to do, on standard error.
stop() {
  local code=$1
  shift
  printf '%s\n' "$@" >&2
  exit "$code"
}

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      say "$candidate"
      return
    fi
  done
}

# Headers that the compiler does not find, one per line, in one call of the preprocessor.
missing_headers() {
  local header prefix prefixes="${CMAKE_PREFIX_PATH:-}" include=()
  prefixes="${prefixes//:/ }"
  for prefix in $prefixes; do
    include+=("-I$prefix/include")
  done
  for header in "$@"; do
    printf '#if !__has_include(<%s>)\nmissing %s\n#endif\n' "$header" "$header"
  done | "$cxx" -std=c++20 "${include[@]}" -E -P -x c++ - 2>/dev/null | sed -n 's/^missing //p'
}

# Debian packages that are needed and missing, one per line.
missing_packages() {
  if ! command -v "$cxx" >/dev/null; then
    say g++
  fi
  if [ -z "$(find_python)" ]; then
    say python3
  fi
  if ! "$(find_python)" -c 'import venv, ensurepip' 2>/dev/null; then
    say python3-venv
  fi
  if ! command -v pkg-config >/dev/null; then
    say pkg-config
  fi
  if [ ! -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ]; then
    say fonts-dejavu-core
  fi
  # Without a compiler there is no telling which headers are there: ask for all; apt-get skips the rest.
  local -A package=(
    [CLI/CLI.hpp]=libcli11-dev [hwy/highway.h]=libhwy-dev [nlohmann/json.hpp]=nlohmann-json3-dev [toml++/toml.h]=libtomlplusplus-dev
    [cairo/cairo.h]=libcairo2-dev [gtest/gtest.h]=libgtest-dev [gmock/gmock.h]=libgmock-dev
    [png.h]=libpng-dev [zlib.h]=zlib1g-dev [zip.h]=libzip-dev)
  if [ -n "$bench" ]; then
    package[benchmark/benchmark.h]=libbenchmark-dev
  fi
  local headers=("${!package[@]}") header
  if command -v "$cxx" >/dev/null; then
    header=$(missing_headers "${!package[@]}")
    mapfile -t headers < <(printf '%s' "$header")
  fi
  for header in "${headers[@]}"; do
    say "${package[$header]}"
  done | sort
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

may_install() {
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_packages() {
  local packages=("$@")
  local command="apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"
  if ! may_install; then
    stop 2 "[setup] system packages: expected ${packages[*]}, got none of them." \
      "Installing needs root. Run, as root:" "  $command" "then run this again." \
      "$elsewhere"
  fi
  say "[setup] installing ${packages[*]}"
  if ! as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get -o DPkg::Lock::Timeout=300 update \
      && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends ${packages[*]}" \
      >>"$log" 2>&1 </dev/null; then
    stop 1 "[setup] system packages: expected ${packages[*]} to install, got:" "$(grep '^E:' "$log" | tail -n 5)" \
      "The whole log is $log. Repair that, or install them by hand:" "  $command" "$elsewhere"
  fi
  local left
  left=$(missing_packages | tr '\n' ' ')
  if [ -n "$left" ]; then
    stop 2 "[setup] system packages: expected ${left}to be found after installing, got none." \
      "Install them by hand; the log is $log. $elsewhere"
  fi
}

check_compiler() {
  command -v "$cxx" >/dev/null || return 0
  if ! printf '#include <version>\n#if __cplusplus < 202002L || (defined(__GNUC__) && !defined(__clang__) \
      && __GNUC__ < 11)\n#error\n#endif\n' | "$cxx" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null; then
    stop 2 "[setup] compiler: expected C++20 (g++ 11 or newer), got $("$cxx" --version | head -n 1)." \
      "Install a newer one and name it, for example: apt-get install g++-12 && make setup CXX=g++-12"
  fi
}

# Whether this machine's own CMake and Ninja will do.
build_tools_suffice() {
  local version
  command -v ninja >/dev/null || return 1
  version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p') || return 1
  [ -n "$version" ] && version_at_least "$version" "$cmake_minimum"
}

# --no-compile: Python compiles what it imports; all of torch takes half a minute, and the build needs its headers.
pip_install() {
  if ! .venv/bin/python -m pip install --disable-pip-version-check --no-compile "$@" >>"$log" 2>&1 </dev/null; then
    stop 1 "[setup] Python packages: expected '$*' to install, got:" "$(grep '^ERROR' "$log" | tail -n 3)" \
      "The whole log is $log. Check the network and pip's settings, then run this again."
  fi
}

# What .venv must hold: changes when a pin, a choice or this script changes.
wanted_stamp() {
  {
    cat scripts/setup.sh scripts/requirements.txt scripts/requirements-build.txt
    say "$libtorch"
  } | sha256sum | cut -d ' ' -f 1
}

make_environment() {
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$(find_python)" -m venv --clear .venv >>"$log" 2>&1
  fi
  PATH="${PATH#"$PWD/.venv/bin:"}"  # the machine's own tools count here
  if ! build_tools_suffice; then
    say "[setup] installing CMake and Ninja into .venv"
    pip_install -r scripts/requirements-build.txt
  fi
  if [ -n "$libtorch" ]; then
    say "[setup] using LibTorch in $libtorch"
    pip_install -r <(grep -v '^torch==' scripts/requirements.txt)
  else
    say "[setup] installing $(grep '^torch==' scripts/requirements.txt) into .venv (minutes; log in $log)"
    pip_install -r scripts/requirements.txt
  fi
  wanted_stamp >"$stamp"
}

# The peers run in Python, so they need the torch package whatever LibTorch the library is built with.
wanted_bench_stamp() {
  cat scripts/setup.sh scripts/requirements.txt scripts/requirements-bench.txt | sha256sum | cut -d ' ' -f 1
}

make_bench_environment() {
  if [ "$(cat "$bench_stamp" 2>/dev/null)" = "$(wanted_bench_stamp)" ]; then
    return
  fi
  say "[setup] installing what the benchmarks compare with into .venv"
  pip_install -r scripts/requirements.txt
  pip_install --no-deps -r scripts/requirements-bench.txt
  wanted_bench_stamp >"$bench_stamp"
  say "[setup] done"
}

main() {
  case "${1:-}" in
    "") ;;
    bench) bench=yes ;;
    *) stop 2 "[setup] argument: expected none or 'bench', got '$1'. Run scripts/setup.sh [bench]." ;;
  esac
  mkdir -p build
  exec 9>build/.setup.lock
  flock 9
  if [ -n "$libtorch" ] && [ ! -e "$libtorch/include/ATen/ATen.h" ]; then
    stop 2 "[setup] CONTRAFLOW_LIBTORCH: expected a folder with include/ATen/ATen.h, got '$libtorch'." \
      "Name the folder that holds include/ and lib/, or unset it to install LibTorch into .venv."
  fi
  check_compiler
  local missing
  missing=$(missing_packages)  # a failure in here ends the script, which it would not in a <(...)
  mapfile -t missing < <(printf '%s' "$missing")
  if [ "${#missing[@]}" -gt 0 ]; then
    install_packages "${missing[@]}"
    check_compiler
  fi
  if [ ! -x .venv/bin/python ] || [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted_stamp)" ]; then
    make_environment
    say "[setup] done"
  fi
  if [ -n "$bench" ]; then
    make_bench_environment
  fi
}

main "$@"
