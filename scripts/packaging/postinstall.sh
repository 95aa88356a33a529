#!/bin/sh
# After the files of the package are there. dpkg calls it with "configure" and the version
# that was installed before, rpm with the number of versions installed.
set -e

fresh=no
case $1 in
configure) [ -n "$2" ] || fresh=yes ;;
1) fresh=yes ;;
[2-9]*) ;;
*) exit 0 ;; # abort-upgrade and the like: nothing was changed
esac

if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers weir.conf
elif ! getent passwd weir >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/weir --no-create-home --shell /usr/sbin/nologin weir
fi
# The configuration may name passwords.
if [ -f /etc/weir/weir.yaml ]; then
	chgrp weir /etc/weir/weir.yaml
	chmod 0640 /etc/weir/weir.yaml
fi
sysctl -q -p /usr/lib/sysctl.d/50-weir.conf >/dev/null 2>&1 || true # not in containers

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if [ "$fresh" = yes ]; then
	systemctl enable --quiet weir.service
	systemctl start weir.service || echo "weir does not start: see journalctl -u weir" >&2
else
	# A restart keeps the sockets in systemd's descriptor store. A stop would drop them.
	systemctl try-restart weir.service || echo "weir does not restart: see journalctl -u weir" >&2
fi
