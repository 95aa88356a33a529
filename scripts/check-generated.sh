#!/bin/sh
# Generates the code anew in a temporary folder and compares. Comment lines that
# name the generators' versions do not count.
# usage: check-generated.sh protoc-gen-go@version
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
GOBIN="$tmp" ${GO:-go} install "$1"
PATH="$tmp:$PATH" protoc --go_out="$tmp" --go_opt=module=github.com/weirflow/weir producer/flowpb/flow.proto
plain() { grep -v '^//' "$1"; }
plain producer/flowpb/flow.pb.go >"$tmp/have"
plain "$tmp/producer/flowpb/flow.pb.go" >"$tmp/want"
diff -u "$tmp/have" "$tmp/want" || {
	echo "generated code is not up to date: run make generate" >&2
	exit 1
}
echo "generated code is up to date"
