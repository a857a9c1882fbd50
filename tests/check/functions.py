#!/usr/bin/env python3
"""Checks that functions fit a screen: at most 60 lines, 5 parameters, 3 levels of nesting.

Relies on the layout that clang-format gives (another check): a function's braces stand alone in the first
column, and every level is four spaces. Lines count as written: what a macro expands to is not counted.

Usage: functions.py SOURCE_ROOT. Prints one line for each breach and exits 1.
"""

import pathlib
import re
import statistics
import sys

LINES_MAX = 60
PARAMETERS_MAX = 5
NESTING_MAX = 3

# Not ours to choose: the kernel's, functions we stand in for, and a test of arguments on the stack.
FOREIGN_SIGNATURES = {"sys_call6", "mmap", "mmap64", "mremap", "many_arguments", "posix_spawn", "posix_spawnp",
                      "pass_call", "ask_kernel"}

BRANCH = re.compile(r" +(?:if|for|while|do|switch)\b")


def signature_before(lines, brace):
    """Index of the first line of the signature whose body opens at line `brace`."""
    first = brace
    while first > 0 and lines[first - 1] and not re.match(r"[#}/]| \*|.*[;}]$", lines[first - 1]):
        first -= 1
    return first


def functions(lines):
    """Yields (first line, last line) of each function, as indexes."""
    brace = None
    for at, line in enumerate(lines):
        if line == "{":
            brace = at
        elif line == "}" and brace is not None:
            yield signature_before(lines, brace), brace, at
            brace = None


def name_and_parameters(signature):
    """("name", number of parameters) of a signature on one line."""
    signature = re.sub(r"__attribute__\(\(.*?\)\)\s*", "", signature)
    opening = re.search(r"(\w+)\(", signature)
    if not opening:
        return "?", 0
    depth, commas = 0, 0
    for character in signature[opening.end() - 1:]:
        depth += (character == "(") - (character == ")")
        commas += character == "," and depth == 1
        if depth == 0:
            break
    return opening.group(1), commas + 1


def nesting(body):
    """The deepest level of branches in a body: one inside no other is at level 1."""
    deepest, open_indents = 0, []
    for line in body:
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        while open_indents and open_indents[-1] >= indent:
            open_indents.pop()
        if BRANCH.match(line):
            open_indents.append(indent)
            deepest = max(deepest, len(open_indents))
    return deepest


def breaches(lines, first, brace, last):
    name, parameters = name_and_parameters(" ".join(lines[first:brace]))
    if last - first + 1 > LINES_MAX:
        yield f"{name}() has {last - first + 1} lines, {LINES_MAX} are the limit"
    if parameters > PARAMETERS_MAX and name not in FOREIGN_SIGNATURES:
        yield f"{name}() has {parameters} parameters, {PARAMETERS_MAX} are the limit"
    if nesting(lines[brace:last]) > NESTING_MAX:
        yield f"{name}() nests {nesting(lines[brace:last])} levels, {NESTING_MAX} are the limit"


def main():
    if len(sys.argv) != 2:
        print("usage: functions.py SOURCE_ROOT", file=sys.stderr)
        sys.exit(2)
    root = pathlib.Path(sys.argv[1]).resolve()
    sizes, found = [], 0
    files = [path for folder in ("src", "include", "tests") for path in (root / folder).rglob("*.[ch]")]
    for path in sorted(files):
        lines = path.read_text().split("\n")
        for first, brace, last in functions(lines):
            if "src" in path.relative_to(root).parts:
                sizes.append(last - first + 1)
            for text in breaches(lines, first, brace, last):
                print(f"{path.relative_to(root)}:{first + 1}: {text}")
                found += 1
    if not sizes:
        sys.exit("no functions found")
    tenths = statistics.quantiles(sizes, n=10)
    print(
        f"{len(sizes)} functions in src: median {statistics.median(sizes):.0f}, "
        f"p90 {tenths[8]:.0f}, max {max(sizes)} lines; {found} breaches"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
