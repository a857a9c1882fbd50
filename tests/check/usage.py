#!/usr/bin/env python3
"""Checks that the scripts which need arguments say so when they get none or too many: one line, status 2.

Usage: usage.py SOURCE_ROOT. Prints one line for each breach and exits 1.
"""

import pathlib
import subprocess
import sys

SCRIPTS = ["check/arrows.py", "check/functions.py", "check/symbols.py", "check/usage.py", "check/header.sh",
           "check/layout.sh", "check/tidy.sh", "cross/sysroot.sh", "data/make_profiles.py", "e2e/programs.py"]
TOO_MANY = ["nonsense"] * 4


def breaches(path):
    start = [sys.executable] if path.suffix == ".py" else ["bash"]
    for arguments in ([], TOO_MANY):
        done = subprocess.run([*start, path, *arguments], capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        if done.returncode != 2 or not said.startswith(f"usage: {path.name} ") or said.count("\n") != 1:
            yield f"{path.name} with {len(arguments)} arguments: status {done.returncode}, {said[:200]!r}"


def main():
    if len(sys.argv) != 2:
        print("usage: usage.py SOURCE_ROOT", file=sys.stderr)
        sys.exit(2)
    tests = pathlib.Path(sys.argv[1]).resolve() / "tests"
    found = [text for name in SCRIPTS for text in breaches(tests / name)]
    for text in found:
        print(text)
    print(f"{len(SCRIPTS)} scripts, {len(found)} breaches")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
