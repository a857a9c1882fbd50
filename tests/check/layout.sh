#!/bin/sh
# layout.sh SOURCE_ROOT: every C and C++ file is as clang-format writes it, but for the programs that tests
# give to compilers. Skips without clang-format.
set -u
[ $# = 1 ] || { echo "usage: layout.sh SOURCE_ROOT" >&2; exit 2; }
command -v clang-format >/dev/null || exit 77
cd "$1" || exit 1
find src include tests examples -path tests/e2e/programs -prune -o \( -name '*.[ch]' -o -name '*.cc' \) -print |
    sort | xargs clang-format --dry-run -Werror
