#!/bin/sh
# Runs every fuzz target of the module for the given time.
# usage: fuzz.sh 20s
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=${1:-20s}
total=0
for pkg in $($GO list ./...); do
	for target in $($GO test -tags "${TAGS:-}" -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "fuzz $pkg $target for $time"
		$GO test -tags "${TAGS:-}" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$pkg"
		total=$((total + 1))
	done
done
echo "$total fuzz targets: no crash"
