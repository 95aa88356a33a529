#!/bin/sh
# Makes the root of a virtual machine, an archive for the kernel to unpack.
# usage: image.sh KERNEL PROGRAMS OUT
#   KERNEL    a folder of packages.sh kernel
#   PROGRAMS  a folder with guest, weir and the test binaries NAME.test, all static
#   OUT       the file to write
set -eu

kernel=$1 programs=$2 out=$3
# The cards, the sender's, VLANs, what the tests make networks of, and a disk.
modules="virtio_pci virtio_net igb vmxnet3 e1000e 8021q veth virtio_blk ext4"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
cd "$root"
mkdir -p bin dev proc sys tmp run modules tests etc

cp "$programs/guest" init
cp "$programs/weir" bin/
cp "$programs"/*.test tests/

# Programs of this machine, with the libraries that they load.
for program in ip ethtool; do
	path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$program") || {
		echo "weir: $program is missing" >&2
		exit 1
	}
	cp -L "$path" "bin/$program"
	for library in $(ldd "$path" | grep -o '/[^ ]*'); do
		mkdir -p ".$(dirname "$library")"
		cp -L "$library" ".$library"
	done
done

# Modules, in the order in which they must be loaded; the guest has no depmod.
release=$(cat "$kernel/release")
number=100
for module in $modules; do
	modprobe -d "$kernel" -S "$release" --show-depends "$module" >list || exit 1
	while read -r what path _; do
		[ "$what" = insmod ] || continue # built in
		name=$(basename "$path")
		name=${name%%.ko*}
		! ls modules/*-"$name".ko >/dev/null 2>&1 || continue
		case $path in
		*.xz) xz -dc "$path" ;;
		*.zst) zstd -dcq "$path" ;;
		*) cat "$path" ;;
		esac >"modules/$number-$name.ko"
		number=$((number + 1))
	done <list
	rm list
done

find . -mindepth 1 -printf '%P\n' | cpio --quiet -o -H newc -R 0:0 >"$out.new"
mv "$out.new" "$out"
