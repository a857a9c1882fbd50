#!/bin/sh
# header.sh SOURCE_ROOT LIBRARY: include/heapdiff.h is valid C11 and C++11 to C++20 with gcc and clang,
# as a position-independent program and as another; the program runs without the preload, and is
# seen by it when it is there. Compilers that are not installed are passed over.
set -u
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
    shift 2
    "$compiler" -x "$language" -std="$@" -Wall -Wextra -Wpedantic -Werror -I"$source/include" \
        "$source/tests/check/header_use.c" -o "$scratch/use" || { fail "$compiler $*: does not compile"; return; }
    "$scratch/use" || fail "$compiler $*: without the preload: $?"
    HEAPDIFF=out="$scratch/final.prof" LD_PRELOAD="$library" "$scratch/use" "$scratch/asked.prof" ||
        fail "$compiler $*: with the preload: $?"
    test -s "$scratch/asked.prof" || fail "$compiler $*: no snapshot"
    rm -f "$scratch"/*.prof
}

for kind in '-fPIE -pie' '-fno-pie -no-pie' '-O2 -fno-pie -no-pie'; do
    for compiler in gcc clang; do
        # $kind is two words on purpose.
        command -v $compiler >/dev/null && try $compiler c c11 $kind
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        for standard in c++11 c++14 c++17 c++20; do
            try $compiler c++ $standard $kind
        done
    done
done
echo "$tried programs, $failed failures"
test $tried -gt 0 || exit 77
test $failed -eq 0
