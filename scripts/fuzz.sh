#!/bin/sh
# Runs every fuzz target of the module for the given time.
# usage: [PKGS=./producer] [TARGETS=FuzzAlone] fuzz.sh 20s
#
# A finding is what go test writes a failing input for, or any other failure.
# One end is none: before Go 1.27 the end of the time may itself be reported as
# "context deadline exceeded", without an input (https://go.dev/issue/75804).
# Such a target is run once more.
#
# A target that hardly runs finds nothing: one with fewer than LEAST executions (100)
# fails. Go counts none while it minimizes an input, so that is kept short.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=${1:-20s}
least=${LEAST:-100}
total=0
out=$(mktemp)
table=$(mktemp)
trap 'rm -f "$out" "$table"' EXIT

fuzz() { # package target
	$GO test -tags "${TAGS:-}" -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "$1" >"$out" 2>&1 && status=0 || status=$?
	cat "$out"
	return $status
}

deadline_only() {
	grep -q '^ *context deadline exceeded$' "$out" && ! grep -q -e 'Failing input written' -e 'panic:' -e 'hung or terminated' "$out"
}

# The executions of the target that ran last, with those of inputs that earlier runs
# have kept: Go runs these first, and a large cache may take all of the time.
executions() {
	baseline=$(sed -n 's/^fuzz: elapsed: .*baseline coverage: \([0-9]*\)\/.*/\1/p' "$out" | tail -n 1)
	execs=$(sed -n 's/^fuzz: elapsed: .* execs: \([0-9]*\) .*/\1/p' "$out" | tail -n 1)
	echo $((${baseline:-0} + ${execs:-0}))
}

for pkg in $($GO list ${PKGS:-./...}); do
	for target in $($GO test -tags "${TAGS:-}" -list "^${TARGETS:-Fuzz}" "$pkg" | grep '^Fuzz' || true); do
		echo "fuzz $pkg $target for $time"
		if ! fuzz "$pkg" "$target"; then
			deadline_only || exit 1
			echo "fuzz $pkg $target ended at its deadline without an input: once more"
			fuzz "$pkg" "$target" || deadline_only || exit 1
		fi
		execs=$(executions)
		printf '%10s %s %s\n' "${execs:-0}" "$pkg" "$target" >>"$table"
		if [ "${execs:-0}" -lt "$least" ]; then
			echo "fuzz $pkg $target: ${execs:-0} executions in $time, fewer than $least" >&2
			exit 1
		fi
		total=$((total + 1))
	done
done
if [ "$total" -eq 0 ]; then
	echo "fuzz: no target found; do the tests compile?" >&2
	exit 1
fi
echo "executions in $time:"
sort -n "$table"
echo "$total fuzz targets: no crash"
