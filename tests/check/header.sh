#!/bin/sh
# header.sh SOURCE_ROOT LIBRARY: include/heapdiff.h is valid C11 and C++11 to C++20 with gcc and clang,
# as a position-independent program and as another; the program runs without the preload, and is
# seen by it when it is there. Compilers that are not installed are passed over.
set -u
[ $# = 2 ] || { echo "usage: header.sh SOURCE_ROOT LIBRARY" >&2; exit 2; }
source=$1
library=$2
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0
tried=0

fail()
{
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# try COMPILER LANGUAGE STANDARD FLAGS...
try()
{
    tried=$((tried + 1))
    compiler=$1
    language=$2
    standard=$3
    shift 3
    "$compiler" -x "$language" -std="$standard" "$@" -Wall -Wextra -Wpedantic -Werror -I"$source/include" \
        "$source/tests/check/header_use.c" -o "$scratch/use" || { fail "$compiler $standard $*: does not compile"; return; }
    "$scratch/use" || fail "$compiler $standard $*: without the preload: $?"
    HEAPDIFF=out="$scratch/final.prof" LD_PRELOAD="$library" "$scratch/use" "$scratch/asked.prof" ||
        fail "$compiler $standard $*: with the preload: $?"
    test -s "$scratch/asked.prof" || fail "$compiler $standard $*: no snapshot"
    rm -f "$scratch"/*.prof
}

for kind in '-fPIE -pie' '-fno-pie -no-pie' '-O2 -fno-pie -no-pie'; do
    for compiler in gcc clang; do
        # shellcheck disable=SC2086 # flags
        command -v $compiler >/dev/null && try $compiler c c11 $kind
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        for version in 11 14 17 20; do
            # shellcheck disable=SC2086 # flags
            try $compiler c++ c++$version $kind
        done
    done
done
echo "$tried programs, $failed failures"
test $tried -gt 0 || exit 77
test $failed -eq 0
