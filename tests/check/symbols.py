#!/usr/bin/env python3
"""Checks what libheapdiff.so gives to and takes from a foreign process.

What it exports must be exactly exported.txt, what it needs exactly undefined.txt: one symbol a line, without
version; `#` starts a comment. A leading `?` marks a symbol that compiler or libc decide about: it may be there.

Usage: symbols.py LIBRARY EXPORTED UNDEFINED. Needs nm; skips (77) without it.
"""

import shutil
import subprocess
import sys


def read_list(path):
    """(required, optional) symbols of a list."""
    required, optional = set(), set()
    for line in open(path):
        symbol = line.split("#")[0].strip()
        if symbol.startswith("?"):
            optional.add(symbol[1:])
        elif symbol:
            required.add(symbol)
    return required, optional


def read_library(library, which):
    output = subprocess.run(
        ["nm", "--dynamic", "--format=posix", which, library], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[0].split("@")[0] for line in output.splitlines() if line.strip()}


def compare(kind, found, path):
    """Prints the differences; their number."""
    required, optional = read_list(path)
    extra, missing = found - required - optional, required - found
    for symbol in sorted(extra):
        print(f"{kind} but not in {path}: {symbol}")
    for symbol in sorted(missing):
        print(f"in {path} but not {kind}: {symbol}")
    print(f"{len(found)} symbols {kind}")
    return len(extra) + len(missing)


def main():
    if len(sys.argv) != 4:
        print("usage: symbols.py LIBRARY EXPORTED UNDEFINED", file=sys.stderr)
        sys.exit(2)
    library, exported, undefined = sys.argv[1:]
    if not shutil.which("nm"):
        sys.exit(77)
    differences = compare("exported", read_library(library, "--defined-only"), exported)
    differences += compare("undefined", read_library(library, "--undefined-only"), undefined)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
