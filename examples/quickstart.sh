#!/bin/bash
# From a clean clone on a Debian machine to the first answer: installs what is missing, builds, runs
# redis-server under the preload with a real load, takes two snapshots and prints what grew between.
#
#     examples/quickstart.sh            everything it makes stays in build/quickstart
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=$root/build
work=$build/quickstart
preload=$build/src/preload/libheapdiff.so
heapdiff=$build/src/cli/heapdiff
packages="gcc g++ libc6-dev make pkg-config meson ninja-build libdw-dev libelf-dev libiberty-dev zlib1g-dev
    libunwind-dev libjemalloc-dev uthash-dev libcmocka-dev"

say() {
    printf '\n== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_missing() {
    local missing="" name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q "ok installed" ||
            missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing \
        >/dev/null
}

build_heapdiff() {
    say "building heapdiff"
    [ -f "$build/build.ninja" ] || meson setup "$build" >"$work/meson.log" || {
        tail -20 "$work/meson.log"
        return 1
    }
    ninja --quiet -C "$build" src/preload/libheapdiff.so src/cli/heapdiff
}

# apt-get against the mirrors this machine is set up with, asked for sources, in folders of our own:
# the machine's own lists are not touched.
apt_sources() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/parts" \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

fetch_redis_source() {
    local file
    mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/apt/parts/${file##*/}"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$file" ] || sed -n 's/^deb \(.*\)/deb-src \1/p' "$file" >"$work/apt/parts/${file##*/}"
    done
    apt_sources update || true # a mirror without sources is no harm while another has them
    (cd "$work" && apt_sources source --download-only redis)
    mkdir -p "$work/redis"
    for file in "$work"/redis_*.orig.tar.*z; do
        tar -xf "$file" -C "$work/redis" --strip-components 1 || return 1
    done
}

# Debian's redis-server has no debug information: built from Debian's source it names file and line.
build_redis() {
    redis=$work/redis/src
    [ ! -x "$redis/redis-benchmark" ] || return 0
    say "building redis from Debian's source, with debug information (a minute)"
    if fetch_redis_source 2>"$work/source.log" &&
        make -s -j"$(nproc)" -C "$redis" MALLOC=libc OPTIMIZATION=-O2 \
            redis-server redis-cli redis-benchmark >"$work/redis.log" 2>&1; then
        return 0
    fi
    say "no source to be had ($work/source.log, redis.log): taking Debian's binary, names without lines"
    install_missing redis-server redis-tools
    redis=/usr/bin
}

free_port() {
    local port
    for port in $(seq 16379 16479); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Sends SIGUSR1 and waits for the profile it makes: snapshot NUMBER.
snapshot() {
    local file=redis-server.$server.$1.prof
    kill -USR1 "$server"
    for _ in $(seq 100); do
        [ ! -f "$file" ] || { echo "wrote build/quickstart/$file" && return 0; }
        sleep 0.1
    done
    echo "no $file after 10 s" >&2
    return 1
}

load() {
    "$redis/redis-benchmark" -p "$port" -q -P 16 -r 50000 "$@" | tr '\r' '\n' | grep "per second"
}

mkdir -p "$work"
# shellcheck disable=SC2086 # a list of names
install_missing $packages
build_heapdiff
build_redis

cd "$work"
rm -f ./*.prof
port=$(free_port)
say "LD_PRELOAD=libheapdiff.so redis-server --port $port"
LD_PRELOAD=$preload "$redis/redis-server" --port "$port" --bind 127.0.0.1 --save "" \
    --logfile redis-server.log &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    [ "$("$redis/redis-cli" -p "$port" ping 2>/dev/null)" != PONG ] || break
    sleep 0.1
done

say "a load, and the first snapshot: kill -USR1 $server"
load -n 50000 -t set,get,incr
snapshot 1
say "more of everything, and the second snapshot"
load -n 100000 -d 64 -t set,lpush,hset,zadd,sadd
snapshot 2

say "heapdiff --base redis-server.$server.1.prof redis-server.$server.2.prof"
"$heapdiff" --base "redis-server.$server.1.prof" "redis-server.$server.2.prof"
"$redis/redis-cli" -p "$port" shutdown nosave
wait "$server" || true
say "done; the profiles are in build/quickstart"
