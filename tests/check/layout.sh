#!/bin/sh
# layout.sh SOURCE_ROOT: every C and C++ file is as clang-format writes it. Skips without clang-format.
set -u
command -v clang-format >/dev/null || exit 77
cd "$1" || exit 1
find src include tests examples -name '*.[ch]' -o -name '*.cc' | sort | xargs clang-format --dry-run -Werror
