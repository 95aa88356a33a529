package xdp

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// Mode says where the kernel runs the program.
type Mode uint8

const (
	// Auto tries Native first, then Generic.
	Auto Mode = iota
	// Native is in the driver, before a socket buffer is made.
	Native
	// Generic is in the stack, by every driver, at about twice the cost.
	Generic
)

// String returns the mode as it is written in a configuration.
func (m Mode) String() string { return word(m, "auto", "native", "generic") }

// ParseMode is the inverse of String.
func ParseMode(text string) (Mode, error) { return parseWord(text, Auto, Native, Generic) }

// ZeroCopy says whether the driver is to write into the UMEM by itself.
type ZeroCopy uint8

const (
	// ZeroCopyAuto uses it where the driver can.
	ZeroCopyAuto ZeroCopy = iota
	// ZeroCopyOn refuses to go without.
	ZeroCopyOn
	// ZeroCopyOff has the kernel copy each frame.
	ZeroCopyOff
)

// String returns the choice as it is written in a configuration.
func (z ZeroCopy) String() string { return word(z, "auto", "on", "off") }

// ParseZeroCopy is the inverse of String.
func ParseZeroCopy(text string) (ZeroCopy, error) {
	return parseWord(text, ZeroCopyAuto, ZeroCopyOn, ZeroCopyOff)
}

func word[T ~uint8](v T, words ...string) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("unknown (%d)", uint8(v))
}

func parseWord[T fmt.Stringer](text string, values ...T) (T, error) {
	for _, v := range values {
		if v.String() == text {
			return v, nil
		}
	}
	var zero T
	return zero, fmt.Errorf("parse %q: want %v, %v or %v", text, values[0], values[1], values[2])
}

// Defaults and limits of [Config].
const (
	DefaultRingSize       = 2048
	maxRingSize           = 1 << 17
	maxWorkers            = 1024
	defaultBusyPollBudget = 64 // packets a poll, the kernel's own default
)

// Program chooses the worker of each frame; *bpf.Program is one.
type Program interface {
	// XDP returns the program to attach.
	XDP() *ebpf.Program
	// SetSocket has the program redirect a worker's frames on a queue to the
	// AF_XDP socket fd; ClearSocket has it pass them to the stack.
	SetSocket(queue, worker uint32, fd int) error
	ClearSocket(queue, worker uint32) error
}

// Target is what a program is loaded for.
type Target struct {
	Interface Interface
	Workers   uint32
	Queues    uint32
	Frags     bool // frames may be in several buffers
	// MaxFrame is the longest frame that a socket can take, in bytes with the Ethernet
	// header: the program is to pass longer ones to the stack. 0 is any.
	MaxFrame uint32
}

// Config says what to capture from. The zero value of every field but Interface,
// Workers and Load is useful.
type Config struct {
	// Interface is the name of a network interface in the network namespace of the
	// thread that calls Open.
	Interface string
	// Queues is how many receive queues to read, from the first; 0 reads all.
	// Frames of the others go to the kernel network stack.
	Queues int
	// Workers is how many receivers there are, each with a socket on each queue.
	Workers int
	Mode    Mode
	// ZeroCopy has a meaning in native mode only: ZeroCopyOn refuses generic mode.
	ZeroCopy ZeroCopy
	// RingSize is how many frames can wait for a worker on each queue, a power of
	// two; 0 is DefaultRingSize. A UMEM has RingSize+64 chunks for each worker and
	// RingSize more, of 2 KiB, or of 4 KiB with zero-copy or an MTU beyond 1770.
	RingSize int
	// BusyPoll, if not 0, has the worker's own system calls drive the network card
	// instead of interrupts (SO_PREFER_BUSY_POLL, SO_BUSY_POLL), spinning for that
	// long when there is nothing. It needs napi_defer_hard_irqs and
	// gro_flush_timeout of the interface to be set too. BusyPollBudget is the most
	// frames a poll; 0 is 64. Where the kernel does not take it the capture goes on
	// without: [Capture.BusyPolling] says so. Whether the driver can be polled shows
	// with a queue's first frame; where it cannot, no system calls are made for it.
	BusyPoll       time.Duration
	BusyPollBudget int
	// Done, if not nil, ends Open early when it is closed: Open does not wait then for a
	// queue that another socket holds, which can take 5 s.
	Done <-chan struct{}
	// Load loads the program for what was found of the interface. The program is
	// closed by who made it, after Close, and also if Open fails.
	Load func(Target) (Program, error)

	// Links keeps the link of the program over the end of the process; nil has the
	// program go with the process.
	Links Links

	without func(*Features) // for tests: takes away what the kernel has
}

// withDefaults fills in what is zero and reports every fault at once.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.RingSize == 0 {
		c.RingSize = DefaultRingSize
	}
	if c.BusyPollBudget == 0 {
		c.BusyPollBudget = defaultBusyPollBudget
	}
	if c.Interface == "" {
		fault("interface: want a name")
	}
	if c.Queues < 0 {
		fault("queues: %d is negative", c.Queues)
	}
	if c.Workers < 1 || c.Workers > maxWorkers {
		fault("workers: %d is not 1 to %d", c.Workers, maxWorkers)
	}
	if c.Mode > Generic {
		fault("mode: %v", c.Mode)
	}
	if c.ZeroCopy > ZeroCopyOff {
		fault("zero-copy: %v", c.ZeroCopy)
	}
	if c.ZeroCopy == ZeroCopyOn && c.Mode == Generic {
		fault("zero-copy: on is not possible in generic mode")
	}
	if c.RingSize < Batch || c.RingSize > maxRingSize || c.RingSize&(c.RingSize-1) != 0 {
		fault("ring size: %d is not a power of two from %d to %d", c.RingSize, Batch, maxRingSize)
	}
	if c.BusyPoll < 0 || c.BusyPoll > time.Second {
		fault("busy poll: %v is not 0 to 1s", c.BusyPoll)
	}
	if c.BusyPollBudget < 1 || c.BusyPollBudget > 1<<15 {
		fault("busy poll budget: %d is not 1 to %d", c.BusyPollBudget, 1<<15)
	}
	if c.Load == nil {
		fault("load: want a function that loads the program")
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("open xdp: %w", err)
	}
	return c, nil
}
