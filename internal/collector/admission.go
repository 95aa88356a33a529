package collector

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"
)

// Admission says which exporters may send, and how much. It is the twin of what
// the XDP program does, for what comes over sockets. It is not changed once made
// and may be read by all workers.
type Admission struct {
	rules   bart.Table[bool] // whether those of the prefix may send
	open    bool             // whether those of no prefix may
	any     bool             // there are rules
	spacing int64            // ns between two datagrams at the limit; 0: none
	burst   int64            // ns that a sender may be behind its turn, and make up for
}

// Gate holds the admission in force, for all workers. Set may be called by any goroutine;
// workers take it up between datagrams.
type Gate struct{ admission atomic.Pointer[Admission] }

// NewGate returns a gate with a.
func NewGate(a *Admission) *Gate {
	g := &Gate{}
	g.admission.Store(a)
	return g
}

// Set replaces the admission in force.
func (g *Gate) Set(a *Admission) { g.admission.Store(a) }

// minBurst is the least number of datagrams that may come at once.
const minBurst = 64

// setBack is how far in the future an exporter's turn may be before the clock is
// taken to have been set back. Receive times of two workers differ by less.
const setBack = int64(10 * time.Second)

// recordsPerTurn and bytesPerTurn are what is written for a datagram at its turn.
// One that becomes more takes as many more turns: otherwise the rate would not bound
// what an exporter costs. A datagram of 1,500 bytes stays below both.
const recordsPerTurn, bytesPerTurn = 256, 256 << 10

// NewAdmission returns the rules: the longest prefix of both lists decides, deny
// where both have it; with an empty allow list those of no prefix may send. rate
// is the number of datagrams a second that an exporter may send, 0 for any; it
// may send a tenth of that, or 64 if that is more, at once. One that becomes many
// records, or much output, counts as several.
func NewAdmission(allow, deny []netip.Prefix, rate int) *Admission {
	a := &Admission{open: len(allow) == 0, any: len(allow)+len(deny) > 0}
	for _, p := range allow {
		a.rules.Insert(unmapped(p), true)
	}
	for _, p := range deny {
		a.rules.Insert(unmapped(p), false)
	}
	if rate > 0 {
		a.spacing = max((int64(time.Second)+int64(rate)/2)/int64(rate), 1)
		a.burst = a.spacing * int64(max(rate/10, minBurst)-1)
	}
	return a
}

// unmapped returns a prefix of IPv4-mapped addresses as one of IPv4.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// allowed says whether an address may send.
func (a *Admission) allowed(addr netip.Addr) bool {
	if !a.any {
		return true
	}
	may, ok := a.rules.Lookup(addr)
	if !ok {
		return a.open
	}
	return may
}

// admit says whether a datagram, received at nowNs, is within the limit of an
// exporter that is next due at that time, both in Unix ns. An exporter that two
// workers receive from has one limit.
func (a *Admission) admit(next *atomic.Int64, nowNs int64) bool {
	if a.spacing == 0 {
		return true
	}
	for {
		was := next.Load()
		due := max(was, nowNs-a.burst)
		if due > nowNs+setBack {
			due = nowNs
		}
		if due > nowNs {
			return false
		}
		if next.CompareAndSwap(was, due+a.spacing) {
			return true
		}
	}
}

// charge has an exporter pay for a datagram, received at nowNs, of which more was
// written than is for one turn: records, and bytes of them.
func (a *Admission) charge(next *atomic.Int64, nowNs int64, records, bytes int) {
	turns := int64(max(records/recordsPerTurn, bytes/bytesPerTurn))
	if turns == 0 || a.spacing == 0 {
		return
	}
	for {
		was := next.Load()
		due := max(was, nowNs-a.burst)
		// Never so far ahead that the clock would be taken to have been set back.
		due = max(due, min(due+turns*a.spacing, nowNs+setBack/2))
		if due == was || next.CompareAndSwap(was, due) {
			return
		}
	}
}

// owes says whether an exporter has yet to pay for what was charged, for a datagram
// that was admitted elsewhere: the XDP program counts datagrams alone.
func (a *Admission) owes(next *atomic.Int64, nowNs int64) bool {
	if a.spacing == 0 {
		return false
	}
	due := next.Load()
	return due > nowNs+a.spacing && due <= nowNs+setBack
}
