#!/usr/bin/env bash
# Trains two flows, of points and of images, with the configs of this repository, measures them, and says where everything is.
#   scripts/demo.sh BUILD   (default build/release); CONTRAFLOW_DEMO=DIR puts it elsewhere than demo/
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build/release}"
out="${CONTRAFLOW_DEMO:-demo}"
program="$build/cli/contraflow"
marker="$out/.made_by_demo"

if [ ! -x "$program" ]; then
  printf '[demo] %s: expected the program, got nothing. Run make demo, which builds it.\n' "$program" >&2
  exit 2
fi
if [ -e "$out" ] && [ ! -e "$marker" ] && [ -n "$(ls -A "$out")" ]; then
  printf '[demo] %s: expected a folder of an earlier demo, got another. Move it away, or set CONTRAFLOW_DEMO.\n' \
    "$out" >&2
  exit 2
fi
mkdir -p "$out"
touch "$marker"
started=$SECONDS

step() { printf '\n== %s\n' "$*"; }

for name in checkerboard digits_images; do
  run="$out/$name"
  train=("configs/$name.toml")
  samples=csv rows=300
  if [ "$name" = digits_images ]; then samples=npy rows=100; fi  # a table has no place for an image
  if [ "$name" = checkerboard ]; then  # its 20,000 steps are .01 nats better and take two thirds longer
    train+=(--steps 12000)
  fi
  step "$name: train ${train[*]}"
  "$program" train "${train[@]}" --out "$run" --overwrite
  step "$name: evaluate, certify, score and sample held-out rows, draw"
  "$program" evaluate "$run" --json > "$run/evaluate.json"
  "$program" certify "$run" --rows "$rows" --json > "$run/certify.json"
  "$program" score "$run" --split test -o "$run/scores.csv"
  "$program" sample "$run" -n 1000 -o "$run/samples.$samples"
  "$program" plot "$run"
done

step "results after $((SECONDS - started)) s"
python3 scripts/demo_table.py "$out"
