package xdp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/ringbuf"
)

// fakeQueue is a queue with one socket whose rings lie in ordinary memory: the
// test is the kernel.
type fakeQueue struct {
	*queue
	rxMem, fillMem []byte
	produced       uint32 // of the RX ring
}

var fakeLayout = ringbuf.Layout{Producer: 0, Consumer: 64, Flags: 128, Desc: 192}

const fakeRing, fakeChunks = 128, 256

func newFakeQueue(t testing.TB, id uint32) *fakeQueue {
	t.Helper()
	return newFakeQueueOf(t, id, fakeChunks)
}

// newFakeQueueOf has a fill ring of so many entries.
func newFakeQueueOf(t testing.TB, id, entries uint32) *fakeQueue {
	t.Helper()
	f := &fakeQueue{queue: &queue{id: id}}
	var err error
	if f.umem, err = newUMEM(fakeChunks, smallChunk); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.umem.close)
	f.rxMem, f.fillMem = make([]byte, 192+16*fakeRing), make([]byte, 192+8*entries)
	s := &socket{fd: -1, queue: f.queue}
	if s.rx, err = ringbuf.NewRX(f.rxMem, fakeLayout, fakeRing); err != nil {
		t.Fatal(err)
	}
	if f.chunks.fill, err = ringbuf.NewFill(f.fillMem, fakeLayout, entries); err != nil {
		t.Fatal(err)
	}
	f.sockets = []*socket{s}
	f.chunks.add(f.umem, fakeChunks, fakeRing, mostUsed(1, fakeRing))
	return f
}

var left = []byte{1}

// frame returns a frame of the last Receive, in place of what is left of another.
func (r *Receiver) frame(i int) Frame {
	f := Frame{Payload: left, VLAN: 1, InnerVLAN: 2, Tags: 2, Queue: 3}
	r.Read(i, &f)
	if src, payload := r.Datagram(i); src != f.Src || !bytes.Equal(payload, f.Payload) || (payload == nil) != (f.Payload == nil) {
		panic("Datagram and Read do not agree")
	}
	return f
}

// chunk takes a chunk out of the fill ring.
func (f *fakeQueue) chunk() uint64 {
	consumer, entries := cell(f.fillMem[64:]).Load(), uint32(f.chunks.fill.Cap())
	addr := binary.NativeEndian.Uint64(f.fillMem[192+8*(consumer%entries):])
	cell(f.fillMem[64:]).Store(consumer + 1)
	return addr
}

// put gives a descriptor.
func (f *fakeQueue) put(addr uint64, length, options uint32) {
	b := f.rxMem[192+16*(f.produced%fakeRing):]
	binary.NativeEndian.PutUint64(b, addr)
	binary.NativeEndian.PutUint32(b[8:], length)
	binary.NativeEndian.PutUint32(b[12:], options)
	f.produced++
	cell(f.rxMem).Store(f.produced)
}

// packet gives a frame in pieces of at most size bytes; more says that another
// piece will follow the last one.
func (f *fakeQueue) packet(frame []byte, size int, more bool) {
	for len(frame) > 0 {
		n := min(size, len(frame))
		addr := f.chunk() + chunkHeadroom
		copy(f.umem.mem[addr:], frame[:n])
		frame = frame[n:]
		options := uint32(0)
		if len(frame) > 0 || more {
			options = unix.XDP_PKT_CONTD
		}
		f.put(addr, uint32(n), options)
	}
}

func (f *fakeQueue) wantAll(t *testing.T, but int) {
	t.Helper()
	spare, used := len(f.chunks.spare), f.chunks.used
	if n := f.chunks.fill.Len() + spare; n != fakeChunks-but || used != fakeChunks-spare || int(f.chunks.left.Load()) != f.chunks.most-used {
		t.Errorf("%d chunks of %d are in the fill ring or spare, %d should be missing; %d are in use, %d more may be, of %d",
			n, fakeChunks, but, used, f.chunks.left.Load(), f.chunks.most)
	}
}

func fakeReceiver(bounce bool, queues ...*fakeQueue) *Receiver {
	r := &Receiver{}
	for _, q := range queues {
		r.sockets = append(r.sockets, q.sockets[0])
	}
	if bounce {
		r.bounce = make([]byte, Batch*smallChunk)
	}
	return r
}

func testFrame(i int) []byte {
	return packetSpec{src: src4, dst: dst4, payload: bytes.Repeat([]byte{byte(i)}, 200)}.frame()
}

// wantFrames wants frames with the given fills; -1 is one that is no good.
func wantFrames(t *testing.T, r *Receiver, fills ...int) {
	t.Helper()
	n := r.Receive()
	if n != len(fills) {
		t.Fatalf("Receive = %d, want %d", n, len(fills))
	}
	for i, fill := range fills {
		f := r.frame(i)
		if fill < 0 && f.Payload != nil || fill >= 0 && !bytes.Equal(f.Payload, bytes.Repeat([]byte{byte(fill)}, 200)) {
			t.Errorf("frame %d: %d bytes %v, want %d", i, len(f.Payload), f.Payload, fill)
		}
	}
}

func TestReceiveGathers(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(true, q)
	q.packet(testFrame(1), 4096, false)
	q.packet(testFrame(2), 100, false)
	q.packet(testFrame(3), 7, false)
	q.packet(testFrame(4)[:100], 100, true)
	wantFrames(t, r, 1, 2, 3) // the end of the fourth has not come
	r.Release()
	wantFrames(t, r)
	r.Release()
	q.packet(testFrame(4)[100:], 100, false)
	wantFrames(t, r, 4)
	r.Release()
	q.wantAll(t, 0)
	if n := r.sockets[0].rx.Len(); n != 0 {
		t.Errorf("%d descriptors are left", n)
	}
}

// A packet that has no room in the batch waits for the next.
func TestReceiveKeepsPacketsTogether(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(true, q)
	var first []int
	for i := range Batch - 1 {
		q.packet(testFrame(i), 4096, false)
		first = append(first, i)
	}
	q.packet(testFrame(100), 100, false)
	q.packet(testFrame(101), 4096, false)
	wantFrames(t, r, first...)
	wantFrames(t, r, 100, 101) // and Receive releases what was not
	r.Release()
	q.wantAll(t, 0)
}

func TestReceiveIsFair(t *testing.T) {
	a, b := newFakeQueue(t, 0), newFakeQueue(t, 1)
	r := fakeReceiver(false, a, b)
	for range fakeRing {
		a.packet(testFrame(1), 4096, false)
		b.packet(testFrame(2), 4096, false)
	}
	for want := range uint32(2) {
		if n := r.Receive(); n != Batch {
			t.Fatalf("Receive = %d", n)
		}
		for i := range Batch {
			if f := r.frame(i); f.Queue != want {
				t.Fatalf("frame %d is of queue %d, want %d", i, f.Queue, want)
			}
		}
	}
	r.Release()
}

func TestReceiveBadDescriptors(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(true, q)
	q.put(fakeChunks*smallChunk, 100, 0) // beyond the memory: no chunk goes back for it
	q.put(^uint64(0), 100, 0)
	q.put(q.chunk()+chunkHeadroom, smallChunk-chunkHeadroom+1, 0) // into the next chunk
	q.put(q.chunk(), ^uint32(0), 0)
	q.put(q.chunk(), 100, unix.XDP_PKT_CONTD)
	q.put(^uint64(0), 100, 0)
	q.packet(testFrame(9), 4096, false)
	q.put(q.chunk()+chunkHeadroom, 0, 0)
	wantFrames(t, r, -1, -1, -1, -1, -1, 9, -1)
	r.Release()
	q.wantAll(t, 0)
}

// Fetching changes nothing and allocates nothing, whatever the frame is like, and there
// need be none.
func TestFetch(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(true, q)
	q.put(^uint64(0), 100, 0)
	q.packet(testFrame(1), 4096, false)
	q.packet(testFrame(2), 100, false)
	q.put(q.chunk()+chunkHeadroom, 0, 0)
	q.packet(testFrame(3)[:1], 4096, false)
	n := r.Receive()
	before := bytes.Clone(q.umem.mem)
	if allocs := testing.AllocsPerRun(10, func() {
		for i := range n + 2 {
			r.Fetch(i)
		}
	}); n != 5 || allocs != 0 {
		t.Errorf("%d frames, %v allocations", n, allocs)
	}
	if !bytes.Equal(q.umem.mem, before) {
		t.Error("fetching frames changed them")
	}
	r.Release()
	q.wantAll(t, 0)
}

// Without room to gather in there are no packets of several chunks; a packet that
// never ends is dropped whole and counts once.
func TestReceiveTooLong(t *testing.T) {
	for _, bounce := range []bool{true, false} {
		q := newFakeQueue(t, 0)
		r := fakeReceiver(bounce, q)
		q.packet(bytes.Repeat(testFrame(1), 10), 20, false)
		q.packet(testFrame(2), 4096, false)
		wantFrames(t, r, -1)
		r.Release()
		wantFrames(t, r, 2)
		r.Release()
		q.wantAll(t, 0)
		if bounce {
			continue
		}
		q.packet(testFrame(3), 200, false)
		wantFrames(t, r, -1)
		r.Release()
		q.wantAll(t, 0)
	}
}

func TestReleaseWakesKernel(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	q := newFakeQueue(t, 0)
	q.sockets[0].fd = pair[0]
	r := fakeReceiver(false, q)
	for _, flag := range []uint32{0, unix.XDP_RING_NEED_WAKEUP} {
		if _, err := unix.Write(pair[1], []byte("x")); err != nil {
			t.Fatal(err)
		}
		binary.NativeEndian.PutUint32(q.fillMem[128:], flag)
		q.packet(testFrame(1), 4096, false)
		wantFrames(t, r, 1)
		r.Release()
		// The wake-up is a recvfrom, which here takes the message away.
		var b [1]byte
		_, err := unix.Read(pair[0], b[:])
		if woken := err == unix.EAGAIN; woken != (flag != 0) {
			t.Errorf("flag %d: woken %v", flag, woken)
		}
	}
	q.sockets[0].fd = -1
}

func TestFrameOutOfRange(t *testing.T) {
	r := fakeReceiver(false, newFakeQueue(t, 0))
	r.Receive()
	defer func() {
		if recover() == nil {
			t.Error("a frame that was not received was read")
		}
	}()
	r.frame(0)
}
