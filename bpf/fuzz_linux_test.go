package bpf

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// twins are a program and the model of it, with rules and with some sockets missing.
type twins struct {
	program *Program
	model   *model
	sums    Verdicts // of the frames compared, by the model
}

func newTwins(t testing.TB, frags bool, maxFrame uint32) *twins {
	t.Helper()
	cfg := Config{
		Workers: 4, Queues: 1, Frags: frags, MaxFrame: maxFrame, Host: host,
		Allow: prefixes("192.0.0.0/8", "10.0.0.0/9", "2001:db8::/32", "::/3"),
		Deny:  prefixes("192.0.2.128/25", "10.64.0.0/10", "2001:db8:8000::/33", "::ffff:0:0/90"),
	}
	tw := &twins{
		program: load(t, cfg, listens()),
		model:   &model{cfg: cfg, listens: listens(), sockets: make(map[[2]uint32]bool)},
	}
	for _, worker := range []uint32{0, 3} {
		if err := tw.program.SetSocket(0, worker, socket(t)); err != nil {
			t.Fatal(err)
		}
		tw.model.sockets[[2]uint32{0, worker}] = true
	}
	return tw
}

// compare runs the frame and looks at the one count that has to grow; check looks at all.
func (tw *twins) compare(t testing.TB, frame []byte) {
	t.Helper()
	want := tw.model.verdict(frame, 0)
	tw.sums[want]++
	action, err := tw.program.XDP().Run(options(frame, nil))
	if err != nil {
		t.Fatalf("run frame %x: %v", frame, err)
	}
	if action != actionOf(want) {
		t.Fatalf("frame %x: action %d, the model says %v", frame, action, want)
	}
	var perCPU []uint64
	if err := tw.program.verdicts.Lookup(uint32(want), &perCPU); err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	if sum != tw.sums[want] {
		t.Fatalf("frame %x: not counted as %v, as the model says", frame, want)
	}
}

func (tw *twins) check(t testing.TB) {
	t.Helper()
	if sums, err := tw.program.Verdicts(); err != nil || sums != tw.sums {
		t.Errorf("verdicts %v (%v), the model says %v", sums, err, tw.sums)
	}
}

// FuzzVerdict compares the program with its model on any frame.
func FuzzVerdict(f *testing.F) {
	plain, frags, short := newTwins(f, false, 0), newTwins(f, true, 0), newTwins(f, false, 100)
	for _, c := range frameCases() {
		if len(c.frame) < 300 {
			f.Add(c.frame)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 14 || len(frame) > 3000 { // what the kernel runs in one buffer
			return
		}
		plain.compare(t, frame)
		frags.compare(t, frame)
		short.compare(t, frame)
	})
}

// TestRandomFrames makes frames that get past the first headers more often than
// a fuzzer's: valid ones of random parts, then damaged at random.
func TestRandomFrames(t *testing.T) {
	frames := 20000
	if testing.Short() {
		frames = 2000
	}
	r := rand.New(rand.NewPCG(1, 2))
	plain, frags, short := newTwins(t, false, 0), newTwins(t, true, 0), newTwins(t, false, 100)
	for range frames {
		frame := randomFrame(r)
		plain.compare(t, frame)
		frags.compare(t, frame)
		short.compare(t, frame)
	}
	plain.check(t)
	frags.check(t)
	short.check(t)
	for v, n := range short.sums {
		if n < uint64(frames/1000) && Verdict(v) != DropRate {
			t.Errorf("only %d frames of %d had verdict %v", n, frames, Verdict(v))
		}
	}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func randomFrame(r *rand.Rand) []byte {
	d := datagram{
		port:     pick[uint16](r, anyPort, anyPort, boundPort, otherPort),
		protocol: pick(r, 17, 17, 17, 17, 17, 6, 51, 44, 60),
		payload:  r.IntN(64),
		padding:  pick(r, 0, 0, r.IntN(20)),
	}
	for range pick(r, 0, 0, 0, 1, 2, 3) {
		d.tags = append(d.tags, pick[uint16](r, 0x8100, 0x88a8, 0x9100))
	}
	if r.IntN(2) == 0 {
		src := pick(r, [4]byte{192, 0, 2}, [4]byte{10, byte(r.IntN(256))}, [4]byte{172, 16})
		src[3] = byte(r.IntN(256))
		d.src, d.dst = netip.AddrFrom4(src), pick(r, collector4, other4)
		d.options = pick(r, 0, 0, 4*r.IntN(11))
		if r.IntN(8) == 0 {
			d.fragment = uint16(r.Uint32())
		}
	} else {
		src := pick(r, exporter6, netip.MustParseAddr("2001:db8:8000::"), netip.MustParseAddr("::ffff:192.0.2.1"),
			netip.MustParseAddr("::1:2"), netip.MustParseAddr("fe80::")).As16()
		src[15] = byte(r.IntN(256))
		d.src, d.dst = netip.AddrFrom16(src), pick(r, collector6, other6)
		for i := range r.IntN(6) {
			e := ext{header: pick[byte](r, 60, 60, 43, 43, 0, 44, 51, 135), more: byte(pick(r, 0, 0, r.IntN(4), r.IntN(256)))}
			if i == 0 && r.IntN(2) == 0 {
				e.header = 0
			}
			if r.IntN(6) == 0 {
				e.segmentsLeft = byte(r.IntN(256))
			}
			d.ext = append(d.ext, e)
		}
	}
	if r.IntN(8) == 0 {
		d.src = pick(r, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("0.0.0.9"), netip.MustParseAddr("192.0.2.65"), netip.MustParseAddr("239.1.1.1"))
		d.dst, d.ext = collector4, nil
	}
	frame := d.bytes()
	switch r.IntN(12) {
	case 0:
		frame[r.IntN(6)] ^= 1 << r.IntN(8)
	case 1:
		copy(frame, host.MasterMAC[:])
	}
	for range pick(r, 0, 0, 0, 1, 1, 4) {
		frame[r.IntN(min(len(frame), 120))] = byte(r.Uint32())
	}
	switch r.IntN(6) {
	case 0: // cut
		frame = frame[:14+r.IntN(len(frame)-13)]
	case 1: // lengthened
		frame = append(frame, make([]byte, r.IntN(30))...)
	}
	return frame[:min(len(frame), 3000)]
}
