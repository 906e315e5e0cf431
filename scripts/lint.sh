#!/usr/bin/env bash
# Checks that need no build: the format of every tracked C++ file, the direction of the
# includes, and CF_EXPORT on what installed headers declare.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

if ! clang-format --version >/dev/null 2>&1; then
  printf '[lint] clang-format: expected a program that runs on PATH, got none. Remove .venv and run make lint, %s\n' \
    'which installs it.' >&2
  exit 2
fi
mapfile -t files < <(git ls-files '*.h' '*.cpp')
if ! found=$(clang-format --dry-run --Werror "${files[@]}" 2>&1); then
  names=$(sed -n 's/^\([^:]*\):.*clang-format-violations.*/  \1/p' <<<"$found" | sort -u)
  printf '[lint] format: expected the style of .clang-format, got other in:\n%s\nRun make format.\n' \
    "${names:-$found}" >&2
  failed=1
fi

python3 scripts/check_includes.py || failed=1
python3 scripts/check_exports.py || failed=1

[ "$failed" = 0 ] && printf '[lint] %d files: format, includes and exports are right\n' "${#files[@]}"
exit "$failed"
