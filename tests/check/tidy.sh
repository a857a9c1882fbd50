#!/bin/sh
# tidy.sh SOURCE_ROOT BUILD_ROOT: clang-tidy, with the checks of .clang-tidy, finds nothing in src/.
# Skips without clang-tidy, or when the build directory has no compile_commands.json.
set -u
[ $# = 2 ] || { echo "usage: tidy.sh SOURCE_ROOT BUILD_ROOT" >&2; exit 2; }
command -v clang-tidy >/dev/null || exit 77
test -f "$2/compile_commands.json" || exit 77
# The commands are gcc's; clang's own warnings are the business of a build with clang.
find "$1/src" -name '*.c' | sort |
    xargs -P "$(nproc)" -n 8 clang-tidy -p "$2" --quiet --extra-arg=-Wno-unknown-warning-option \
        --extra-arg=-Wno-string-concatenation 2>/dev/null
