#!/bin/sh
# Runs weir from its image, rootless, without a container engine: skopeo and umoci unpack
# the image, crun starts it in a user namespace, in which even root is nobody outside, and
# in network and mount namespaces of its own. Flows are sent to it and come out of it.
# usage: test-image.sh IMAGE.tar GEN   (as root, on the architecture of the image)
set -eu

if [ "${WEIR_TEST_IMAGE:-}" != inside ]; then
	image=$(realpath "$1") gen=$(realpath "$2")
	for tool in skopeo umoci crun jq curl unshare; do
		command -v "$tool" >/dev/null || { echo "test-image: $tool is missing: apt-get install skopeo umoci crun jq curl util-linux" >&2; exit 2; }
	done
	WEIR_TEST_IMAGE=inside exec unshare -mn "$(realpath "$0")" "$image" "$gen"
fi
image=$1 gen=$2
work=$(mktemp -d)
container=weir-test-$$
log=$work/log
leave() {
	crun --root "$work/crun" delete -f "$container" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap leave EXIT
fail() {
	echo "test-image: $*" >&2
	tail -n 20 "$log" >&2 2>/dev/null || true
	exit 1
}

# Both ways to read the file: as an OCI layout, and as docker load does.
skopeo copy -q "docker-archive:$image" "oci:$work/docker:1"
skopeo copy -q "oci-archive:$image" "oci:$work/oci:1"
umoci unpack --uid-map 0:300000:65536 --gid-map 0:300000:65536 --image "$work/oci:1" "$work/bundle" >/dev/null 2>&1
chmod 755 "$work" "$work/bundle" # the mapped root has no rights of ours

# umoci's configuration, without what a machine may not have (cgroups), with the network
# namespace of this script, and with users that are mapped to numbers that nobody has.
jq '.process.terminal = false
	| del(.linux.resources, .process.rlimits, .hostname)
	| .process.capabilities = {}
	| .mounts |= map(select(.type != "cgroup" and .type != "sysfs" and .type != "mqueue" and .type != "devpts"))
	| .linux.namespaces = [{type: "pid"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}, {type: "user"}]
	| .linux.uidMappings = [{containerID: 0, hostID: 300000, size: 65536}]
	| .linux.gidMappings = [{containerID: 0, hostID: 300000, size: 65536}]
	| .mounts |= map(if .destination == "/var/lib/weir" then .options = ["rw", "nosuid", "nodev", "noexec", "mode=0750", "uid=65532", "gid=65532"] else . end)
' "$work/bundle/config.json" >"$work/config.json"
mv "$work/config.json" "$work/bundle/config.json"

ip link set lo up
ip link add weir0 type veth peer name weir1
ip addr add 192.0.2.1/24 dev weir0
ip link set weir0 up
ip link set weir1 up
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || true

crun --root "$work/crun" run --bundle "$work/bundle" "$container" >"$work/flows" 2>"$log" &
child=$!
tries=0
# Not over loopback: the image's -addr is for other hosts.
until curl -fsS --noproxy '*' --max-time 2 http://192.0.2.1:8080/__health >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] && kill -0 "$child" 2>/dev/null || fail "weir does not answer"
	sleep 0.1
done
id=$(crun --root "$work/crun" state "$container" | jq .pid)
uid=$(awk '/^Uid:/ { print $2 }' "/proc/$id/status")
[ "$uid" = 365532 ] || fail "weir runs as user $uid of this host"
grep -q '^CapEff:	0*$' "/proc/$id/status" || fail "weir has capabilities: $(grep CapEff "/proc/$id/status")"
crun --root "$work/crun" exec "$container" /usr/bin/weir health | grep -qx OK || fail "the health check of the image fails"

"$gen" -workload mix -exporters 4 -pps 200 -duration 2s -quiet -to 192.0.2.1:2055 -to-sflow 192.0.2.1:6343 >/dev/null || fail "cannot send"
count() { curl -fsS --noproxy '*' http://192.0.2.1:8080/metrics | awk -v name="$1" 'index($1, name) == 1 { n += $2 } END { print n + 0 }'; }
received=$(count weir_datagrams_received_total)
[ "$received" -gt 100 ] || fail "$received datagrams received"
crun --root "$work/crun" kill "$container" TERM
wait "$child" || fail "weir ends with $?"
lines=$(wc -l <"$work/flows")
[ "$lines" -gt 100 ] || fail "$lines flows of $received datagrams"
jq -e 'select(.bytes == null or .sampler_address == null)' "$work/flows" >"$work/bad" && fail "not every line is a flow: $(head -n 1 "$work/bad")"
written=$(grep -o 'records_acknowledged=[0-9]*' "$log" | tail -n 1 | cut -d= -f2)
[ "$lines" = "$written" ] || fail "$lines lines, and the ledger says $written"
echo "image: as user 65532 without capabilities, $received datagrams in, $lines flows out, as its ledger says"
