#!/bin/sh
# Makes OCI images of weir for amd64 and arm64, without a container engine.
# usage: [VERSION=1.2.3] image.sh FOLDER [ARCH...]
set -eu
cd "$(dirname "$0")/../.."
out=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64
version=${VERSION:-$(cat VERSION)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(realpath "$out")
args=
for arch in "$@"; do
	make -s build VERSION="$version" GOARCH="$arch" BIN="$work/$arch"
	args="$args $arch=$work/$arch/weir"
done
root=$PWD
cd scripts/image
# shellcheck disable=SC2086 # a list of words
GOARCH='' ${GO:-go} run . -version "$version" -license "$root/LICENSE" -out "$out" \
	-revision "$(git rev-parse HEAD 2>/dev/null || true)" -created "$(git log -1 --format=%ct 2>/dev/null || echo 0)" $args
