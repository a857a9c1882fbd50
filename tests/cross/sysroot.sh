#!/bin/bash
# The arm64 libraries that the unit tests link, unpacked into DIRECTORY beside a cross file that names it:
# Debian's cross packages hold only the C and C++ libraries. apt works on lists of its own there: this
# machine's architectures and packages stay as they are.
#
#     tests/cross/sysroot.sh DIRECTORY
set -euo pipefail
[ $# = 1 ] || { echo "usage: sysroot.sh DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
root=$(realpath "$1")
packages="libcmocka-dev libcmocka0 libunwind-dev libunwind8 libdw-dev libdw1 libelf-dev libelf1
    liblzma-dev liblzma5 libbz2-1.0 zlib1g-dev zlib1g"

foreign_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::State::status="$root/apt/status" \
        -o Dir::Cache="$root/apt/cache" -o APT::Sandbox::User=root "$@"
}

fetch() {
    mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial"
    : >"$root/apt/status"
    foreign_apt update
    # shellcheck disable=SC2086 # a list of packages
    (cd "$root/apt" && foreign_apt download $packages)
    local package
    for package in "$root"/apt/*.deb; do dpkg-deb --extract "$package" "$root"; done
    # One folder for all, and no links out of it.
    cp -a "$root/lib/aarch64-linux-gnu/." "$root/usr/lib/aarch64-linux-gnu/"
    local link
    for link in "$root"/usr/lib/aarch64-linux-gnu/*.so; do
        [ -e "$link" ] || ln -sf "$(basename "$(readlink "$link")")" "$link"
    done
    rm -rf "${root:?}/apt" "${root:?}/lib"
}

[ -f "$root/sysroot.ini" ] || fetch
cat >"$root/sysroot.ini" <<END
[constants]
sysroot = '$root'
libraries = 'usr/lib/aarch64-linux-gnu'
END
