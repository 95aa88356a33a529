#!/bin/sh
# Installs weir, or removes it again, for make install and make uninstall.
# usage: install.sh [remove]
#   PREFIX, SYSCONFDIR, DESTDIR, BIN (the folder of the programs), VERSION, DATE
set -eu
cd "$(dirname "$0")/../.."
root=${DESTDIR:-}
prefix=$root$PREFIX
# systemd reads units of /usr/lib and /etc; PREFIX=/usr is that of packages.
if [ "$PREFIX" = /usr ]; then lib=$root/usr/lib units=$lib/systemd/system; else lib=$root$SYSCONFDIR units=$lib/systemd/system; fi
list=$prefix/share/weir/installed

if [ "${1:-}" = remove ]; then
	[ -f "$list" ] || { echo "weir: $list is missing: nothing was installed with this DESTDIR and PREFIX" >&2; exit 1; }
	while read -r file; do
		rm -f "$root$file"
	done <"$list"
	rm -f "$list"
	rmdir "$prefix/share/weir/grafana" "$prefix/share/weir" "$prefix/share/doc/weir/examples" "$prefix/share/doc/weir" 2>/dev/null || true
	echo "Removed. $SYSCONFDIR/weir, /var/lib/weir and /var/log/weir stay."
	exit 0
fi

names=$(mktemp)
manuals=$(mktemp -d)
trap 'rm -rf "$names" "$manuals"' EXIT

# put MODE SOURCE TARGET
put() {
	install -D -m "$1" "$2" "$3"
	printf '%s\n' "${3#"$root"}" >>"$names"
}

put 755 "$BIN/weir" "$prefix/bin/weir"
put 755 "$BIN/enricher" "$prefix/bin/enricher"
GOARCH='' ${GO:-go} run ./internal/manual/generate "$manuals" "$VERSION" "$DATE"
(cd "$manuals" && find . -type f) | sort | while read -r file; do
	put 644 "$manuals/$file" "$prefix/${file#./}"
done

unit=$(mktemp)
sed "s|/usr/bin/weir|$PREFIX/bin/weir|g; s|/etc/weir|$SYSCONFDIR/weir|g" scripts/packaging/weir.service >"$unit"
put 644 "$unit" "$units/weir.service"
rm -f "$unit"
put 644 scripts/packaging/weir.sysusers "$lib/sysusers.d/weir.conf"
put 644 scripts/packaging/weir.sysctl "$lib/sysctl.d/50-weir.conf"

doc=$prefix/share/doc/weir
for example in weir.yaml weir-xdp.conf prometheus/weir.rules.yml; do
	put 644 "scripts/packaging/$example" "$doc/examples/${example##*/}"
done
for dashboard in scripts/packaging/grafana/*.json; do
	put 644 "$dashboard" "$prefix/share/weir/grafana/${dashboard##*/}"
done
put 644 README.md "$doc/README.md"
gzip -9n <CHANGELOG.md >"$manuals/changes"
put 644 "$manuals/changes" "$doc/CHANGELOG.md.gz"

# The configuration is the operator's once it is there.
config=$root$SYSCONFDIR/weir/weir.yaml
if [ ! -e "$config" ]; then
	install -D -m 640 scripts/packaging/site.yaml "$config"
fi
if [ "$PREFIX" != /usr ]; then
	install -D -m 644 "$names" "$list"
fi
[ -n "$root" ] || cat <<END
Installed below $PREFIX. To start weir as a service:
  systemd-sysusers && sysctl --system && chgrp weir $SYSCONFDIR/weir/weir.yaml
  systemctl daemon-reload && systemctl enable --now weir
END
