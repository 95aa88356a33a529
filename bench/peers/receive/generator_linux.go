package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

const (
	port        = 2055
	sources     = 64 // a power of two
	firstSource = 64 // last byte of the first source address
	payloadSize = 1400

	// paceLag bounds how late the pacing generator makes up for: after a pause it
	// must not send a flood.
	paceLag = time.Millisecond

	etherHeader = 14
	ipHeader    = 20
	udpHeader   = 8
)

// generator makes the kernel send frames on a cable. It must be used by a thread
// in the sender's namespace, by one at a time.
type generator struct {
	frame  []byte
	closed *ebpf.Program // sends when there is room
	paced  *ebpf.Program // sends what is due, too
	shared *ebpf.Map
	state  *state
}

func newGenerator(c *cable) (*generator, error) {
	g := &generator{frame: frameFor(c)}
	var err error
	g.shared, err = ebpf.NewMap(&ebpf.MapSpec{Name: "generator", Type: ebpf.Array, Flags: unix.BPF_F_MMAPABLE,
		KeySize: 4, ValueSize: uint32(stateSize), MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make map of generator: %w", err)
	}
	mapping, err := unix.Mmap(g.shared.FD(), 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map state of generator: %w", err)
	}
	g.state = stateIn(mapping)
	for _, p := range []struct {
		to    **ebpf.Program
		paced bool
	}{{&g.closed, false}, {&g.paced, true}} {
		*p.to, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "generator", Type: ebpf.XDP, License: "GPL",
			Instructions: instructions(g, c.sendIndex, p.paced)})
		if err != nil {
			return nil, fmt.Errorf("load generator: %w", err)
		}
	}
	return g, nil
}

// frameFor is a frame from the first source. The UDP checksum is left out, as a
// network card would have verified it.
func frameFor(c *cable) []byte {
	b := make([]byte, 0, etherHeader+ipHeader+udpHeader+payloadSize)
	b = append(append(append(b, c.recvMAC[:]...), c.sendMAC[:]...), 0x08, 0x00)
	ip := make([]byte, ipHeader)
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], ipHeader+udpHeader+payloadSize)
	copy(ip[12:], c.sendAddr[:])
	ip[15] = firstSource
	copy(ip[16:], c.recvAddr[:])
	// The generator takes up to sources off the checksum: an id that leaves room.
	for id := uint16(0); ; id++ {
		binary.BigEndian.PutUint16(ip[4:], id)
		binary.BigEndian.PutUint16(ip[10:], 0)
		if check := headerSum(ip); check > sources {
			binary.BigEndian.PutUint16(ip[10:], check)
			break
		}
	}
	b = append(b, ip...)
	b = binary.BigEndian.AppendUint16(b, 5000)
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, udpHeader+payloadSize)
	b = append(b, 0, 0)
	for i := range payloadSize {
		b = append(b, byte(i*7))
	}
	return b
}

func headerSum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum&0xffff)
}

// instructions is the generator's program. A frame is made once and used over and
// over: all that differs is written each time. Where nothing is to be sent the frame
// is dropped, which is the cheapest way to wait.
func instructions(g *generator, index int, paced bool) asm.Instructions {
	const (
		data, dataEnd         = 0, 4 // struct xdp_md
		checksumAt, sourceEnd = etherHeader + 10, etherHeader + 15
	)
	check := binary.BigEndian.Uint16(g.frame[checksumAt:])
	list := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMapValue(asm.R7, g.shared.FD(), 0),
	}
	if paced {
		list = append(list,
			asm.FnKtimeGetNs.Call(),
			asm.StoreMem(asm.R7, atLast, asm.R0, asm.DWord),
			asm.LoadMem(asm.R1, asm.R7, atFirst, asm.DWord),
			asm.JNE.Imm(asm.R1, 0, "started"),
			asm.StoreMem(asm.R7, atFirst, asm.R0, asm.DWord),
			asm.StoreMem(asm.R7, atNext, asm.R0, asm.DWord),
			asm.Mov.Imm(asm.R1, 0).WithSymbol("started"),
		)
	}
	list = append(list,
		// In the middle of a group?
		asm.LoadMem(asm.R8, asm.R7, atSent, asm.DWord),
		asm.LoadMem(asm.R1, asm.R7, atGroup, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "new group"),
		asm.Sub.Imm(asm.R1, 1),
		asm.StoreMem(asm.R7, atGroup, asm.R1, asm.DWord),
		asm.Ja.Label("send"),
		// Is there room?
		asm.LoadMem(asm.R1, asm.R7, atReceived, asm.DWord).WithSymbol("new group"),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Sub.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R3, asm.R7, atWindow, asm.DWord),
		asm.JGE.Reg(asm.R2, asm.R3, "drop"),
	)
	if paced {
		list = append(list,
			asm.LoadMem(asm.R1, asm.R7, atNext, asm.DWord),
			asm.JGT.Reg(asm.R1, asm.R0, "drop"), // not due
			asm.Sub.Imm(asm.R0, int32(paceLag)),
			asm.JGE.Reg(asm.R1, asm.R0, "on time"),
			asm.Mov.Reg(asm.R1, asm.R0),
			asm.LoadMem(asm.R2, asm.R7, atInterval, asm.DWord).WithSymbol("on time"),
			asm.Add.Reg(asm.R1, asm.R2),
			asm.StoreMem(asm.R7, atNext, asm.R1, asm.DWord),
		)
	}
	return append(list,
		asm.LoadMem(asm.R1, asm.R7, atSize, asm.DWord),
		asm.StoreMem(asm.R7, atGroup, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R8).WithSymbol("send"),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R7, atSent, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R6, data, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, dataEnd, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.Add.Imm(asm.R3, etherHeader+ipHeader),
		asm.JGT.Reg(asm.R3, asm.R2, "drop"),
		// Source k: the last byte of its address is k more, the checksum k less.
		asm.And.Imm(asm.R8, sources-1),
		asm.Mov.Imm(asm.R4, int32(check)),
		asm.Sub.Reg(asm.R4, asm.R8),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.StoreMem(asm.R1, checksumAt, asm.R4, asm.Half),
		asm.Add.Imm(asm.R8, firstSource),
		asm.StoreMem(asm.R1, sourceEnd, asm.R8, asm.Byte),
		asm.Mov.Imm(asm.R1, int32(index)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.LoadMem(asm.R1, asm.R7, atIdle, asm.DWord).WithSymbol("drop"),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R7, atIdle, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, xdpDrop),
		asm.Return(),
	)
}

// Actions of XDP programs, and of classifiers.
const (
	xdpDrop = 1
	xdpPass = 2
	tcShot  = 2
)

// dropper is a program that does the same with all, and counts it as received.
func dropper(g *generator, kind ebpf.ProgramType, action int32) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "dropper", Type: kind, License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R7, g.shared.FD(), 0),
			asm.LoadMem(asm.R1, asm.R7, atReceived, asm.DWord),
			asm.Add.Imm(asm.R1, 1),
			asm.StoreMem(asm.R7, atReceived, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R0, action),
			asm.Return(),
		}})
	if err != nil {
		return nil, fmt.Errorf("load dropper: %w", err)
	}
	return p, nil
}

// run has the generator run n times: as many frames, sent or not. Setting up and
// taking down costs tens of milliseconds: n should be large.
func (g *generator) run(program *ebpf.Program, n int) error {
	_, err := program.Run(&ebpf.RunOptions{Data: g.frame, Repeat: uint32(n), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	if err != nil {
		return fmt.Errorf("run generator: %w", err)
	}
	return nil
}

// flow is a way to send.
type flow struct {
	rate   float64 // datagrams a second; 0 is as fast as window allows
	group  int     // datagrams that are sent at once
	window int     // datagrams that may be on their way; 0 is any number
}

// attempts is how many frames the generator makes in one run, to send or not: for some
// 25 ms, or more.
const attempts = 200_000

// idling is what running the generator costs besides what it sends.
type idling struct {
	run   time.Duration // to set up a run and to take it down
	frame float64       // ns of a frame that is not sent
}

// calibrate measures it, on the calling thread.
func (g *generator) calibrate() (c idling, err error) {
	g.state.window.Store(0)
	g.state.group.Store(0)
	least := func(n int) (time.Duration, error) {
		best := time.Duration(math.MaxInt64)
		for range 5 {
			before, err := ownTime()
			if err != nil {
				return 0, err
			}
			if err := g.run(g.closed, n); err != nil {
				return 0, err
			}
			after, err := ownTime()
			if err != nil {
				return 0, err
			}
			best = min(best, after-before)
		}
		return best, nil
	}
	if c.run, err = least(1); err != nil {
		return c, err
	}
	all, err := least(attempts)
	c.frame = float64(max(all-c.run, 0)) / attempts
	return c, err
}

// ownTime returns the CPU time of the calling thread.
func ownTime() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// even takes what was lost for received, so that it does not count as on its way. The
// receiver must have settled. It returns the number.
func (g *generator) even() uint64 {
	n := g.state.sent.Load()
	g.state.received.Store(n)
	return n
}

// output is what a generator has sent.
type output struct {
	sent, idle uint64  // frames, and those that were not sent
	runs       int     // of the generator
	rate       float64 // datagrams a second that were kept while it ran
}

// send sends for a while: in pieces of a part of a second, between which it pauses.
func (g *generator) send(f flow, d time.Duration) (o output, err error) {
	s := g.state
	sent, idle := s.sent.Load(), s.idle.Load()
	s.size.Store(uint64(f.group - 1))
	s.group.Store(0)
	s.window.Store(1 << 62)
	if f.window > 0 {
		s.window.Store(uint64(f.window - f.group + 1))
	}
	program := g.closed
	if f.rate > 0 {
		program = g.paced
		s.interval.Store(uint64(float64(f.group) * 1e9 / f.rate))
	}
	for took := time.Duration(0); took < d; o.runs++ {
		s.first.Store(0)
		start := time.Now()
		if err := g.run(program, attempts); err != nil {
			return o, err
		}
		if f.rate > 0 {
			took += time.Duration(s.last.Load() - s.first.Load())
		} else {
			took += time.Since(start)
		}
		o.sent, o.idle = s.sent.Load()-sent, s.idle.Load()-idle
		o.rate = float64(o.sent) / took.Seconds()
	}
	return o, nil
}
