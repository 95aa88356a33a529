#!/bin/sh
# Checks that what a make target needs is there. As root on Debian or Ubuntu it
# installs what is missing; otherwise it names the command that would.
# usage: need.sh go|cgo|protoc|clang|exporters|kafka|packaging|image|vm|root ...
set -eu

die() {
	echo "weir: $*" >&2
	exit 1
}

# install what package... : apt-get as root, else say how.
install() {
	what=$1
	shift
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "installing $what: $*" >&2
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq >/dev/null || true
		apt-get install -y -qq --no-install-recommends "$@" >/dev/null || die "cannot install $*"
	else
		die "$what is missing. Install it: sudo apt-get install $*"
	fi
}

# too_old version: whether it cannot fetch what go.mod names.
too_old() {
	case $1 in
	1.[0-9] | 1.[0-9].* | 1.1[0-9] | 1.1[0-9].* | 1.20 | 1.20.*) return 0 ;;
	esac
	return 1
}

newer="On Debian 12, as root:
  echo 'deb http://deb.debian.org/debian bookworm-backports main' >/etc/apt/sources.list.d/backports.list
  apt-get update && apt-get install -t bookworm-backports golang-go
Elsewhere: https://go.dev/doc/install"

need_go() {
	# A Go of 1.21 or later fetches the version that go.mod names by itself.
	if ! command -v go >/dev/null 2>&1; then
		[ ! -x /usr/local/go/bin/go ] || die "Go is in /usr/local/go/bin, which is not in PATH. Run: export PATH=\$PATH:/usr/local/go/bin"
		# What the distribution has is looked at first: an old one would be of no use.
		offered=$(apt-cache policy golang-go 2>/dev/null | sed -n 's/^ *Candidate: 2:\([0-9.]*\).*/\1/p')
		if too_old "$offered"; then
			die "Go is missing, and golang-go of this distribution is $offered, which is too old. $newer"
		fi
		install Go golang-go
	fi
	have=$(go env GOVERSION 2>/dev/null | sed 's/^go//')
	if too_old "$have"; then
		[ ! -x /usr/local/go/bin/go ] || die "go $have is too old, and comes before the Go in /usr/local/go/bin. Run: export PATH=/usr/local/go/bin:\$PATH"
		die "go $have is too old: 1.21 or later is needed, which then fetches what go.mod names. $newer"
	fi
}

need_cgo() {
	command -v gcc >/dev/null 2>&1 || command -v cc >/dev/null 2>&1 ||
		install "a C compiler, which the race detector needs," gcc libc6-dev
}

need_protoc() { command -v protoc >/dev/null 2>&1 || install protoc protobuf-compiler; }

# The object in bpf/ is built by clang 14, which is Debian 12's.
need_clang() {
	if ! command -v clang >/dev/null 2>&1 || ! command -v llvm-strip >/dev/null 2>&1; then
		install clang clang llvm
	fi
}

need_exporters() {
	missing=
	command -v softflowd >/dev/null 2>&1 || missing="$missing softflowd"
	command -v pmacctd >/dev/null 2>&1 || missing="$missing pmacct"
	command -v ovs-vswitchd >/dev/null 2>&1 || missing="$missing openvswitch-switch"
	command -v fprobe >/dev/null 2>&1 || missing="$missing fprobe"
	command -v nfcapd >/dev/null 2>&1 || missing="$missing nfdump"
	command -v tcpreplay >/dev/null 2>&1 || missing="$missing tcpreplay"
	command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
	command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$missing" ] || install "real exporters" $missing
}

need_kafka() {
	command -v java >/dev/null 2>&1 || install "Java 17" openjdk-17-jre-headless
	command -v mvn >/dev/null 2>&1 || install Maven maven
	command -v openssl >/dev/null 2>&1 || install openssl openssl
	command -v kcat >/dev/null 2>&1 || install kcat kcat
	python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || install "Python 3 with venv" python3-venv
}

# Virtual machines for make test-vm: an emulator, and what their roots are made of.
need_packaging() {
	missing=
	command -v lintian >/dev/null 2>&1 || missing="$missing lintian"
	command -v rpmlint >/dev/null 2>&1 || missing="$missing rpmlint"
	command -v rpm >/dev/null 2>&1 || missing="$missing rpm"
	command -v mandoc >/dev/null 2>&1 || missing="$missing mandoc"
	command -v zsh >/dev/null 2>&1 || missing="$missing zsh"
	command -v fish >/dev/null 2>&1 || missing="$missing fish"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$missing" ] || install "what checks packages" $missing
}

# What runs the image of weir.
need_image() {
	missing=
	for tool in skopeo umoci crun jq curl; do
		command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
	done
	command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$missing" ] || install "what runs images" $missing
}

need_vm() {
	[ "$(uname -m)" = x86_64 ] || die "the virtual machines need an x86-64 host, and this one is $(uname -m)"
	missing=
	command -v qemu-system-x86_64 >/dev/null 2>&1 || missing="$missing qemu-system-x86"
	command -v cpio >/dev/null 2>&1 || missing="$missing cpio"
	command -v xz >/dev/null 2>&1 || missing="$missing xz-utils"
	PATH=$PATH:/usr/sbin:/sbin
	command -v modprobe >/dev/null 2>&1 || missing="$missing kmod"
	command -v ethtool >/dev/null 2>&1 || missing="$missing ethtool"
	command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
	command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
	command -v mkfs.ext4 >/dev/null 2>&1 || missing="$missing e2fsprogs"
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$missing" ] || install "what virtual machines need" $missing
}

need_root() { [ "$(id -u)" = 0 ] || die "root is needed for network namespaces: run sudo make"; }

for need in "$@"; do
	case $need in
	go | cgo | protoc | clang | exporters | kafka | packaging | image | vm | root) "need_$need" ;;
	*) die "need.sh: $need: want go, cgo, protoc, clang, exporters, kafka, packaging, image, vm or root" ;;
	esac
done
