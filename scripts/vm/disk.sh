#!/bin/sh
# Makes the disk of a Debian with systemd on which weir is installed as
# docs/service.md says, with the drop-in for XDP, and a unit that runs the steps.
# usage: disk.sh ROOT PROGRAMS OUT
#   ROOT      a folder of packages.sh system
#   PROGRAMS  a folder with guest and weir, static
#   OUT       the file to write
set -eu
PATH=$PATH:/usr/sbin:/sbin

root=$1 programs=$2 out=$3
packaging=$(cd "$(dirname "$0")/../packaging" && pwd)

work=$(mktemp -d "$(dirname "$out")/disk.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -a "$root" "$work/root"
cd "$work/root"

install -m 755 "$programs/weir" usr/bin/weir
install -D -m 644 "$packaging/weir.sysusers" usr/lib/sysusers.d/weir.conf
install -D -m 644 "$packaging/weir.sysctl" usr/lib/sysctl.d/50-weir.conf
install -D -m 644 "$packaging/weir.service" usr/lib/systemd/system/weir.service
install -D -m 644 "$packaging/weir-xdp.conf" etc/systemd/system/weir.service.d/xdp.conf
install -D -m 640 "$packaging/weir.yaml" etc/weir/weir.yaml
chroot . systemd-sysusers
chroot . chgrp weir /etc/weir/weir.yaml

# The example configuration, but for the interface and the file.
sed -i -e 's|^  interface: \[\]$|  interface: [eth0]|' -e '/^  file:$/,/^    path:/s|path: ""|path: /var/log/weir/flows.json|' etc/weir/weir.yaml
for line in '  interface: \[eth0\]' '    path: /var/log/weir/flows.json'; do
	if [ "$(grep -cx "$line" etc/weir/weir.yaml)" != 1 ]; then
		echo "disk.sh: weir.yaml has not exactly one line \"$line\"" >&2
		exit 1
	fi
done

install -m 755 "$programs/guest" usr/sbin/weir-vmtest
cat >etc/systemd/system/weir-vmtest.service <<-END
	[Unit]
	Description=steps of weir's tests in a virtual machine
	FailureAction=poweroff-force
	[Service]
	Type=exec
	ExecStart=/usr/sbin/weir-vmtest
	StandardOutput=tty
	TTYPath=/dev/ttyS0
END
mkdir -p etc/systemd/system/multi-user.target.wants
ln -s ../weir-vmtest.service etc/systemd/system/multi-user.target.wants/
echo weir-vm >etc/hostname
: >etc/machine-id

size=$(($(du -sm . | cut -f1) * 5 / 4 + 128))
rm -f "$out"
mkfs.ext4 -q -L root -d . "$out" "${size}M"
