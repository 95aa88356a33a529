#!/bin/sh
# profile.sh GO: takes CPU profiles of decode-and-produce, on the workloads of
# bench/gen, and leaves them with their top lists in bench/results.
set -eu
go=$1
cd "$(dirname "$0")/.."
out=bench/results
top=$out/profile-top.txt
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
$go test -c -o "$tmp/producer.test" ./producer
{
	echo "# make profile; $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) CPUs, $($go env GOVERSION), $(date -u +%F)"
	echo "# CPU profiles of BenchmarkDatagram, by function; the profiles are next to this file, for go tool pprof"
} > "$tmp/top"
for work in nf5 nf9 ipfix sflow mix; do
	for format in bin json; do
		profile=$out/profile-$work-$format.pprof
		echo "profiling $work $format" >&2
		(cd producer && "$tmp/producer.test" -test.run '^$' -test.bench "^BenchmarkDatagram\$/^$work\$/^$format\$" \
			-test.benchtime 2s -test.cpuprofile "../$profile") > "$tmp/run"
		{
			echo
			echo "## $work $format: $(sed -n 's/.*[[:space:]]\([0-9.]* cpu-ns\/record\).*/\1/p' "$tmp/run")"
			$go tool pprof -top -nodecount 20 "$tmp/producer.test" "$profile" 2>/dev/null | sed '/^File:/d; /^Build ID/d; /^Time:/d'
		} >> "$tmp/top"
	done
done
mv "$tmp/top" $top
echo "$top" >&2
