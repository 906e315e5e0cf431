"""Compiles every installed header on its own, by the commands of a build of this folder.

    python3 check.py BUILD

At the end of a unit g++ instantiates the templates that LibTorch's headers have used, 5 s for each unit and not
what is asked here. So each unit ends in a static_assert that fails, and the compiler stops at its first error: a header
that compiles is one whose first error is that one.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

END = 'end of the header'


def check(command):
    """The compiler's words if it stopped before the end, else nothing."""
    arguments = shlex.split(command['command']) + ['-fsyntax-only', '-Wfatal-errors']
    done = subprocess.run(arguments, cwd=command['directory'], capture_output=True, text=True, check=False)
    first = next((line for line in done.stderr.splitlines() if 'error:' in line), '')
    return '' if END in first else f'{" ".join(arguments)}\n{done.stderr}'


def main():
    commands = json.loads((pathlib.Path(sys.argv[1]) / 'compile_commands.json').read_text())
    commands = [command for command in commands if command['file'].endswith('.h.cpp')]
    if not commands:
        sys.exit('headers: expected commands of headers in compile_commands.json, got none')
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        failures = [text for text in pool.map(check, commands) if text]
    for text in failures:
        print(text)
    print(f'{len(commands)} headers, {len(failures)} do not compile on their own')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
