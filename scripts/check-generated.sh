#!/bin/sh
# Fails if generated code is not what its sources give: what follows from the table
# of fields, the Grafana dashboards, the Go code of flow.proto by way of protoc (the generator does without),
# and the BPF object. Comment lines that name the generators' versions do not count.
# usage: check-generated.sh protoc-gen-go@version
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd producer/schema && ${GO:-go} run ./generate -check)
(cd scripts/dashboards && ${GO:-go} run . -check ../packaging/grafana)
GOBIN="$tmp" ${GO:-go} install "$1"
PATH="$tmp:$PATH" protoc --go_out="$tmp" --go_opt=module=github.com/weirflow/weir producer/flowpb/flow.proto
plain() { grep -v '^//' "$1"; }
plain producer/flowpb/flow.pb.go >"$tmp/have"
plain "$tmp/producer/flowpb/flow.pb.go" >"$tmp/want"
diff -u "$tmp/have" "$tmp/want" || {
	echo "generated code is not up to date: run make generate" >&2
	exit 1
}

# The BPF object is the work of one version of clang; another's differs.
want=14
have=$(clang --version 2>/dev/null | sed -n 's/.*clang version \([0-9]*\).*/\1/p' | head -n 1)
if [ "$have" = "$want" ]; then
	cp bpf/weir_bpfel.go bpf/weir_bpfel.o "$tmp/"
	${GO:-go} generate ./bpf
	if ! cmp -s bpf/weir_bpfel.o "$tmp/weir_bpfel.o" || ! cmp -s bpf/weir_bpfel.go "$tmp/weir_bpfel.go"; then
		cp "$tmp/weir_bpfel.go" "$tmp/weir_bpfel.o" bpf/
		echo "the BPF object is not up to date: run make generate" >&2
		exit 1
	fi
else
	echo "BPF object not compared: clang $want is needed, there is ${have:-none}"
fi
echo "generated code is up to date"
