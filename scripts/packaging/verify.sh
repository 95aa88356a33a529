#!/bin/sh
# Checks the packaging files without installing anything:
#   weir.service   systemd-analyze verify finds nothing, and the exposure that
#                  systemd-analyze security computes is below the threshold
#   weir-xdp.conf  systemd-analyze verify finds nothing with it either
#   weir.sysusers  systemd-sysusers creates the user of the unit
#   weir.sysctl    has assignments only
# Exits with 1 on any finding, with 2 if a tool is missing.
set -eu

# The highest exposure level accepted, in tenths: 0 is best, 100 worst.
threshold=20

here=$(cd "$(dirname "$0")" && pwd)
for tool in systemd-analyze systemd-sysusers; do
	if ! command -v "$tool" >/dev/null; then
		echo "verify: $tool is missing; install systemd 252 or later" >&2
		exit 2
	fi
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# An empty tree with a stand-in for every program that the unit runs, so that
# the unit itself is checked, unchanged, and not the machine around it.
root=$tmp/root
units=$root/usr/lib/systemd/system
mkdir -p "$units" "$root/etc/systemd/system" "$root/usr/bin" "$root/bin" "$root/usr/sbin"
for program in usr/bin/weir; do
	printf '#!/bin/sh\nexit 0\n' >"$root/$program"
	chmod 755 "$root/$program"
done
# The units that any service depends on, and those that this one names.
for unit in sysinit.target basic.target shutdown.target network-online.target nss-lookup.target multi-user.target \
	system.slice -.slice -.mount tmp.mount systemd-journald.socket; do
	case $unit in
	*.mount) printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n[Mount]\nWhat=none\nWhere=%s\n' "$unit" "$([ "$unit" = tmp.mount ] && echo /tmp || echo /)" ;;
	*.socket) printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$unit" ;;
	*) printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$unit" ;;
	esac >"$units/$unit"
done
cp "$here/weir.service" "$units/weir.service"

if systemd-analyze verify --man=no --root="$root" weir.service >"$tmp/verify" 2>&1 && [ ! -s "$tmp/verify" ]; then
	echo "weir.service: verified"
else
	cat "$tmp/verify" >&2
	echo "verify: weir.service has findings" >&2
	failed=1
fi

if systemd-analyze security --no-pager --offline=yes --threshold="$threshold" "$here/weir.service" >"$tmp/security" 2>&1; then
	grep 'Overall exposure level' "$tmp/security" | sed 's/^[^O]*/weir.service: /'
else
	cat "$tmp/security" >&2
	echo "verify: weir.service is exposed above $threshold tenths" >&2
	failed=1
fi

# With the drop-in for XDP. What it grants is network administration, which
# systemd rates high.
mkdir -p "$root/etc/systemd/system/weir.service.d"
cp "$here/weir-xdp.conf" "$root/etc/systemd/system/weir.service.d/xdp.conf"
if systemd-analyze verify --man=no --root="$root" weir.service >"$tmp/verify" 2>&1 && [ ! -s "$tmp/verify" ]; then
	echo "weir-xdp.conf: verified"
else
	cat "$tmp/verify" >&2
	echo "verify: weir.service with weir-xdp.conf has findings" >&2
	failed=1
fi
systemd-analyze security --no-pager --offline=yes --root="$root" weir.service >"$tmp/security" 2>&1 || true
grep 'Overall exposure level' "$tmp/security" | sed 's/^[^O]*/weir.service with weir-xdp.conf: /' || true

mkdir -p "$root/etc"
: >"$root/etc/passwd"
: >"$root/etc/group"
user=$(sed -n 's/^User=//p' "$here/weir.service")
if systemd-sysusers --root="$root" "$here/weir.sysusers" >"$tmp/sysusers" 2>&1 && grep -q "^$user:" "$root/etc/passwd"; then
	echo "weir.sysusers: creates $(grep "^$user:" "$root/etc/passwd" | cut -d: -f1,5,6,7)"
else
	cat "$tmp/sysusers" >&2
	echo "verify: weir.sysusers does not create the user $user" >&2
	failed=1
fi

if grep -Ev '^(#.*|[a-z0-9_.]+ = [0-9]+)?$' "$here/weir.sysctl" >&2; then
	echo "verify: weir.sysctl has lines that are no assignments" >&2
	failed=1
else
	echo "weir.sysctl: $(grep -Ev '^#' "$here/weir.sysctl")"
fi

exit "$failed"
