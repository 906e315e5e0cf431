#!/usr/bin/env python3
"""Trains ten seeded configs with two builds of the program and compares the final weights bit for bit.

For changes that must not change results: every line should say "identical".

Usage: compare_training.py --old SIDE --new SIDE [--keep FOLDER] [--only NAME...]
A SIDE is a program, or a folder that --keep left (FOLDER/old or FOLDER/new). Exit code 0: all are
identical; 1: some differ; 2: a training failed. All tensors of a checkpoint are compared, the moments of
the optimizer too. Tensors are matched by name after RENAMES; a tensor on one side only is a difference.
"""
import argparse
import array
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

# Names of tensors that changed: (pattern, replacement), applied to both sides in this order.
RENAMES = []
# Tensors that one side may lack, by pattern, with the reason.
OPTIONAL = []
# Tensors of one axis that one side has longer: (pattern, numbers at the front that are compared).
LONGER = [(r'\.bounds$', 4)]  # the fifth shows that a cast has rounded the others

SMALL_NET = ['model.blocks=3', 'model.net.growth=8', 'model.net.depth=2']
EMA = ['training.ema_decay=0.99', 'training.validate_every=50']
ROULETTE = ['model.train_log_det={kind="roulette", exact_terms=2}']

# name: (data or a table to write, preset, settings)
CONFIGS = {
    'residual': ('moons', 'residual', ['model.blocks=3', 'model.net.hidden=[16, 16]'] + EMA),
    'idensenet': ('pinwheel', 'idensenet', SMALL_NET),
    'implicit': ('rings', 'implicit', SMALL_NET + ['training.clip_norm=1.0']),
    'monotone': ('checkerboard', 'monotone', SMALL_NET + EMA),
    'conditional': ('8gaussians', 'monotone', SMALL_NET + ['data.label=label', 'training.steps=60']),
    'learned_form': ('swissroll', 'monotone', SMALL_NET + [
        'model.learn_form=true', 'model.forms=["residual", "inverse_residual", "monotone"]']),
    'roulette': ('digits', 'residual', [
        'model.blocks=2', 'model.net.hidden=[32]', 'model.logit=true', 'training.steps=60'] + ROULETTE),
    'reverse_kl': ('u1', 'monotone', SMALL_NET + [
        'model.actnorm=true', 'model.standardize=false', 'training.objective=reverse_kl',
        'training.steps=60', 'training.validate_every=30', 'training.validation_rows=500']),
    'weights': ('table', 'residual', [
        'model.blocks=2', 'model.net.hidden=[16]', 'model.actnorm=true', 'data.weight=w']),
    'float64': ('2spirals', 'implicit', SMALL_NET + ['training.dtype=float64'] + ROULETTE),
}
COMMON = ['training.steps=150', 'training.batch_size=128', 'training.seed=7', 'model.seed=3',
          'data.validation_rows=300', 'data.test_rows=10', 'training.threads=1']
TYPES = {'F64': ('d', 8), 'F32': ('f', 4), 'I64': ('q', 8), 'I32': ('i', 4), 'I16': ('h', 2),
         'I8': ('b', 1), 'U8': ('B', 1), 'BOOL': ('B', 1)}


def write_table(path):
    """400 rows of two columns and a weight, made without random numbers."""
    lines = ['a,b,w']
    for row in range(400):
        a, b = (row * 37 % 401) / 401.0, (row * 113 % 397) / 397.0
        lines.append(f'{2 * a + b * b - 1:.6f},{b - a * b:.6f},{row % 4}')
    path.write_text('\n'.join(lines) + '\n')


def train(program, name, folder):
    """Trains one config into folder/name and returns its checkpoint."""
    data, preset, settings = CONFIGS[name]
    if data == 'table':
        data = folder / 'table.csv'
        write_table(data)
    run = folder / name
    words = [str(program), 'train', '--data', str(data), '--model', preset, '--out', str(run), '--overwrite']
    for setting in COMMON + settings:
        words += ['--set', setting]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'))
    if done.returncode != 0:
        sys.exit(f'[compare_training] {name}: {program} failed with code {done.returncode}:\n{done.stderr}')
    return run / 'checkpoint.safetensors'


def read_tensors(path):
    """{name after RENAMES: (type, shape, bytes)} of a safetensors file."""
    blob = path.read_bytes()
    length = struct.unpack('<Q', blob[:8])[0]
    header = json.loads(blob[8:8 + length])
    header.pop('__metadata__', None)
    tensors = {}
    for name, entry in header.items():
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        begin, end = entry['data_offsets']
        tensor = (entry['dtype'], entry['shape'], blob[8 + length + begin:8 + length + end])
        for pattern, count in LONGER:
            if re.search(pattern, name):
                tensor = (tensor[0], [count], tensor[2][:count * TYPES[tensor[0]][1]])
        tensors[name] = tensor
    return tensors


def largest_difference(a, b):
    """Largest absolute difference of two tensors' values, or None where they cannot be compared."""
    if a[0] != b[0] or a[0] not in TYPES or len(a[2]) != len(b[2]):
        return None
    values = [array.array(TYPES[a[0]][0], side[2]) for side in (a, b)]
    return max((abs(x - y) for x, y in zip(*values)), default=0.0)


def compare(old, new):
    """What differs between two files of tensors; empty if nothing does."""
    found, worst, where = [], -1.0, ''
    for name in sorted(old.keys() ^ new.keys()):
        if not any(re.search(pattern, name) for pattern in OPTIONAL):
            found.append(f'{name} only in {"old" if name in old else "new"}')
    for name in sorted(old.keys() & new.keys()):
        if old[name] == new[name]:
            continue
        difference = largest_difference(old[name], new[name])
        if difference is None:
            found.append(f'{name} {old[name][:2]} against {new[name][:2]}')
        elif difference > worst:
            worst, where = difference, name
    if where:
        found.append(f'largest difference {worst:.3g} in {where}')
    return found


def checkpoint_of(side, name, folder):
    if side.is_dir():
        return side / name / 'checkpoint.safetensors'
    folder.mkdir(parents=True, exist_ok=True)
    return train(side, name, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--old', type=pathlib.Path, required=True, metavar='SIDE')
    parser.add_argument('--new', type=pathlib.Path, required=True, metavar='SIDE')
    parser.add_argument('--keep', type=pathlib.Path, metavar='FOLDER', help='leave the runs here')
    parser.add_argument('--only', nargs='+', metavar='NAME', choices=CONFIGS, default=list(CONFIGS))
    words = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (words.keep or pathlib.Path(temporary)).resolve()
        for name in words.only:
            sides = [read_tensors(checkpoint_of(side.resolve(), name, folder / which))
                     for which, side in (('old', words.old), ('new', words.new))]
            found = compare(*sides)
            differing += bool(found)
            print(f'{name:14} {"; ".join(found) or f"identical ({len(sides[0])} tensors)"}', flush=True)
    return 1 if differing else 0


if __name__ == '__main__':
    sys.exit(main())
