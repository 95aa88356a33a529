#!/bin/sh
# Makes packages: deb and rpm, for amd64 and arm64.
# usage: [VERSION=1.2.3] packages.sh FOLDER [ARCH...]
set -eu
cd "$(dirname "$0")/../.."
GO=${GO:-go}
NFPM=${NFPM:-github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2}
out=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64
VERSION=${VERSION:-$(cat VERSION)}
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ARCH in "$@"; do
	ROOT=$work/$ARCH
	make -s install VERSION="$VERSION" GOARCH="$ARCH" BIN="$work/bin/$ARCH" DESTDIR="$ROOT" PREFIX=/usr SYSCONFDIR=/etc
	doc=$ROOT/usr/share/doc/weir
	install -D -m 644 scripts/packaging/copyright "$doc/copyright"
	install -D -m 644 scripts/packaging/lintian-overrides "$ROOT/usr/share/lintian/overrides/weir"
	mv "$doc/CHANGELOG.md.gz" "$doc/changelog.gz"
	printf -- '- semver: %s\n  date: %s\n  packager: weir <weir@weirflow.example>\n  deb: {urgency: medium, distributions: [stable]}\n  changes:\n    - note: "See changelog.gz."\n' \
		"$VERSION" "$(git log -1 --format=%cI 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)" >"$ROOT/changelog.yaml"
	for kind in deb rpm; do
		if [ "$kind" = rpm ]; then
			rm -rf "$ROOT/usr/share/lintian"
			mv "$ROOT/usr/share/doc" "$ROOT/usr/share/man" "$ROOT/" # listed one by one in nfpm.yaml
		fi
		sed "s|@ROOT@|$ROOT|; s|@ARCH@|$ARCH|; s|@VERSION@|$VERSION|" scripts/packaging/nfpm.yaml >"$work/nfpm.yaml"
		$GO run "$NFPM" package --config "$work/nfpm.yaml" --packager "$kind" --target "$out/"
	done
done
