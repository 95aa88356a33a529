#!/bin/bash
# Runs the pipelines of this folder without containers: Kafka, ClickHouse (chdb), Prometheus and
# Flink, each with the configuration of the compose files, and weir with their command
# lines, in network and mount namespaces where the services' names are this host.
# usage: test.sh WEIR GEN [clickhouse|flink]...   (as root)
set -euo pipefail

if [ "${WEIR_TEST_COMPOSE:-}" != inside ]; then
	weir=$(realpath "$1") gen=$(realpath "$2")
	shift 2
	cd "$(dirname "$0")/../../.."
	scripts/kafka fetch
	PYTHON=$(scripts/kafka python)
	# Flink, with the connector that the compose file fetches.
	lib=${XDG_CACHE_HOME:-${HOME:?}/.cache}/weir/flink-2.0.0
	if [ ! -e "$lib/whole" ]; then
		echo "fetching Flink with Maven" >&2
		mkdir -p "$lib"
		mvn -B -q -f scripts/packaging/compose/flink/pom.xml dependency:copy-dependencies -DoutputDirectory="$lib/lib" >&2
		touch "$lib/whole"
	fi
	(cd scripts/compose && go build -o "${weir%/*}/compose" .)
	export WEIR_TEST_COMPOSE=inside PYTHON
	exec unshare -mn "$PWD/scripts/packaging/compose/test.sh" "$weir" "$gen" "$@"
fi
weir=$1 gen=$2 compose=${1%/*}/compose
shift 2
[ $# -gt 0 ] || set -- clickhouse flink
cd "$(dirname "$0")"
root=$PWD/../../..
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/weir
work=$(mktemp -d)
pids=()
leave() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap leave EXIT
fail() {
	echo "compose: $*" >&2
	for log in "$work"/*.log; do echo "--- $log" && tail -n 15 "$log"; done >&2
	exit 1
}
# until SECONDS WHAT COMMAND...
until_() {
	local tries=$(($1 * 5)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "no $what"
		sleep 0.2
	done
}
get() { curl -fsS --noproxy '*' --max-time 5 "$@"; }

ip link set lo up
printf '127.0.0.1 localhost weir kafka clickhouse prometheus %s\n' "$(hostname)" >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
mkdir -p "$work/state" "$work/data"

# Kafka with the file that its image mounts; only the folder of the data is another.
sed "s|^log.dirs=.*|log.dirs=$work/data|" kafka/server.properties >"$work/server.properties"
printf 'log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n' >"$work/log4j.properties"
java=(java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j.configuration="file:$work/log4j.properties" -cp "$cache/kafka-3.9.1/lib/*")
"${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$work/server.properties" >"$work/format.log" 2>&1 || fail "Kafka does not format its storage"
"${java[@]}" kafka.Kafka "$work/server.properties" >"$work/kafka.log" 2>&1 &
pids+=($!)
until_ 60 "Kafka" kcat -q -L -b kafka:9092

# start PIPELINE: weir, with the command line of the compose file.
start() {
	mapfile -t args < <("$compose" "$1/compose.yml" weir | sed "s|/var/lib/weir|$work/state|")
	STATE_DIRECTORY=$work/state WEIR_ADDR=:8080 "$weir" "${args[@]}" >/dev/null 2>"$work/weir-$1.log" &
	child=$!
	pids+=("$child")
	until_ 30 "healthy weir" get http://weir:8080/__health
}
# stop: ends weir, when all is in Kafka.
stop() {
	kill -TERM "$child"
	wait "$child" || fail "weir ends with $?"
}
send() { "$gen" -workload mix -exporters 4 -pps 100 -duration "$1" -quiet -to weir:2055 -to-sflow weir:6343 >/dev/null; }

clickhouse() {
	start clickhouse
	promtool check config <(sed "s|/etc/prometheus/weir.rules.yml|$root/scripts/packaging/prometheus/weir.rules.yml|" prometheus/prometheus.yml) >"$work/promtool.log" 2>&1 || fail "promtool refuses prometheus.yml"
	sed "s|/etc/prometheus/weir.rules.yml|$root/scripts/packaging/prometheus/weir.rules.yml|; s|15s|1s|" prometheus/prometheus.yml >"$work/prometheus.yml"
	prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" --web.listen-address=:9090 >"$work/prometheus.log" 2>&1 &
	pids+=($!)
	send 5s
	until_ 30 "weir in Prometheus" sh -c "curl -fsS --noproxy '*' 'http://prometheus:9090/api/v1/query?query=up%7Bjob%3D%22weir%22%7D' | grep -q '\"1\"'"
	stop
	written=$(grep -o 'records_acknowledged=[0-9]*' "$work/weir-clickhouse.log" | tail -n 1 | cut -d= -f2)
	rows=$("$PYTHON" "$root/docs/pipelines/clickhouse.py" kafka:9092 flow-messages "$root/producer/flowpb/flow.proto" 2>"$work/chdb.log") || fail "ClickHouse"
	[ "${written:-0}" -gt 0 ] && [ "${rows%%	*}" = "$written" ] || fail "weir wrote ${written:-nothing}, ClickHouse has ${rows%%	*}"
	echo "clickhouse: weir wrote $written flows to Kafka, and ClickHouse has them; Prometheus scrapes weir"
	"${java[@]}" org.apache.kafka.tools.TopicCommand --bootstrap-server kafka:9092 --delete --topic flow-messages >"$work/topic.log" 2>&1 || fail "topic is not deleted"
}

flink() {
	lib=$cache/flink-2.0.0
	[ ! -e "$lib/whole" ] || return 0
	mkdir -p "$lib"
	mvn -B -q -f flink/pom.xml dependency:copy-dependencies -DoutputDirectory="$lib/lib" >"$work/maven.log" 2>&1 || fail "Maven cannot fetch Flink"
	touch "$lib/whole"
}

flink() {
	start flink
	"${java[@]}" org.apache.kafka.tools.TopicCommand --bootstrap-server kafka:9092 --create --topic flow-sources --partitions 1 >"$work/topic.log" 2>&1 || fail "topic is not made"
	open=()
	for package in java.base/java.lang java.base/java.util java.base/java.net java.base/java.io java.base/java.nio java.base/sun.nio.ch java.base/java.lang.reflect java.base/java.text java.base/java.time java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.util.concurrent.locks; do
		open+=(--add-opens "$package=ALL-UNNAMED")
	done
	java -Xmx768m "${open[@]}" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$cache/flink-2.0.0/lib/*" flink/RunSQL.java flink/flows.sql >"$work/flink.log" 2>&1 &
	sql=$!
	pids+=("$sql")
	until_ 60 "job of Flink" sh -c "grep -q running '$work/flink.log' || ! kill -0 $sql"
	send 25s # more than two windows
	kill -0 "$sql" 2>/dev/null || fail "Flink has ended"
	timeout 60 kcat -q -b kafka:9092 -C -t flow-sources -o beginning -c 20 >"$work/sources" || fail "no windows from Flink"
	[ "$(jq -c 'select(.octets > 0 and .flows > 0 and (.src_addr | length) > 0 and .window_start != null)' "$work/sources" | wc -l)" -gt 10 ] || fail "windows: $(head -n 2 "$work/sources")"
	stop
	echo "flink: $(wc -l <"$work/sources") sources by windows, such as $(head -n 1 "$work/sources")"
}

for pipeline in "$@"; do
	"$pipeline"
done
