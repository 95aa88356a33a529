#!/bin/sh
# Checks the packages in a folder with lintian and rpmlint, and what they hold. Exits with 1
# on any error or warning of lintian, and any error of rpmlint.
# usage: lint.sh FOLDER
set -eu
cd "$(dirname "$0")/../.."
failed=0
version=$(cat VERSION)
for deb in "$1/weir_$version-1_"*.deb; do
	found=$(lintian "$deb" 2>&1 | grep '^[EW]:' || true)
	[ -z "$found" ] || { echo "lint: $deb: $found" >&2; failed=1; }
	list=$(dpkg-deb -c "$deb")
	for file in ./usr/bin/weir ./usr/bin/enricher ./etc/weir/weir.yaml ./usr/lib/systemd/system/weir.service ./usr/lib/sysusers.d/weir.conf \
		./usr/lib/sysctl.d/50-weir.conf ./usr/share/man/man1/weir.1.gz ./usr/share/man/man5/weir.yaml.5.gz ./usr/share/man/man1/enricher.1.gz \
		./usr/share/bash-completion/completions/weir ./usr/share/doc/weir/examples/weir.rules.yml ./usr/share/doc/weir/copyright \
		./usr/share/weir/grafana/weir-operations.json ./usr/share/weir/grafana/weir-flows.json; do
		echo "$list" | grep -q " $file\$" || { echo "lint: $deb: no $file" >&2; failed=1; }
	done
	dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./conffiles | grep -qx /etc/weir/weir.yaml || { echo "lint: $deb: the configuration is no conffile" >&2; failed=1; }
	echo "$deb: checked"
done
for rpm in "$1/weir-$version-1."*.rpm; do
	rpmlint -c scripts/packaging/rpmlint.toml "$rpm" >"$1/rpmlint.txt" 2>&1 || true
	grep -q '; 0 errors' "$1/rpmlint.txt" || grep -q ' 0 errors, ' "$1/rpmlint.txt" || { cat "$1/rpmlint.txt" >&2; failed=1; }
	echo "$rpm: checked"
done
exit "$failed"
