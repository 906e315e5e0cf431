#!/usr/bin/env python3
"""Checks the direction of the includes.

The order of the folders is that of the add_subdirectory lines of contraflow/CMakeLists.txt, then cli.
A file may include files of its own folder and of the folders above it in that list, and its folder must
name the folder it includes, or one that leads to it, in DEPENDS. Quoted includes are written from the
root of the repository, and name files that exist. <torch/torch.h> is refused: it doubles the compile time.

Usage: check_includes.py [ROOT]     exit code 1 and one line per violation, or nothing.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LIBRARY = re.compile(r'contraflow_library\(\s*(\w+)([^)]*)\)')
LISTS = {'SOURCES', 'DEPENDS', 'NO_TORCH'}


def folder_order(root):
    """Folders of the library, lowest first, and the command line on top."""
    text = (root / 'contraflow' / 'CMakeLists.txt').read_text()
    return re.findall(r'^\s*add_subdirectory\((\w+)\)', text, re.MULTILINE) + ['cli']


def declared_dependencies(root, order):
    """{folder: every folder that it names in DEPENDS, directly or through others}."""
    direct = {}
    for folder in order[:-1]:
        path = root / 'contraflow' / folder / 'CMakeLists.txt'
        match = LIBRARY.search(re.sub(r'#.*', '', path.read_text())) if path.exists() else None
        words, current = [], None
        for word in match.group(2).split() if match else []:
            if word in LISTS:
                current = word
            elif current == 'DEPENDS':
                words.append(word)
        direct[folder] = words if match else None
    reached = {}
    for folder in order[:-1]:  # lower folders come first, so what they reach is known
        if direct[folder] is None:
            reached[folder] = None
            continue
        reached[folder] = set(direct[folder])
        for other in direct[folder]:
            reached[folder] |= reached.get(other) or set()
    return reached


def check_file(root, path, folder, order, reached):
    """Yields one message per violation in the file."""
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, target = match.groups()
        place = f'{path.relative_to(root)}:{number}'
        if target == 'torch/torch.h':
            yield (f'{place}: <torch/torch.h>: expected a narrow header, got all of LibTorch. '
                   'Include <ATen/ATen.h> or <torch/nn/module.h>.')
        if bracket == '<':
            continue
        top, _, rest = target.partition('/')
        other = rest.partition('/')[0] if top == 'contraflow' else top
        if top not in ('contraflow', 'cli') or not (root / target).exists():
            yield (f'{place}: "{target}": expected an existing file written from the root of the '
                   'repository, got another. Write "contraflow/<folder>/<file>.h".')
        elif other not in order:
            yield (f'{place}: "{target}": expected a folder of contraflow/CMakeLists.txt, got '
                   f'"{other}". Add it there.')
        elif order.index(other) > order.index(folder):
            yield (f'{place}: "{target}": expected {folder} to include only '
                   f'{", ".join(order[:order.index(folder) + 1])}, got {other}, which stands above it. '
                   'Move the code, or pass what is needed as an argument.')
        elif (other != folder and reached.get(folder) is not None
              and other not in reached[folder]):
            yield (f'{place}: "{target}": expected {other} in DEPENDS of '
                   f'contraflow/{folder}/CMakeLists.txt, got {sorted(reached[folder])}. Add it there.')


def violations(root):
    """Every violation under root, as text."""
    order = folder_order(root)
    reached = declared_dependencies(root, order)
    found = []
    for folder in order:
        base = root / folder if folder == 'cli' else root / 'contraflow' / folder
        for path in sorted(base.rglob('*')):
            if path.suffix in ('.h', '.cpp', '.cu'):
                found += check_file(root, path, folder, order, reached)
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = violations(root.resolve())
    for text in found:
        print(f'[includes] {text}', file=sys.stderr)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
