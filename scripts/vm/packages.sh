#!/bin/sh
# Fetches what the virtual machines run from Debian's archive, without touching
# the machine's own package sources.
# usage: packages.sh kernel SUITE       prints the folder of that suite's kernel
#        packages.sh kernel SUITE-6.17  the same of another version that the suite has
#        packages.sh qemu               prints the root of a Debian 13 with QEMU
#        packages.sh system SUITE       prints the root of a Debian with systemd
#
# Everything is kept in $WEIR_VM_CACHE (default: weir-vm in the user's cache
# folder); a second call downloads nothing but the lists of packages, at most
# once a day. The archive is the one in the machine's apt sources, whose lists
# need not be there; on a system that is not Debian, WEIR_DEBIAN_MIRROR must name
# one.
set -eu
PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "weir: $*" >&2
	exit 1
}

cache=${WEIR_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weir-vm}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# sources : "SUITE ADDRESS" of each line of the machine's apt sources. Unlike
# apt-get indextargets it needs no lists of packages.
sources() {
	apt-get update --print-uris 2>/dev/null | sed -n "s|^'\\(.*\\)/dists/\\(.*\\)/InRelease' .*|\\2 \\1|p"
}

# suites codename suffix : the names that apt sources may have for a release.
suites() {
	for name in "$1" stable oldstable oldoldstable testing; do
		echo "$name$2"
	done
}

# is_debian address suite : whether Debian has signed what is there. Others name
# their suites like Debian's.
is_debian() {
	! grep -qsxF "$1" "$cache/apt/archives" || return 0
	home=$cache/apt/try
	sources_list "$home" "deb [signed-by=$keyring] $1 $2 main"
	APT_CONFIG=$home/apt.conf apt-get update -qq -o APT::Update::Error-Mode=any \
		-o Acquire::IndexTargets::deb::Packages::DefaultEnabled=false >"$home/log" 2>&1 || return 1
	echo "$1" >>"$cache/apt/archives"
}

# archive_of codename suffix : the first of Debian's archives in the machine's apt
# sources that has the release.
archive_of() {
	sources | while read -r suite address; do
		if suites "$1" "$2" | grep -qxF "$suite" && is_debian "$address" "$suite"; then
			echo "$address"
			break
		fi
	done
}

# archive : sets mirror and security.
archive() {
	[ -r "$keyring" ] || die "$keyring is missing. Install it: sudo apt-get install debian-archive-keyring"
	mirror=${WEIR_DEBIAN_MIRROR:-} security=
	[ -z "$mirror" ] || return 0
	set_it="set WEIR_DEBIAN_MIRROR to the address of a Debian archive, of which ADDRESS/dists/bookworm/InRelease can be read"
	# shellcheck source=/dev/null
	. /etc/os-release
	[ "${ID:-}" = debian ] || die "this system is ${PRETTY_NAME:-not Debian}, and the virtual machines run Debian's kernels: $set_it"
	[ -n "${VERSION_CODENAME:-}" ] || die "/etc/os-release has no VERSION_CODENAME: $set_it"
	mirror=$(archive_of "$VERSION_CODENAME" "")
	security=$(archive_of "$VERSION_CODENAME" -security)
	[ -n "$mirror" ] || die "no archive of Debian $VERSION_CODENAME in the apt sources: $set_it"
}

# sources_list home line... : makes a configuration of apt in a folder, with nothing
# of the machine's sources and packages in it.
sources_list() {
	home=$1
	shift
	mkdir -p "$home/lists/partial" "$home/archives/partial" "$home/empty"
	: >"$home/status"
	printf '%s\n' "$@" >"$home/sources.list.new"
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
}

# private suite : has apt use one suite alone, and reads its lists once a day.
private() {
	home=$cache/apt/$1
	set -- "$1" "deb [signed-by=$keyring] $mirror $1 main"
	case $1 in
	*-backports) ;;
	*) [ -z "$security" ] || set -- "$@" "deb [signed-by=$keyring] $security $1-security main" ;;
	esac
	suite=$1
	shift
	sources_list "$home" "$@"
	export APT_CONFIG="$home/apt.conf"
	if [ -z "$(find "$home" -maxdepth 1 -name fresh -mmin -1440)" ]; then
		apt-get update -qq -o APT::Default-Release= -o APT::Update::Error-Mode=any >&2 || die "cannot read the list of packages of $suite"
		touch "$home/fresh"
	fi
}

# image version : the package of the newest kernel, "" for the suite's own, or of
# another version.
image() {
	[ -n "$1" ] || { echo linux-image-amd64 && return; }
	apt-cache -o APT::Default-Release= pkgnames "linux-image-$1." | grep -E -- '-amd64$' | grep -vE -- '-(cloud|rt)-amd64$' | sort -V | tail -n 1
}

# kernel suite[-version] : linux-image-amd64 of the suite, or its newest kernel of that
# version, unpacked: vmlinuz, and modules with their dependencies. The folder is
# named after the version of the package.
kernel() {
	suite=$1 wanted=
	case ${1##*-} in
	[0-9]*.[0-9]*) suite=${1%-*} wanted=${1##*-} ;;
	esac
	private "$suite"
	image=$(image "$wanted")
	[ -n "$image" ] || die "$suite has no kernel $wanted any more, but these: $(apt-cache -o APT::Default-Release= pkgnames linux-image- |
		sed -n 's/^linux-image-\([0-9]*\.[0-9]*\)\..*-amd64$/\1/p' | sort -uV | tr '\n' ' '). Choose some with KERNELS="
	# The image may depend on packages of modules, of the binary, and of lists of
	# what is built in.
	packages=$(apt-cache -o APT::Default-Release= depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
		"$image" | grep -E '^linux-(image|modules|binary|base)-[0-9]' | sort -u) || true
	[ -n "$packages" ] || die "$1 has no kernel"
	version=$(apt-cache -o APT::Default-Release= show --no-all-versions "$image" | sed -n 's/^Version: //p')
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
