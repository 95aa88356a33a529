package collector

import (
	"log/slog"
	"net/netip"
	"time"
)

// Modes that an interface can be captured in. ModeUDP is none: what comes over
// it is received on ordinary sockets.
const (
	ModeNative         = "native"
	ModeNativeZeroCopy = "native-zerocopy"
	ModeGeneric        = "generic"
	ModeUDP            = "udp"
)

// Modes lists them.
var Modes = []string{ModeNative, ModeNativeZeroCopy, ModeGeneric, ModeUDP}

// CaptureConfig says what to capture, and how.
type CaptureConfig struct {
	Interfaces  []string
	Mode        string // auto, native, generic
	ZeroCopy    string // auto, on, off
	Queues      int    // 0: all
	RingSize    int
	BusyPoll    time.Duration // 0: off
	Require     bool          // a refusal at the start is an error
	Links       Links         // nil: no attachment outlives the process
	Listens     []netip.AddrPort
	Allow, Deny []netip.Prefix
	Rate        int
	Logger      *slog.Logger
}

// Links keeps attachments of XDP programs over a restart, by the index of the interface:
// descriptors of links that another process holds too.
type Links interface {
	// Take returns the link that a predecessor left, -1 if there is none. It is the
	// caller's.
	Take(index int) (fd int)
	// Keep has a link outlive the process; Drop takes that back.
	Keep(index, fd int)
	Drop(index int)
	// Outlives reports whether the link outlives the process if it ends now.
	Outlives(index int) bool
}

// CaptureStats is what became of the frames of one interface since the start,
// over all captures that there were of it.
type CaptureStats struct {
	Interface string
	Mode      string // in force now
	Removed   bool   // a reload took the interface out of the configuration
	// Verdicts counts frames by what the program decided. They are read after
	// everything else: a frame that is in Dropped, or in a worker's counters read
	// before, is in them.
	Verdicts []Count
	// Dropped counts redirected frames that were lost before a worker had
	// them, by reason.
	Dropped []Count
	// Rings says how full the rings have been at most, by ring, and how much
	// they hold.
	Rings []RingFill
	// Opened counts how often the capture was opened.
	Opened uint64
}

// Count is a number of frames with a label.
type Count struct {
	Label string
	N     uint64
}

// RingFill is how full a ring has been.
type RingFill struct {
	Ring            string
	HighWater, Size int
}

// SumCaptures returns how many frames the programs redirected to the workers and
// how many of those the kernel lost, over all interfaces.
func SumCaptures(stats []CaptureStats) (redirected, dropped uint64) {
	for _, s := range stats {
		for _, v := range s.Verdicts {
			if v.Label == verdictRedirect {
				redirected += v.N
			}
		}
		for _, d := range s.Dropped {
			dropped += d.N
		}
	}
	return redirected, dropped
}

// verdictRedirect is the label of the verdict by which frames come to the workers.
const verdictRedirect = "redirect"

// FramesWaiting returns how many of the frames that the programs redirected are
// neither received nor lost: those that wait in a ring or are on their way there,
// and those that a worker has not yet counted. The counts must have been read in
// the order received, dropped, redirected.
func FramesWaiting(redirected, received, dropped uint64) uint64 {
	return max(redirected, received+dropped) - received - dropped
}
