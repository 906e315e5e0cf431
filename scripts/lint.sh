#!/usr/bin/env bash
# Checks that need no build: the format of every tracked C++ file, the direction of the
# includes, and CF_EXPORT on what installed headers declare.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

if ! command -v clang-format >/dev/null; then
  printf '[lint] clang-format: expected it on PATH, got none. Run make lint, which installs it.\n' >&2
  exit 2
fi
mapfile -t files < <(git ls-files '*.h' '*.cpp')
unformatted=$(for file in "${files[@]}"; do
  clang-format --output-replacements-xml "$file" | grep -q '<replacement ' && printf '  %s\n' "$file"
done)
if [ -n "$unformatted" ]; then
  printf '[lint] format: expected the style of .clang-format, got other in:\n%s\nRun make format.\n' \
    "$unformatted" >&2
  failed=1
fi

python3 scripts/check_includes.py || failed=1
python3 scripts/check_exports.py || failed=1

[ "$failed" = 0 ] && printf '[lint] %d files: format, includes and exports are right\n' "${#files[@]}"
exit "$failed"
