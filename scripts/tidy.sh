#!/usr/bin/env bash
# tidy.sh BUILD JOBS: clang-tidy over every tracked source. About half a minute a file: parsing LibTorch.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v clang-tidy >/dev/null; then
  echo "[tidy] clang-tidy: expected it on PATH, got nothing. Run 'apt-get install clang-tidy'." >&2
  exit 2
fi
# clang cannot read GCC's precompiled header: a build description without it.
cmake -S . -B "$1/tidy" -G Ninja --log-level=WARNING -DCONTRAFLOW_PCH=OFF \
  -DCONTRAFLOW_LIBTORCH="${CONTRAFLOW_LIBTORCH:-}"
git ls-files 'contraflow/*.cpp' 'cli/*.cpp' | xargs -P "$2" -n 1 clang-tidy -p "$1/tidy" --quiet
