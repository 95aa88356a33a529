#!/bin/sh
# Boots a virtual machine with two cards on one bridge, in a network namespace of
# its own, which is gone with it. The package vmtest says what runs in it.
# usage: boot.sh KERNEL IMAGE CARD FOLDER PARAMETER...
#   KERNEL     a folder of packages.sh kernel
#   IMAGE      a file of image.sh
#   CARD       the card under test: virtio_net, igb, vmxnet3 or e1000e
#   FOLDER     where console (the kernel's words) and reports are written
#   PARAMETER  of the kernel's command line
# $QEMU_ROOT is the root of the system whose QEMU is used; empty is this one's.
# $DISK is a file of disk.sh, or empty.
set -eu
PATH=$PATH:/usr/sbin:/sbin

if [ -z "${WEIR_VM_INSIDE:-}" ]; then
	WEIR_VM_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$@"
fi
kernel=$1 image=$2 card=$3 folder=$4
shift 4

ip link set lo up
ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
# More than one queue of a tap only for a card that takes them.
queues=''
[ "$card" != virtio_net ] || queues=multi_queue
ip tuntap add dev nic mode tap $queues
ip tuntap add dev gen mode tap
for name in nic gen; do
	ip link set "$name" mtu 9000 txqueuelen 2000 master br0 up
	tc qdisc replace dev "$name" root noqueue # none that drops
done
ip link set br0 mtu 9000 up

case $card in
virtio_net) device=virtio-net-pci,mq=on,vectors=6,iommu_platform=on,disable-legacy=on backend=,queues=2 ;;
igb | vmxnet3 | e1000e) device=$card backend='' ;;
*)
	echo "boot.sh: $card: want virtio_net, igb, vmxnet3 or e1000e" >&2
	exit 2
	;;
esac

disk=''
[ -z "${DISK:-}" ] || disk="-drive file=$DISK,format=raw,if=virtio"

run=''
if [ -n "${QEMU_ROOT:-}" ]; then
	mkdir -p "$QEMU_ROOT/vm/kernel" "$QEMU_ROOT/vm/out" "$QEMU_ROOT/dev/net"
	mount --bind "$kernel" "$QEMU_ROOT/vm/kernel"
	mount --bind "$folder" "$QEMU_ROOT/vm/out"
	mount --rbind /dev "$QEMU_ROOT/dev"
	mount -t proc proc "$QEMU_ROOT/proc"
	: >>"$QEMU_ROOT/vm/image"
	mount --bind "$image" "$QEMU_ROOT/vm/image"
	kernel=/vm/kernel folder=/vm/out image=/vm/image run="chroot $QEMU_ROOT"
fi

# thread=single: with a thread for each CPU QEMU now and then runs code that the
# kernel has patched meanwhile (jump labels): "Oops: int3", or it hangs.
# no_timer_check, nowatchdog and the like: late timers and stalls of an emulated
# CPU are the host's.
# shellcheck disable=SC2086 # a list of words
exec $run qemu-system-x86_64 -M q35 -accel tcg,thread=single -cpu max -smp 2 -m 1536 \
	-display none -nodefaults -no-reboot \
	-kernel "$kernel/vmlinuz" -initrd "$image" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 log_buf_len=4M $*" \
	$disk -serial "file:$folder/console" -serial "file:$folder/reports" \
	-netdev tap,id=n0,ifname=nic,script=no,downscript=no$backend -device $device,netdev=n0,mac=52:54:00:00:00:01 \
	-netdev tap,id=n1,ifname=gen,script=no,downscript=no -device virtio-net-pci,netdev=n1,mac=52:54:00:00:00:02
