#!/usr/bin/env python3
"""Checks that what installed headers declare and a source file defines carries CF_EXPORT.

That is, at namespace scope: classes that have a base, a virtual function or a function without a body, free
functions without a body, and extern variables. Templates, inline functions and plain structs need no mark.
Headers named after INTERNAL (scripts/check_includes.py) are not looked at.

Usage: check_exports.py [--fix] [ROOT]   exit code 1 and one line per missing mark, or nothing.
                                         --fix writes the marks; 'make format' breaks the lines.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_includes  # noqa: E402

MARK = 'CF_EXPORT'
HEADER = 'contraflow/core/export.h'
HIDDEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![\w\'])\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.MULTILINE)
CLASS = re.compile(rf'^(?:class|struct)\s+(?P<mark>{MARK}\s+)?(?P<name>\w+)\s*(?P<rest>(?:final)?\s*(?::.*)?)$',
                   re.DOTALL)
ATTRIBUTES = re.compile(r'(?:\[\[[^\]]*\]\]\s*)*')
FUNCTION = re.compile(r'\w+\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*(?:const\s*)?(?:noexcept\s*)?(?:override\s*)?$')
OTHER = re.compile(r'^(?:inline|constexpr|template|using|typedef|friend|static_assert|static|enum|class|struct|union|'
                   r'namespace|public|private|protected)\b')


def blanked(text):
    """The text with comments, strings and directives as blanks, so that places stay."""
    blank = lambda match: re.sub(r'[^\n]', ' ', match.group(0))  # noqa: E731
    return DIRECTIVE.sub(blank, HIDDEN.sub(blank, text))


def without_arguments(text):
    """Without template arguments, whose parentheses and commas are no function's."""
    while True:
        shorter = re.sub(r'<[^<>;{}]*>', '', text)
        if shorter == text:
            return text
        text = shorter


def closing(text, opening):
    """Place of the brace that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {'{': 1, '}': -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text)


def statements(text, begin, end):
    """(place, head, place of the opening brace or None) of every statement between two places."""
    start = begin
    place = begin
    inside = 0  # parentheses, whose braces are those of default arguments
    while place < end:
        inside += {'(': 1, ')': -1}.get(text[place], 0)
        if text[place] == '{' and inside == 0:
            close = closing(text, place)
            yield start, text[start:place], place
            start = place = close + 1
        elif text[place] == ';' and inside == 0:
            yield start, text[start:place], None
            start = place = place + 1
        else:
            place += 1


def declares_function(head):
    head = re.sub(r'^\s*(?:public|private|protected)\s*:', '', head.strip()).strip()
    head = ATTRIBUTES.sub('', head)
    if not head or OTHER.match(re.sub(r'^static\s+', '', head)):
        return False
    plain = without_arguments(head)
    return '=' not in plain.partition('(')[0] and FUNCTION.search(plain) is not None


def class_needs_mark(text, head, opening):
    if ':' in head.replace('::', ''):
        return True
    close = closing(text, opening)
    body = text[opening + 1:close]
    if re.search(r'\bvirtual\b', body):
        return True
    return any(brace is None and declares_function(inner)
               for _, inner, brace in statements(text, opening + 1, close))


def missing_marks(text):
    """(place for the mark, what lacks it) in a blanked header."""
    found = []

    def look(begin, end):
        for start, head, opening in statements(text, begin, end):
            stripped = head.strip()
            at = start + len(head) - len(head.lstrip())
            space = re.match(r'^namespace\s+([\w:]+)$', stripped)
            if space:
                look(opening + 1, closing(text, opening))
                continue
            kind = CLASS.match(stripped) if opening is not None else None
            if kind and not kind.group('mark') and class_needs_mark(text, stripped, opening):
                found.append((at + kind.start('name'), f'class {kind.group("name")}'))
            elif opening is None and MARK not in stripped and (
                    declares_function(stripped) or stripped.startswith('extern ')):
                name = re.findall(r'(\w+)\s*[([]', without_arguments(stripped)) or [stripped.split()[-1]]
                found.append((at + ATTRIBUTES.match(stripped).end(), name[0]))

    look(0, len(text))
    return found


def with_marks(text, places):
    for place, _ in sorted(places, reverse=True):
        text = f'{text[:place]}{MARK} {text[place:]}'
    if f'"{HEADER}"' in text:
        return text
    ours = [m for m in re.finditer(r'^#include "([^"]+)"\n', text, re.MULTILINE)]
    line = f'#include "{HEADER}"\n'
    for match in ours:
        if match.group(1) > HEADER:
            return text[:match.start()] + line + text[match.start():]
    if ours:
        return text[:ours[-1].end()] + line + text[ours[-1].end():]
    last = list(re.finditer(r'^#include [^\n]*\n|^#pragma once\n', text, re.MULTILINE))[-1]
    return f'{text[:last.end()]}\n{line}{text[last.end():]}'


def main():
    arguments = [a for a in sys.argv[1:] if a != '--fix']
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent).resolve()
    order = check_includes.folder_order(root)
    lists = check_includes.library_lists(root, order)
    failed = False
    for folder in order[:-1]:
        for path in sorted((root / 'contraflow' / folder).glob('*.h')):
            name = str(path.relative_to(root))
            if name == HEADER or not check_includes.is_installed(root, name, lists):
                continue
            text = path.read_text()
            places = missing_marks(blanked(text))
            if places and '--fix' in sys.argv:
                path.write_text(with_marks(text, places))
                continue
            for place, what in places:
                line = text.count('\n', 0, place) + 1
                print(f'[exports] {name}:{line}: {what}: expected {MARK}, got none. '
                      "Run scripts/check_exports.py --fix, then 'make format'.", file=sys.stderr)
                failed = True
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
