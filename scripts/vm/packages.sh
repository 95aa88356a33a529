#!/bin/sh
# Fetches what the virtual machines run from Debian's archive, without touching
# the machine's own package sources.
# usage: packages.sh kernel SUITE   prints the folder of that suite's kernel
#        packages.sh qemu           prints the root of a Debian 13 with QEMU
#        packages.sh system SUITE   prints the root of a Debian with systemd
#
# Everything is kept in $WEIR_VM_CACHE (default: weir-vm in the user's cache
# folder); a second call downloads nothing but the lists of packages, at most
# once a day. The archive is the one in the machine's apt sources; on a system
# that is not Debian, WEIR_DEBIAN_MIRROR must name one.
set -eu
PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "weir: $*" >&2
	exit 1
}

cache=${WEIR_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weir-vm}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# source_of release : the address that the machine's apt sources have for it.
source_of() {
	# shellcheck disable=SC2016 # apt-get replaces these
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v release="$1" '$1 == release { print $2; exit }'
}

# archive : sets mirror and security.
archive() {
	mirror=${WEIR_DEBIAN_MIRROR:-} security=
	if [ -z "$mirror" ]; then
		# shellcheck source=/dev/null
		. /etc/os-release
		[ "${ID:-}" = debian ] || die "this system is not Debian: set WEIR_DEBIAN_MIRROR to the address of a Debian archive"
		mirror=$(source_of "$VERSION_CODENAME")
		security=$(source_of "$VERSION_CODENAME-security")
		[ -n "$mirror" ] || die "no archive of $VERSION_CODENAME in the apt sources: set WEIR_DEBIAN_MIRROR to the address of one"
	fi
	[ -r "$keyring" ] || die "$keyring is missing. Install it: sudo apt-get install debian-archive-keyring"
}

# private suite : makes a configuration of apt for one suite, with nothing of the
# machine's sources and packages in it, and reads the lists once a day.
private() {
	home=$cache/apt/$1
	mkdir -p "$home/lists/partial" "$home/archives/partial" "$home/empty"
	: >"$home/status"
	{
		echo "deb [signed-by=$keyring] $mirror $1 main"
		case $1 in
		*-backports) ;;
		*) [ -z "$security" ] || echo "deb [signed-by=$keyring] $security $1-security main" ;;
		esac
	} >"$home/sources.list.new"
	cmp -s "$home/sources.list.new" "$home/sources.list" || rm -f "$home/fresh"
	mv "$home/sources.list.new" "$home/sources.list"
	cat >"$home/apt.conf" <<-END
		Dir::State "$home";
		Dir::State::status "$home/status";
		Dir::State::lists "$home/lists";
		Dir::Cache "$home";
		Dir::Etc::sourcelist "$home/sources.list";
		Dir::Etc::sourceparts "$home/empty";
		Dir::Etc::preferences "$home/empty/none";
		Dir::Etc::preferencesparts "$home/empty";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Sandbox::User "root";
		Acquire::Retries "3";
	END
	export APT_CONFIG="$home/apt.conf"
	if [ -z "$(find "$home" -maxdepth 1 -name fresh -mmin -1440)" ]; then
		apt-get update -qq -o APT::Default-Release= >&2 || die "cannot read the list of packages of $1"
		touch "$home/fresh"
	fi
}

# kernel suite : linux-image-amd64 of the suite, unpacked: vmlinuz, and modules
# with their dependencies. The folder is named after the release of the kernel.
kernel() {
	private "$1"
	# The image may depend on packages of modules, of the binary, and of lists of
	# what is built in.
	packages=$(apt-cache -o APT::Default-Release= depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
		linux-image-amd64 | grep -E '^linux-(image|modules|binary|base)-[0-9]' | sort -u) || true
	[ -n "$packages" ] || die "$1 has no kernel"
	version=$(apt-cache -o APT::Default-Release= show --no-all-versions linux-image-amd64 | sed -n 's/^Version: //p')
	dir=$cache/kernels/$1-$version
	if [ ! -e "$dir/vmlinuz" ]; then
		echo "fetching the kernel of $1:" $packages >&2
		rm -rf "$dir.new"
		mkdir -p "$dir.new/deb"
		# shellcheck disable=SC2086 # a list of names
		(cd "$dir.new/deb" && apt-get download -qq -o APT::Default-Release= $packages >&2) || {
			rm -f "$home/fresh"
			die "cannot fetch the kernel of $1: its list of packages may be outdated, the next call reads it again"
		}
		mkdir -p "$dir.new/all"
		for deb in "$dir.new"/deb/*.deb; do
			dpkg-deb -x "$deb" "$dir.new/all" || die "cannot unpack $deb"
		done
		mkdir -p "$dir.new/lib"
		if [ -d "$dir.new/all/usr/lib/modules" ]; then
			mv "$dir.new/all/usr/lib/modules" "$dir.new/lib/modules"
		else
			mv "$dir.new/all/lib/modules" "$dir.new/lib/modules"
		fi
		release=$(ls "$dir.new/lib/modules")
		mv "$dir.new/all/boot/vmlinuz-$release" "$dir.new/vmlinuz" 2>/dev/null ||
			mv "$dir.new/lib/modules/$release/vmlinuz" "$dir.new/vmlinuz" || die "the packages of $1 have no kernel"
		rm -rf "$dir.new/all" "$dir.new/deb"
		depmod -b "$dir.new" "$release" 2>"$dir.new/depmod.log" || die "depmod: $(cat "$dir.new/depmod.log")"
		echo "$release" >"$dir.new/release"
		mv "$dir.new" "$dir"
	fi
	echo "$dir"
}

# root name suite package... : a Debian made by debootstrap, kept pristine.
root() {
	dir=$cache/roots/$1
	if [ ! -e "$dir.done" ]; then
		name=$1 suite=$2
		shift 2
		echo "making the root of $name" >&2
		rm -rf "$dir"
		mkdir -p "$dir"
		debootstrap --variant=minbase --keyring="$keyring" --include="$(echo "$*" | tr ' ' ,)" "$suite" "$dir" "$mirror" \
			>"$dir.log" 2>&1 || die "cannot make the root of $name: see $dir.log"
		touch "$dir.done"
	fi
	echo "$dir"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # one at a time
archive
case ${1:-} in
kernel) kernel "$2" ;;
qemu) root qemu trixie qemu-system-x86 ;;
system) root "system-$2" "$2" systemd systemd-sysv udev dbus iproute2 procps kmod ;;
*) die "packages.sh: ${1:-}: want kernel SUITE, qemu or system SUITE" ;;
esac
