#!/usr/bin/env bash
# The tests and the benchmarks that need a CUDA device: builds them and runs both, in a few minutes on 16 cores.
# Usage: benchmarks/gpu.sh [build | test | bench | images | curve]...     the first three without words, in this order
#        benchmarks/gpu.sh collect FOLDER                libraries of this machine, for one that has none
# `images` times steps of the papers' image models, each kind of products beside the papers' code in eager PyTorch;
# `curve` trains residual_mnist for MINUTES (10) and prints its validations.
#   DATA=DIR                 MNIST's files, for images and curve (data/mnist).
#   CONTRAFLOW_LIBTORCH=DIR  a CUDA build of LibTorch; by default that of `python3`.
#   CMAKE_PREFIX_PATH        folders that hold the other libraries, such as FOLDER above.
#   BUILD=DIR                build folder (build/gpu).
set -euo pipefail
cd "$(dirname "$0")/.."
readonly build="${BUILD:-build/gpu}"
readonly tests=(kernels transforms training)

collect() {
  local to=$1 lib=/usr/lib/x86_64-linux-gnu
  # The CMake files of the packages count on this depth.
  to+="${lib#/usr}"
  mkdir -p "$1/include" "$to/cmake"
  cp -r /usr/include/{hwy,nlohmann,toml++,gtest,gmock,benchmark,CLI} "$1/include/"
  cp /usr/include/{png,pngconf,pnglibconf,zlib,zconf,zip,zipconf}.h "$1/include/"
  cp "$lib"/lib{hwy,gtest,gtest_main,gmock,gmock_main,benchmark,benchmark_main,png,png16,z,zip}.{a,so}* "$to/" 2>/dev/null || true
  cp -r "$lib"/cmake/{GTest,benchmark} "$to/cmake/"
  mkdir -p "$1/share/cmake"
  cp -r /usr/share/cmake/nlohmann_json "$1/share/cmake/"
}

build_all() {
  local libtorch="${CONTRAFLOW_LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')}"
  cmake -S . -B "$build" -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release -DCONTRAFLOW_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES=native -DCONTRAFLOW_BUILD_BENCHMARKS=ON -DCONTRAFLOW_BUILD_CLI=OFF \
    -DCONTRAFLOW_WARNINGS_AS_ERRORS=OFF -DCONTRAFLOW_LIBTORCH="$libtorch"
  cmake --build "$build" --target "${tests[@]/#/test_}" contraflow_micro
}

run_tests() {
  local name
  for name in "${tests[@]}"; do
    "$build/tests/$name/test_$name" --gtest_brief=1 --gtest_filter="${FILTER:-*Cuda*:*Jets*:*Device*:*Card*:Lowering*}"
  done
}

run_benchmarks() {
  "$build/benchmarks/micro/contraflow_micro" --benchmark_filter='^device/(log_prob|inverse|gradient)' --benchmark_min_time=0.2 \
    --benchmark_counters_tabular=true
}

run_images() {
  "$build/benchmarks/micro/contraflow_micro" --benchmark_filter='^device/images' --benchmark_min_time=0.1
  local full=(--device cuda --steps 4 --images 64 --no-squeeze-first --blocks 16 16 16 --data "${DATA:-data/mnist}")
  echo "the papers' code in eager PyTorch, four steps, of which the first settles the norms: residual_mnist, monotone_mnist"
  python3 -m benchmarks.baselines.image_training "${full[@]}" --family residual --width 512 --fc-blocks 0
  python3 -m benchmarks.baselines.image_training "${full[@]}" --width 256 --fc-blocks 4 --fc-width 128 128
}

run_curve() {
  cmake -S . -B "$build" -DCONTRAFLOW_BUILD_CLI=ON
  cmake --build "$build" --target contraflow
  "$build/cli/contraflow" train configs/papers/images/full.toml --out "$build/curve" --overwrite --device cuda \
    --minutes "${MINUTES:-10}" --set data.name="${DATA:-data/mnist}" --set training.validate_every=200 \
    --set training.validation_rows=500
}

[ $# -gt 0 ] || set -- build test bench
while [ $# -gt 0 ]; do
  case $1 in
    build) build_all ;;
    test) run_tests ;;
    bench) run_benchmarks ;;
    images) run_images ;;
    curve) run_curve ;;
    collect) collect "$2"; shift ;;
    *) sed -n '2,11p' "$0"; exit 2 ;;
  esac
  shift
done
