#!/usr/bin/env python3
"""Checks the direction of the includes, and that installed headers include installed headers only.

The order of the folders is that of the add_subdirectory lines of contraflow/CMakeLists.txt, then cli. A file
may include files of its own folder and of the folders above it in that list, and its folder must name the
folder it includes, or one that leads to it, in DEPENDS. The programs stand on top: examples include only
the library, benchmarks the library and their own files, tests also the command line. Nobody includes a program, and
nobody but a program includes contraflow/contraflow.h, which is everything.

Headers that lie directly in a folder of contraflow/ are installed, except those that its CMakeLists.txt names
after INTERNAL; those of its subfolders are not.

Quoted includes are written from the root of the repository, and name files that exist. <torch/torch.h> is
refused: it doubles the compile time.

Usage: check_includes.py [ROOT]     exit code 1 and one line per violation, or nothing.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LIBRARY = re.compile(r'contraflow_library\(\s*(\w+)([^)]*)\)')
LISTS = {'SOURCES', 'DEPENDS', 'INTERNAL', 'NO_TORCH', 'COLD', 'WITH'}
SUFFIXES = ('.h', '.cpp', '.cu', '.cuh')
# Programs and the tops (folders of the root) that they may include.
PROGRAMS = {'tests': {'contraflow', 'cli', 'tests'},
            'benchmarks': {'contraflow', 'benchmarks'},
            'examples': {'contraflow'}}
EVERYTHING = 'contraflow/contraflow.h'
# Headers that belong to no folder, and where they come from; the lowest folder may include them.
FREE = {'contraflow/version.h': 'cmake/version.h.in', 'contraflow/fwd.h': 'contraflow/fwd.h',
        EVERYTHING: 'cmake/contraflow.h.in'}


def folder_order(root):
    """Folders of the library, lowest first, and the command line on top."""
    text = (root / 'contraflow' / 'CMakeLists.txt').read_text()
    return re.findall(r'^\s*add_subdirectory\((\w+)\)', text, re.MULTILINE) + ['cli']


def library_lists(root, order):
    """{folder: {'DEPENDS': [...], 'INTERNAL': [...], ...}}; None for a folder without a library."""
    out = {}
    for folder in order[:-1]:
        path = root / 'contraflow' / folder / 'CMakeLists.txt'
        match = LIBRARY.search(re.sub(r'#.*', '', path.read_text())) if path.exists() else None
        out[folder] = {name: [] for name in LISTS} if match else None
        current = None
        for word in match.group(2).split() if match else []:
            if word in LISTS:
                current = word
            elif current:
                out[folder][current].append(word)
    return out


def reached_folders(lists, order):
    """{folder: every folder that it names in DEPENDS, directly or through others}."""
    reached = {}
    for folder in order[:-1]:  # lower folders come first, so what they reach is known
        if lists[folder] is None:
            reached[folder] = None
            continue
        direct = lists[folder]['DEPENDS']
        reached[folder] = set(direct)
        for other in direct:
            reached[folder] |= reached.get(other) or set()
    return reached


def includes(path):
    """(line number, bracket, target) of every include of a file."""
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, *match.groups()


def check_text(root, target):
    """What is wrong with the text of a quoted include, or nothing."""
    known = (root / FREE[target]).exists() if target in FREE else (root / target).exists()
    if target.partition('/')[0] not in {'contraflow', 'cli', *PROGRAMS} or not known:
        return ('expected an existing file written from the root of the repository, got another. '
                'Write "contraflow/<folder>/<file>.h".')
    return None


def check_direction(folder, target, order, reached):
    """What is wrong with a file of `folder` of the library, or of cli, including `target`, or nothing."""
    if target in FREE:
        return ('expected the headers that are used, got all of them. Include those.'
                if target == EVERYTHING else None)
    top, _, rest = target.partition('/')
    other = rest.partition('/')[0] if top == 'contraflow' else top
    if other in PROGRAMS:
        return f'expected the library, got a file of {other}. Move the code, or include something else.'
    if other not in order:
        return f'expected a folder of contraflow/CMakeLists.txt, got "{other}". Add it there.'
    if order.index(other) > order.index(folder):
        return (f'expected {folder} to include only {", ".join(order[:order.index(folder) + 1])}, got '
                f'{other}, which stands above it. Move the code, or pass what is needed as an argument.')
    if other != folder and reached.get(folder) is not None and other not in reached[folder]:
        return (f'expected {other} in DEPENDS of contraflow/{folder}/CMakeLists.txt, got '
                f'{sorted(reached[folder])}. Add it there.')
    return None


def check_program(program, target):
    """What is wrong with a file of tests, benchmarks or examples including `target`, or nothing."""
    allowed = PROGRAMS[program]
    if target.partition('/')[0] in allowed:
        return None
    return f'expected {program} to include only {", ".join(sorted(allowed))}, got another. Move the code.'


def is_installed(root, target, lists):
    """Whether a quoted include names a header that is installed."""
    if target in FREE:
        return target != EVERYTHING
    parts = target.split('/')
    return (len(parts) == 3 and parts[0] == 'contraflow' and lists.get(parts[1]) is not None
            and parts[2] not in lists[parts[1]]['INTERNAL'])


def files_of(base):
    return sorted(path for path in base.rglob('*') if path.suffix in SUFFIXES)


def check_headers(root, lists):
    """Yields one message per INTERNAL that is no file, and per internal header in an installed one."""
    for folder, words in lists.items():
        if words is None:
            continue
        base = root / 'contraflow' / folder
        for name in words['INTERNAL']:
            if not (base / name).exists():
                yield (f'contraflow/{folder}/CMakeLists.txt: INTERNAL: expected headers of the folder, '
                       f'got {name}. Remove it.')
        for path in sorted(base.glob('*.h')):
            name = str(path.relative_to(root))
            if not is_installed(root, name, lists):
                continue
            for number, bracket, target in includes(path):
                if bracket == '"' and (root / target).exists() and not is_installed(root, target, lists):
                    yield (f'{name}:{number}: "{target}": expected an installed header, because {name} is '
                           f'one, got an internal one. Declare what is needed, or name {path.name} after '
                           f'INTERNAL in contraflow/{folder}/CMakeLists.txt.')


def violations(root):
    """Every violation under root, as text."""
    order = folder_order(root)
    lists = library_lists(root, order)
    reached = reached_folders(lists, order)
    found = []
    for folder in order + list(PROGRAMS):
        base = root / folder if folder in ('cli', *PROGRAMS) else root / 'contraflow' / folder
        for path in files_of(base):
            for number, bracket, target in includes(path):
                place = f'{path.relative_to(root)}:{number}'
                if target == 'torch/torch.h':
                    found.append(f'{place}: <torch/torch.h>: expected a narrow header, got all of LibTorch. '
                                 'Include <ATen/ATen.h> or <torch/nn/module.h>.')
                if bracket == '<':
                    continue
                wrong = check_text(root, target)
                if wrong is None and folder in PROGRAMS:
                    wrong = check_program(folder, target)
                elif wrong is None:
                    wrong = check_direction(folder, target, order, reached)
                if wrong is not None:
                    found.append(f'{place}: "{target}": {wrong}')
    return found + list(check_headers(root, lists))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = violations(root.resolve())
    for text in found:
        print(f'[includes] {text}', file=sys.stderr)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
