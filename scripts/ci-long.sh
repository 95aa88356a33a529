#!/bin/sh
# Runs what takes too long for make ci, part by part, and keeps the last result of each
# part in bench/results/ci-long.md. A part that fails does not keep the others from running.
# usage: ci-long.sh [part]...    all parts without arguments
#
# As root. What the parts print goes to bin/ci-long/PART.log.
set -eu
cd "$(dirname "$0")/.."
results=bench/results/ci-long.md
logs=bin/ci-long

# name, about how many minutes, command
parts() {
	cat <<'END'
packages    30 make test
exhaustive  30 WEIR_EXHAUSTIVE=1 go test -count=1 -timeout 60m ./internal/corpus
memory       5 make test-memory
hostile     20 WEIR_HOSTILE=full make test-memory
compat      15 make compat
kafka       30 make test-kafka
kafka-faults 45 make test-kafka-faults
vm          60 make test-vm
vm-systemd  10 make test-vm-systemd
soak        35 make soak SOAK="-duration 30m -pps 50000 -exporters 5000 -adversary 20"
image        5 make test-image
dashboards   3 make test-dashboards
compose      5 make test-compose
parquet     10 make test-parquet
day        125 make soak SOAK="-day -duration 2h -pps 3000 -exporters 2000 -adversary 2"
alone       15 FUZZTIME=5m PKGS=./producer TARGETS=FuzzAlone make fuzz
fuzz        80 FUZZTIME=2m make fuzz
END
}

machine() {
	echo "$(uname -sr), $(nproc) CPUs, $(awk '/^MemTotal/ {printf "%d GiB", ($2 + 524288) / 1048576}' /proc/meminfo)"
}

# row name result seconds command: replaces the row of the part, or adds it.
row() {
	[ -s "$results" ] || cat >"$results" <<'END'
# make ci-long

What takes too long for `make ci` is run by hand, `make ci-long` for all or `make ci-long PARTS="vm soak"` for some. Each row
is the last run of a part.

| part | result | minutes | commit | date | machine | command |
|---|---|---|---|---|---|---|
END
	commit=$(git describe --always --dirty)
	line="| $1 | $2 | $((($3 + 59) / 60)) | $commit | $(date -u +%F) | $(machine) | \`$4\` |"
	{
		grep -v "^| $1 |" "$results"
		echo "$line"
	} >"$results.new"
	mv "$results.new" "$results"
}

all=$(parts | awk '{print $1}')
for part in "$@"; do
	if ! echo "$all" | grep -qx -- "$part"; then
		echo "ci-long: no part $part; there are: $(echo $all)" >&2
		exit 2
	fi
done
[ $# -gt 0 ] || set -- $all

mkdir -p "$logs"
failed=
for part in "$@"; do
	command=$(parts | sed -n "s/^$part  *[0-9]*  *//p")
	minutes=$(parts | awk -v part="$part" '$1 == part {print $2}')
	echo "ci-long: $part, about $minutes minutes: $command"
	start=$(date +%s)
	if sh -c "$command" >"$logs/$part.log" 2>&1; then
		result=passed
	else
		result=FAILED
		failed="$failed $part"
		tail -n 30 "$logs/$part.log" >&2
	fi
	row "$part" "$result" $(($(date +%s) - start)) "$command"
	echo "ci-long: $part $result, see $logs/$part.log"
done
if [ -n "$failed" ]; then
	echo "ci-long: failed:$failed" >&2
	exit 1
fi
