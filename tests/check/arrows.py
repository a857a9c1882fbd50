#!/usr/bin/env python3
"""Checks that includes follow the arrows that src/README.md draws.

format/ includes nothing of ours but itself, and of libc only what needs no library. preload/ includes
format/ and itself, cli/ format/ and itself, and in each only its own folder or lower ones, in the order of the table of
folders in src/README.md; what is in each folder is what the table says. A .c file includes its own header first, and headers
do not include each other in a circle.

Usage: arrows.py SOURCE_ROOT. Prints one line for each breach and exits 1.
"""

import fnmatch
import pathlib
import re
import sys

FOLDERS = {
    "format": {"format"},
    "preload": {"preload", "format", "include"},
    "cli": {"cli", "format"},
}
FORMAT_SYSTEM_HEADERS = {"assert.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h",
                         "cpuid.h", "emmintrin.h", "wmmintrin.h"}  # the last: instructions, no code
PRELOAD_FORBIDDEN_HEADERS = {"stdio.h", "libunwind.h", "uthash.h", "zlib.h", "threads.h"}
# The reference that the tests compare with: compiled against libunwind, resolved by dlsym.
PRELOAD_EXCEPTIONS = {("unwind_reference.c", "libunwind.h")}
# What these call reads profiles, too: Go's text has symbols to be looked at as it is decoded, and a program that was
# built again is compared by names.
CLI_EXCEPTIONS = {("profile_decode.c", "go_text.h"), ("diff.c", "symbol.h")}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
FOLDER_ROW = re.compile(r"^\| `(preload|cli)/(\w+)/` \|(.*)\|\s*$", re.MULTILINE)


def read_rows(text):
    """{area: [(folder, [module patterns])]}: its layers, lowest first."""
    rows = {"preload": [], "cli": []}
    for area, folder, modules in FOLDER_ROW.findall(text):
        rows[area].append((folder, re.findall(r"`([\w*]+)`", modules)))
    return rows


def folder_of(module, rows):
    """The folder that the table has a module in; the longest pattern that fits decides. None: it has not."""
    module = re.sub(r"_(x86_64|aarch64)$", "", module)
    fits = [
        (len(pattern.rstrip("*")), "*" not in pattern, folder)
        for folder, patterns in rows
        for pattern in patterns
        if fnmatch.fnmatch(module, pattern)
    ]
    return max(fits)[2] if fits else None


class Tree:
    """The source files, their includes, and the breaches found so far."""

    def __init__(self, root):
        self.root = root
        self.source = root / "src"
        self.rows = read_rows((self.source / "README.md").read_text())
        self.layers = {area: [folder for folder, _ in rows] for area, rows in self.rows.items()}
        self.breaches = []
        self.headers = {}

    def breach(self, path, text):
        self.breaches.append(f"{path.relative_to(self.root)}: {text}")

    def resolve(self, path, name):
        """The file that `#include "name"` in `path` means; None when there is none."""
        for folder in (path.parent, self.source, self.root / "include"):
            if (folder / name).is_file():
                return (folder / name).resolve()
        return None

    def folder(self, path):
        return path.relative_to(self.root).parts[1 if self.source in path.parents else 0]

    def check_file(self, path):
        includes = INCLUDE.findall(path.read_text())
        for kind, name in includes:
            if kind == "<":
                self.check_system(path, name)
            else:
                self.check_own(path, name)
        self.check_first(path, [name for _, name in includes])

    def check_system(self, path, name):
        folder = self.folder(path)
        if folder == "format" and name not in FORMAT_SYSTEM_HEADERS:
            self.breach(path, f"format uses nothing but memcpy and its like, not <{name}>")
        exempt = (path.name, name) in PRELOAD_EXCEPTIONS
        if folder == "preload" and name in PRELOAD_FORBIDDEN_HEADERS and not exempt:
            self.breach(path, f"<{name}> has no place in a foreign process")

    def check_own(self, path, name):
        target = self.resolve(path, name)
        if target is None:
            self.breach(path, f'"{name}" is not a file of this tree')
            return
        folder, target_folder = self.folder(path), self.folder(target)
        if target_folder not in FOLDERS[folder]:
            self.breach(path, f"{folder} may not include {target_folder}/{target.name}")
        if path.parent == target.parent and "/" in name:
            self.breach(path, f'write "{target.name}" inside the folder')
        if folder == target_folder and (path.name, target.name) not in CLI_EXCEPTIONS:
            self.check_layers(path, target)
        if path.suffix == ".h":
            self.headers.setdefault(path, []).append(target)

    def check_layers(self, path, target):
        own, other, layers = path.parent.name, target.parent.name, self.layers.get(self.folder(path), [])
        if own in layers and other in layers and layers.index(other) > layers.index(own):
            self.breach(path, f"{path.stem} ({own}) may not include {target.name} ({other})")

    def check_first(self, path, names):
        own = path.with_suffix(".h")
        if path.suffix == ".c" and own.exists() and (not names or names[0] != own.name):
            self.breach(path, f'"{own.name}" must be its first include')

    def check_mapped(self, path):
        rows = self.rows.get(self.folder(path))
        if rows and folder_of(path.stem, rows) != path.parent.name:
            self.breach(path, "is not where the table in src/README.md has it")

    def check_circles(self):
        done = set()

        def visit(path, trail):
            if path in trail:
                names = [step.name for step in trail[trail.index(path):]] + [path.name]
                self.breach(path, "includes itself: " + " -> ".join(names))
            elif path not in done:
                for target in self.headers.get(path, []):
                    visit(target, trail + [path])
                done.add(path)

        for path in self.headers:
            visit(path, [])


def main():
    if len(sys.argv) != 2:
        print("usage: arrows.py SOURCE_ROOT", file=sys.stderr)
        sys.exit(2)
    tree = Tree(pathlib.Path(sys.argv[1]).resolve())
    if not all(tree.rows.values()):
        sys.exit("src/README.md: no table of folders found")
    files = sorted(path for path in tree.source.rglob("*.[ch]"))
    for path in files:
        tree.check_mapped(path)
        tree.check_file(path)
    tree.check_circles()
    for line in tree.breaches:
        print(line)
    print(f"{len(files)} files, {len(tree.breaches)} breaches")
    sys.exit(1 if tree.breaches or not files else 0)


if __name__ == "__main__":
    main()
