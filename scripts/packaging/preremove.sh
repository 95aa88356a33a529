#!/bin/sh
# Before the files of the package go. dpkg calls it with "remove" or "upgrade", rpm with the
# number of versions that stay. An upgrade does not stop weir: postinstall.sh restarts it.
set -e

case $1 in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --quiet --now weir.service || true
	fi
	;;
esac
