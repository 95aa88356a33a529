#!/usr/bin/env bash
# Runs bin/weir in the foreground: flows on standard output, as aligned columns on a
# terminal and as JSON lines elsewhere, logs
# and all else on standard error, until Ctrl-C. If no exporter is heard for three
# seconds, bin/gen plays one for a minute. `make run` builds both and calls this.
#
# WEIR_LISTEN and WEIR_ADDR choose other ports; every variable that weir knows
# (weir -h) works. The exit code is weir's.
set -eu
cd "$(dirname "$0")/.."

export WEIR_LISTEN="${WEIR_LISTEN:-sflow://:6343,netflow://:2055}"
export WEIR_ADDR="${WEIR_ADDR:-127.0.0.1:8080}"

# On a terminal, flows for people.
if [ -t 1 ] && [ -z "${WEIR_FORMAT:-}" ] && [ -z "${WEIR_CONFIG:-}" ]; then
	export WEIR_FORMAT=human
	echo "weir: flows for people; WEIR_FORMAT=json make run writes JSON lines" >&2
fi

weir='' gen='' stopping=''

say() { printf 'weir: %s\n' "$*" >&2 || true; }

# target scheme... : host:port of the first listen address that has one of the
# schemes, the first scheme first.
target() {
	local scheme uri
	for scheme; do
		for uri in ${WEIR_LISTEN//,/ }; do
			case $uri in
			"$scheme"://*)
				uri=${uri#*://}
				uri=${uri%%[/?]*}
				case ${uri%:*} in
				'' | 0.0.0.0 | '[::]') uri=127.0.0.1:${uri##*:} ;;
				esac
				printf '%s\n' "$uri"
				return
				;;
			esac
		done
	done
}

# fetch path : a page of weir's web server, with its headers where curl is missing.
fetch() {
	if command -v curl >/dev/null 2>&1; then
		curl -fsS --noproxy '*' --max-time 2 "http://$http$1" 2>/dev/null
		return
	fi
	local host=${http%:*} line
	host=${host#[}
	(
		exec 3<>"/dev/tcp/${host%]}/${http##*:}"
		printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" "$http" >&3
		while IFS= read -r -t 2 line <&3; do
			printf '%s\n' "$line"
		done
	) 2>/dev/null
}

healthy() { case $(fetch /__health) in *OK*) ;; *) return 1 ;; esac; }

# heard : whether weir has received a datagram.
heard() {
	fetch /metrics | awk '/^weir_datagrams_received_total/ { n += $NF } END { exit n > 0 ? 0 : 1 }'
}

# alive pid : whether a child of ours runs.
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# going : whether there is any reason to go on.
going() { [ -z "$stopping" ] && alive "$weir"; }

# nap : a short pause, which a signal may cut.
nap() { sleep 0.2 || true; }

# stop : tells the children to end. Ctrl-C has reached them already; weir takes
# two signals at once for one.
stop() {
	stopping=yes
	alive "$gen" && kill -TERM "$gen" 2>/dev/null
	alive "$weir" && kill -TERM "$weir" 2>/dev/null
	return 0
}

# leave : nothing of ours outlives the script, however it ends.
leave() {
	stop
	wait || true
}

trap stop INT TERM HUP
trap '' PIPE
trap leave EXIT

# finish : waits for weir and ends with its exit code.
finish() {
	local status=0
	wait "$weir" || status=$?
	while alive "$weir"; do # the wait was cut by a signal
		status=0
		wait "$weir" || status=$?
	done
	if [ -n "$stopping" ] && [ "$status" -gt 128 ]; then
		# The wait may have been cut at the very end: ask again. 127 says that
		# weir's own code is lost, 143 that our signal came before weir took any.
		status=0
		wait "$weir" || status=$?
		case $status in 127 | 143) status=0 ;; esac
	fi
	exit "$status"
}

for program in bin/weir bin/gen; do
	if [ ! -x "$program" ]; then
		say "$program is missing: make run builds it"
		exit 2
	fi
done

# Not yet running, weir can say what is in its way.
status=0
report=$(bin/weir check 2>&1) || status=$?
[ -z "$stopping" ] || exit 0
if [ "$status" -ne 0 ]; then
	if [ "$status" -eq 1 ]; then
		report=$(printf '%s\n' "$report" | awk '/^FAIL/ { print; fails = 1; next } fails && /^ +->/ { print } { fails = 0 }')
	fi
	printf '%s\n' "$report" >&2
	if [ "$status" -eq 1 ]; then
		say 'cannot start. If a port is taken by another program, choose others, such as'
		say '  WEIR_LISTEN=sflow://:16343,netflow://:12055 WEIR_ADDR=127.0.0.1:18080 make run'
	fi
	exit "$status"
fi

case $WEIR_ADDR in
:* | 0.0.0.0:* | '[::]:'*) http=127.0.0.1:${WEIR_ADDR##*:} ;;
*) http=$WEIR_ADDR ;;
esac
netflow=$(target netflow flow nfl sflow)
sflow=$(target sflow flow netflow nfl)

say "listening on $WEIR_LISTEN, flows follow as JSON lines, Ctrl-C ends it"
say "metrics at http://$http/metrics, health at http://$http/__health"

bin/weir &
weir=$!

until healthy; do
	going || finish
	nap
done

quiet=''
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do # times 0.2 s
	going || finish
	nap
done
going || finish
heard || quiet=yes
going || finish

if [ -n "$quiet" ]; then
	say "no exporter heard in 3 s: playing a synthetic one for a minute. Point a router at UDP ${netflow##*:} (NetFlow, IPFIX) or ${sflow##*:} (sFlow)"
	bin/gen -workload mix -exporters 4 -pps 5 -duration 60s -quiet -to "$netflow" -to-sflow "$sflow" >/dev/null &
	gen=$!
	while going && alive "$gen"; do
		nap
	done
	if going; then
		say 'the synthetic exporter has ended; waiting for real ones, Ctrl-C ends it'
	fi
fi
finish
