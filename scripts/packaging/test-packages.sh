#!/bin/sh
# Tests the deb on Debian systems with systemd, in containers of systemd-nspawn: install,
# flows in the file, reload, upgrade under load, remove, purge. As root; minutes.
# usage: test-packages.sh WORK [RELEASE...]
#   WORK     a folder for the systems, which are kept
#   RELEASE  bookworm and trixie if none is given
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin
work=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- bookworm trixie
for tool in debootstrap systemd-nspawn script nsenter ip; do
	command -v $tool >/dev/null || { echo "test-packages: $tool is missing: apt-get install debootstrap systemd-container bsdutils iproute2" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "test-packages: run it as root" >&2; exit 2; }

version=$(cat VERSION)
next=$version.1
scripts/packaging/packages.sh "$work/packages" amd64
VERSION=$next scripts/packaging/packages.sh "$work/packages" amd64
go build -o "$work/gen" ./bench/gen
old=$work/packages/weir_$version-1_amd64.deb
new=$work/packages/weir_$next-1_amd64.deb
mirror=$(sed -n 's|^URIs: *||p; s|^deb *\(\[[^]]*\]\)\{0,1\} *\(http[^ ]*\).*|\2|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
lint=$(lintian "$old" 2>&1 | grep '^[EW]:' || true)
[ -z "$lint" ] || { echo "test-packages: lintian: $lint" >&2; exit 1; }

container=
nspawn=
cleanup() {
	[ -z "$nspawn" ] || kill -TERM "$nspawn" 2>/dev/null || true
	[ -z "$nspawn" ] || wait "$nspawn" 2>/dev/null || true
	ip netns del weir-packages 2>/dev/null || true
	mountpoint -q "$work/m" && umount -l "$work/m" || true
	nspawn=
}
trap cleanup EXIT

fail() {
	echo "test-packages: $release: $*" >&2
	inside journalctl -u weir --no-pager -n 30 >&2 || true
	exit 1
}

inside() { nsenter -t "$container" -m -u -i -n -p -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# booted finds the first process of the container, which a helper of nspawn may precede.
booted() {
	container=$(pgrep -P "$nspawn" | head -n 1)
	[ -n "$container" ] && case $(inside systemctl is-system-running) in running | degraded) ;; *) false ;; esac
}

# until_true WHAT COMMAND...: waits for up to two minutes or more.
until_true() {
	what=$1
	shift
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 1200 ] || fail "$what: not within two minutes"
		sleep 0.1
	done
}

send() { ip netns exec weir-packages-host "$work/gen" -workload nf9 -exporters 8 -ids -to 10.99.0.2:2055 -quiet "$@" >"$work/sent" 2>&1; }

# The flows of all files, rotated ones too.
flows() { inside sh -c 'cat /var/log/weir/flows.json; for f in /var/log/weir/flows-*.zst; do [ -e "$f" ] && zstdcat "$f"; done; for f in /var/log/weir/flows-*.json; do [ -e "$f" ] && cat "$f"; done; true' | grep -c '"type":"NETFLOW_V9"' || true; }

acknowledged() { inside cat /var/log/weir/flows.json | wc -l; }

for release in "$@"; do
	root=$work/$release
	if [ ! -d "$root/etc" ]; then
		echo "making a system of $release"
		debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,procps,zstd "$release" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
			{ tail "$work/debootstrap.log" >&2; rm -rf "$root"; exit 1; }
	fi
	rm -rf "$work/upper" "$work/over"
	mkdir -p "$work/upper" "$work/over" "$work/m"
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/over" "$work/m"
	cp "$old" "$new" "$work/m/root/"
	ip netns del weir-packages 2>/dev/null || true
	ip netns del weir-packages-host 2>/dev/null || true
	ip netns add weir-packages
	ip netns add weir-packages-host
	ip -n weir-packages-host link add eth1 type veth peer name eth0 netns weir-packages
	ip -n weir-packages-host addr add 10.99.0.1/24 dev eth1
	ip -n weir-packages-host link set eth1 up
	ip -n weir-packages addr add 10.99.0.2/24 dev eth0
	ip -n weir-packages link set eth0 up
	ip -n weir-packages link set lo up
	setsid script -qfc "systemd-nspawn -q -D $work/m -M weir-packages -b --register=no --keep-unit --network-namespace-path=/run/netns/weir-packages --capability=all --system-call-filter=bpf" \
		"$work/boot.log" </dev/null >/dev/null 2>&1 &
	n=0
	until nspawn=$(pgrep -f "^systemd-nspawn -q -D $work/m " | head -n 1) && [ -n "$nspawn" ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || { cat "$work/boot.log" >&2; exit 1; }
		sleep 0.1
	done
	until_true "boot" booted

	inside dpkg -i "/root/${old##*/}" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; fail "install"; }
	until_true "weir is active" inside systemctl is-active weir
	inside weir -version | grep -q "^weir $version " || fail "version: $(inside weir -version)"
	inside systemctl stop weir # which has the ports
	check=$(inside runuser -u weir -- env STATE_DIRECTORY=/var/lib/weir weir check -config /etc/weir/weir.yaml) || fail "weir check: $check"
	warnings=$(echo "$check" | grep -c '^warn' || true)
	# The receive buffer of the host is read only in a container.
	others=$(echo "$check" | grep '^warn' | grep -v 'net.core.rmem_max\|receive buffer' || true)
	[ -z "$others" ] || fail "weir check warns: $others"

	inside systemctl start weir
	send -count 2000 -pps 2000
	until_true "flows are in the file" sh -c "[ \$(nsenter -t $container -m cat /var/log/weir/flows.json | wc -l) -ge 47000 ]"
	inside systemctl reload weir || fail "reload"
	first=$(acknowledged)

	echo "$release: upgrade under load"
	send -count 20000 -pps 2500 -first-id 10000000 &
	sender=$!
	sleep 2
	inside dpkg -i "/root/${new##*/}" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; fail "upgrade"; }
	wait $sender || fail "gen: $(cat "$work/sent")"
	inside weir -version | grep -q "^weir $next " || fail "version after the upgrade: $(inside weir -version)"
	want=$(sed -n 's/^{.*"datagrams":[0-9]*,"records":\([0-9]*\),.*/\1/p' "$work/sent" | tail -n 1)
	n=0
	while [ "$(($(flows) - first))" -lt "${want:-1}" ] && [ $n -lt 300 ]; do
		n=$((n + 1))
		sleep 0.1
	done
	got=$(($(flows) - first))
	[ "$got" = "$want" ] || fail "upgrade under load: $got flows in the files, $want sent"
	inside journalctl -u weir --no-pager | grep -c 'msg=ledger' >/dev/null || fail "the old weir logged no ledger"

	inside dpkg -r weir >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; fail "remove"; }
	inside systemctl is-active weir >/dev/null 2>&1 && fail "weir runs after its removal"
	inside test -s /var/log/weir/flows.json || fail "the removal took the flows"
	inside test -f /etc/weir/weir.yaml || fail "the removal took the configuration"
	inside dpkg -P weir >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; fail "purge"; }
	left=$(inside find / -xdev -name '*weir*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/root/*' -not -path '/var/log/journal/*' -not -path '/run/*' 2>/dev/null || true)
	[ -z "$left" ] || fail "purge leaves $left"
	inside getent passwd weir >/dev/null && fail "purge leaves the user"
	echo "$release: installed, upgraded under load ($want flows sent, $got in the files), removed, purged; check: $warnings warnings, all of the container's receive buffer"
	cleanup
	ip netns del weir-packages-host 2>/dev/null || true
done
