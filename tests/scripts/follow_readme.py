"""Runs the commands of README.md, word for word, with the program that was built.

Usage: follow_readme.py README.md PROGRAM CONFIGS

Every line of the ```sh block that uses the program runs in an empty folder with the program on the
PATH, the project's configs beside it and a small table.csv with a column w. `make` lines are what the
tests run within, and the one command that its own comment calls hours long runs with --quick.
Exits with 1 and the words of the first command that fails.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM_BLOCK = re.compile(r"```sh\n(contraflow .*?)```", re.DOTALL)


def commands_of(text: str) -> list[str]:
    """The lines that use the program, of the blocks that start with one."""
    lines = []
    for block in PROGRAM_BLOCK.findall(text):
        lines += [line for line in block.splitlines() if line.startswith("contraflow ")]
    return lines


def shortened(line: str) -> str:
    """The command as it is run: what is said to take hours takes its short form."""
    command, _, comment = line.partition("#")
    return command.strip() + (" --quick" if "hour" in comment else "")


def write_table(path: Path) -> None:
    numbers = random.Random(1)
    rows = [f"{numbers.gauss(0, 1)},{numbers.gauss(5, 2)},{numbers.random()}" for _ in range(2000)]
    path.write_text("\n".join(["x,y,w", *rows]) + "\n")


def main(readme: str, program: str, configs: str) -> int:
    lines = commands_of(Path(readme).read_text(encoding="utf-8"))
    if len(lines) < 8:
        print(f"expected the commands of {readme} in one block, got {len(lines)}: {lines}")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(configs, folder / "configs")
        write_table(folder / "table.csv")
        environment = dict(os.environ, PATH=f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
        for line in lines:
            command = shortened(line)
            done = subprocess.run(command, shell=True, cwd=folder, env=environment, text=True,
                                  capture_output=True, check=False)
            if done.returncode != 0:
                print(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
                return 1
            print(f"{command}: done")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
