#!/bin/sh
# After the files of the package are gone. Only dpkg tells a purge, which removes flows, state
# and user too.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/weir /var/log/weir /etc/weir
	rm -rf /etc/systemd/system/weir.service.d
	if getent passwd weir >/dev/null; then
		userdel weir || true
	fi
fi
