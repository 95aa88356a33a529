package xdp

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/ringbuf"
)

const (
	// chunkHeadroom is what the kernel leaves free before a frame
	// (XDP_PACKET_HEADROOM), for programs that push headers.
	chunkHeadroom = unix.XDP_PACKET_HEADROOM
	// frameOverhead is what a frame has beyond the MTU: the Ethernet header and the
	// tags that the program skips.
	frameOverhead = ethernetHeader + maxTags*vlanTag

	smallChunk = 2048
	largeChunk = 4096
	// zeroCopyChunk is the chunk with zero-copy, whatever the MTU. Of a chunk of 2 KiB
	// 1792 bytes are for the frame, and igb and igc tell the card their number in whole
	// KiB, rounded down: it drops or cuts frames beyond 1024 bytes. Of 4 KiB they
	// use 3, and their drivers take no XDP program with an MTU beyond that.
	zeroCopyChunk = largeChunk
	// sharedInfo is what the kernel keeps at the end of a page after a frame
	// (struct skb_shared_info): where drivers put frames of one buffer.
	sharedInfo = 320

	hugePage = 2 << 20
	// mapHuge2MB asks for pages of that size, whatever the system's default is
	// (MAP_HUGE_2MB: the logarithm, shifted by MAP_HUGE_SHIFT).
	mapHuge2MB = 21 << 26
)

// layout says how frames lie in the packet memory.
type layout struct {
	chunk int  // bytes of a chunk
	frags bool // a frame may be in several buffers: the driver's, or chunks
	// maxFrame is the longest frame that a chunk has room for, with its Ethernet
	// header, where longer ones may come that cannot be in several; 0 otherwise.
	maxFrame int
}

// largeFrame is the longest frame that is in one buffer for sure.
const largeFrame = largeChunk - chunkHeadroom - sharedInfo

// layoutFor returns the layout for an MTU. The kernel wants chunks of a power of two,
// from 2048 bytes to the page size.
func layoutFor(mtu int, have Features) layout {
	switch frame := mtu + frameOverhead; {
	case frame <= smallChunk-chunkHeadroom:
		return layout{chunk: smallChunk}
	case frame <= largeFrame:
		return layout{chunk: largeChunk}
	case have.MultiBuffer:
		return layout{chunk: largeChunk, frags: true}
	default:
		return layout{chunk: largeChunk, maxFrame: largeFrame}
	}
}

// holds reports whether frames of layout l fit into packet memory that was made for have.
func (have layout) holds(l layout) bool {
	return l.chunk <= have.chunk && (have.frags || !l.frags) && (have.maxFrame != 0 || l.maxFrame == 0)
}

// chunksFor returns how many chunks the UMEM of a queue has: enough that no worker
// can starve another, however long it rests. A worker holds at most a full ring
// and a batch; what a driver keeps (driverKeeps) comes on top of that.
func chunksFor(workers, ringSize int) int {
	return mostUsed(workers, ringSize) + driverKeeps(ringSize)
}

// leastUsed returns how many of them are in use at least: so many that the RX rings of
// half the workers, and of a single one, can fill up before anyone returns a chunk.
func leastUsed(workers, ringSize int) int {
	return (workers+1)*ringSize/2 + Batch + beyondFull
}

// mostUsed returns how many of them are in use at most: so many that all RX rings and all hands
// can be full. Further ones could not be received, and would only make memory colder.
func mostUsed(workers, ringSize int) int {
	return workers*(ringSize+Batch) + beyondFull
}

// beyondFull is how many chunks are left when rings and hands are full: the kernel looks for a
// chunk before it looks for room in the ring, and should say about a frame that is lost then that
// the ring was full. More than the longest packet has.
const beyondFull = 32

// driverKeeps returns how many more are in use where the driver puts them on its own ring, which
// it does for zero-copy only.
func driverKeeps(ringSize int) int { return ringSize }

// umem is the packet memory of a queue: chunks, each of which belongs at any time
// to the kernel or to one worker.
type umem struct {
	mapping []byte // whole pages
	mem     []byte // the chunks
	chunk   uint64 // bytes, a power of two
	huge    bool   // mapped with huge pages; otherwise the kernel was only asked
	ledger  *ringbuf.Ledger
}

func newUMEM(chunks, size int) (*umem, error) {
	length := chunks * size
	u := &umem{chunk: uint64(size)}
	const protection, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	var err error
	// Fails unless the administrator has set enough huge pages aside (vm.nr_hugepages).
	u.mapping, err = unix.Mmap(-1, 0, roundUp(length, hugePage), protection, flags|unix.MAP_HUGETLB|mapHuge2MB)
	if u.huge = err == nil; !u.huge {
		u.mapping, err = unix.Mmap(-1, 0, roundUp(length, unix.Getpagesize()), protection, flags)
		if err != nil {
			return nil, fmt.Errorf("map %d bytes: %w", length, err)
		}
		// Advice: where it is not taken the pages are small.
		_ = unix.Madvise(u.mapping, unix.MADV_HUGEPAGE)
	}
	u.mem = u.mapping[:length:length]
	u.ledger = ringbuf.NewLedger(u.mem, size)
	return u, nil
}

func (u *umem) close() {
	if u.mapping != nil {
		_ = unix.Munmap(u.mapping) // it can only fail for what is not mapped
	}
	u.mapping, u.mem = nil, nil
}

// view returns the bytes of a descriptor, or nil if they do not lie in one chunk.
func (u *umem) view(d ringbuf.Desc) []byte {
	length := uint64(d.Len)
	if d.Addr >= uint64(len(u.mem)) || d.Addr&(u.chunk-1)+length > u.chunk {
		return nil
	}
	return u.mem[d.Addr : d.Addr+length : d.Addr+length]
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
