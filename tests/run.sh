#!/bin/bash
# Every test of heapdiff, on a fresh Debian 12 machine: installs what is missing, builds, runs all suites,
# and again those that sanitizers can watch. The last line is `N passed, N failed`.
#
#     tests/run.sh [SUITE...]       only these suites, and no sanitizers
#     tests/run.sh ports            the preload for musl, for aarch64 (under qemu) and as before glibc 2.35
#
# Build directories are kept: build-test, build-check, build-asan, build-tsan, build-listed, build-musl,
# build-aarch64. Single suites by hand:
#     meson test -C build-test --suite unit|fuzz|data|check|e2e
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build_packages="gcc g++ pkg-config meson ninja-build python3 libc6-dev binutils libdw-dev libelf-dev
    libiberty-dev zlib1g-dev libunwind-dev libjemalloc-dev uthash-dev libcmocka-dev"
# Without these the tests that need them are skipped.
check_packages="clang clang-tidy clang-format libclang-rt-dev mandoc"
program_packages="redis-server redis-tools sqlite3 git perl nodejs openjdk-17-jdk-headless golang-go
    dash bash make libgc-dev guile-3.0 libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 util-linux
    valgrind postgresql-15 mono-runtime mono-mcs ruby lua5.4 lua5.3 lua5.2 lua5.1 luajit"
# To be embedded: runtimes as libraries.
program_packages="$program_packages libpython3-dev ruby-dev liblua5.4-dev liblua5.3-dev liblua5.1-0-dev
    libluajit-5.1-dev"
# Other C libraries and processors: 12 s to fetch, 300 MB on disk.
port_packages="musl-tools gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"

passed=0
failed=0
skipped=0

say() {
    printf '\n== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q "ok installed" || echo "$name"
    done
}

# Packages that this release does not have, or that cannot be fetched, cost their tests alone.
install_missing() {
    local missing
    command -v dpkg-query >/dev/null || return 0
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    install_packages "${missing[@]}" && return
    local name
    for name in "${missing[@]}"; do
        install_packages "$name" || echo "not installed: $name"
    done
}

install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The number after `LABEL:` in meson's summary.
summary() {
    local count
    count=$(sed -n "s/^$2: *//p" "$1" | tail -1)
    echo "${count:-0}"
}

count_results() {
    local log=$1 good bad
    good=$(($(summary "$log" Ok) + $(summary "$log" "Expected Fail")))
    bad=$(($(summary "$log" Fail) + $(summary "$log" "Unexpected Pass") + $(summary "$log" Timeout)))
    passed=$((passed + good))
    failed=$((failed + bad))
    skipped=$((skipped + $(summary "$log" Skipped)))
    # No test ran: that is a failure too.
    [ $((good + bad)) -gt 0 ] || failed=$((failed + 1))
}

# configure DIRECTORY OPTION...: a build directory as of now, whatever it was before.
configure() {
    local directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        meson setup --reconfigure "$directory" "$@"
    else
        rm -rf "$directory" && meson setup "$directory" "$@"
    fi >"$directory.log" 2>&1 || {
        tail -20 "$directory.log"
        return 1
    }
    rm -f "$directory.log"
}

# run_tests DIRECTORY CHOICE...: builds everything and runs what `meson test CHOICE...` runs; none means all.
run_tests() {
    local directory=$1 log=$1/run.log
    shift
    # All of it first: what a test runs is not always what it is told to depend on.
    if ! ninja --quiet -C "$directory"; then
        failed=$((failed + 1))
        return
    fi
    meson test -C "$directory" --no-rebuild --print-errorlogs --timeout-multiplier 3 "$@" 2>&1 | tee "$log" |
        grep -vE '^\[[0-9]+/[0-9]+\] |^ninja: |^Full log|^$'
    count_results "$log"
}

# build_and_test DIRECTORY "SUITES" OPTION...
build_and_test() {
    local directory=$1 suites=$2 chosen=() suite
    shift 2
    for suite in $suites; do chosen+=(--suite "$suite"); done
    say "$directory: ${suites:-all suites}"
    if configure "$directory" "$@"; then
        run_tests "$directory" "${chosen[@]}"
    else
        echo "$directory: cannot be configured"
        failed=$((failed + 1))
    fi
}

# Each stack of each event of these programs is compared with libunwind's: none may differ. The slow ones take
# twice as long as without.
self_checked() {
    local programs="truth family adversary signals python gcc sqlite perl java"
    say "build-check: $programs"
    # shellcheck disable=SC2086 # a list of names
    if configure build-check -Dself_check=true; then
        run_tests build-check $programs
    else
        failed=$((failed + 1))
    fi
}

sanitized() {
    local asan_compiler=gcc asan_compiler_cxx=g++
    # The one build with clang: its warnings are errors too.
    if command -v clang >/dev/null && command -v clang++ >/dev/null; then
        asan_compiler=clang
        asan_compiler_cxx=clang++
    fi
    CC=$asan_compiler CXX=$asan_compiler_cxx build_and_test build-asan "unit fuzz" \
        -Db_sanitize=address,undefined -Db_lundef=false
    build_and_test build-tsan "unit" -Db_sanitize=thread -Db_lundef=false
}

have_all() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || {
            echo "not tested: $name is not installed"
            return 1
        }
    done
}

# The preload alone, for others than this machine's C library and processor; the command of build-test reads
# what they write.
ports() {
    export HEAPDIFF_COMMAND=$PWD/build-test/src/cli/heapdiff
    build_and_test build-listed "unit ports" -Dpreload_only=true -Dloader_lookup=false
    have_all musl-gcc && build_and_test build-musl "ports" \
        --cross-file tests/cross/musl.ini -Dpreload_only=true
    have_all aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64 &&
        tests/cross/sysroot.sh build-sysroot && build_and_test build-aarch64 "unit ports" \
        --cross-file build-sysroot/sysroot.ini --cross-file tests/cross/aarch64.ini -Dpreload_only=true
}

# shellcheck disable=SC2086 # lists of names
install_missing $build_packages $check_packages $program_packages
case "$*" in
"")
    build_and_test build-test ""
    self_checked
    sanitized
    # shellcheck disable=SC2086
    install_missing $port_packages
    ports
    ;;
ports)
    # shellcheck disable=SC2086
    install_missing $port_packages
    configure build-test && ninja --quiet -C build-test src/cli/heapdiff || failed=$((failed + 1))
    ports
    ;;
*)
    build_and_test build-test "$*"
    ;;
esac
[ "$skipped" = 0 ] || printf '\n%d skipped\n' "$skipped"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
