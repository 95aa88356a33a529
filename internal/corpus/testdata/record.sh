#!/bin/sh
# Records the captures of this folder again: exporters read input/traffic.pcap
# and send to the loopback interface, where tcpdump writes what they send.
# Needs root, tcpdump, softflowd 1.1.0, pmacct 1.7.7 and nfdump 1.7.1.
# usage: record.sh [name...]
set -eu
cd "$(dirname "$0")"
port=19995
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# record NAME COMMAND...: capture what COMMAND sends to the port.
record() {
	name=$1
	shift
	tcpdump -q -i lo -s 0 -U -w "$work/$name.pcap" "udp dst port $port" 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	timeout 20 "$@" >"$work/out" 2>&1 || true
	sleep 1.5
	kill "$dump"
	wait "$dump" || true
	mv "$work/$name.pcap" "$name.pcap"
	echo "$name: $(stat -c %s "$name.pcap") bytes"
}

soft() { # soft NAME FLAGS...
	name=$1
	shift
	record "$name" softflowd -d -a -r input/traffic.pcap -n "127.0.0.1:$port" -p "$work/pid" -c none "$@"
}

pmacct() { # pmacct NAME CONFIGURATION...
	name=$1
	shift
	{
		echo "daemonize: false"
		echo "pcap_savefile: $PWD/input/traffic.pcap"
		echo "pcap_savefile_wait: false"
		for line in "$@"; do echo "$line"; done
	} >"$work/$name.conf"
	record "$name" timeout 6 pmacctd -f "$work/$name.conf"
}

aggregate="aggregate: src_host, dst_host, src_port, dst_port, proto, tos, src_mac, dst_mac, vlan, tcpflags, in_iface, out_iface"

capture() {
	case $1 in
	softflowd-v1) soft "$1" -v 1 ;;
	softflowd-v5) soft "$1" -v 5 ;;
	softflowd-v9) soft "$1" -v 9 -T ether -x 2 ;;
	softflowd-v9-sampled) soft "$1" -v 9 -6 -s 4 -A milli ;;
	softflowd-ipfix) soft "$1" -v 10 -T ether -6 ;;
	softflowd-ipfix-nano) soft "$1" -v 10 -6 -A nano ;;
	softflowd-ipfix-biflow) soft "$1" -v 10 -b ;;
	softflowd-psamp) soft "$1" -v psamp -s 10 ;;
	pmacctd-v5) pmacct "$1" "plugins: nfprobe" "nfprobe_receiver: 127.0.0.1:$port" "nfprobe_version: 5" "nfprobe_engine: 3:7" "$aggregate" ;;
	pmacctd-v9) pmacct "$1" "plugins: nfprobe" "nfprobe_receiver: 127.0.0.1:$port" "nfprobe_version: 9" "nfprobe_source_ip: 127.0.0.1" "nfprobe_engine: 12345" "$aggregate" "sampling_rate: 2" ;;
	pmacctd-ipfix) pmacct "$1" "plugins: nfprobe" "nfprobe_receiver: 127.0.0.1:$port" "nfprobe_version: 10" "nfprobe_engine: 4000000000" "$aggregate" "sampling_rate: 3" ;;
	pmacctd-sflow) pmacct "$1" "plugins: sfprobe" "sfprobe_receiver: 127.0.0.1:$port" "sfprobe_agentip: 192.0.2.250" "sampling_rate: 2" ;;
	nfreplay-v9)
		mkdir -p "$work/nf"
		nfcapd -w "$work/nf" -p 19994 -b 127.0.0.1 -t 3600 >"$work/nfcapd" 2>&1 &
		nfcapd=$!
		sleep 1
		timeout 20 softflowd -d -a -r input/traffic.pcap -n 127.0.0.1:19994 -p "$work/pid" -c none -v 9 -6 >"$work/out" 2>&1 || true
		sleep 1
		kill "$nfcapd" || true
		wait "$nfcapd" || true
		record "$1" nfreplay -r "$(ls "$work"/nf/nfcapd.* | head -n 1)" -H 127.0.0.1 -p "$port" -v 9
		;;
	*) echo "record.sh: unknown capture $1" >&2 && exit 2 ;;
	esac
}

[ $# -gt 0 ] || set -- softflowd-v1 softflowd-v5 softflowd-v9 softflowd-v9-sampled softflowd-ipfix softflowd-ipfix-nano \
	softflowd-ipfix-biflow softflowd-psamp pmacctd-v5 pmacctd-v9 pmacctd-ipfix pmacctd-sflow nfreplay-v9
for name in "$@"; do capture "$name"; done
