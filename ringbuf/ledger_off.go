//go:build !weirpoison

package ringbuf

// Ledger knows the owner of every frame in test builds (tag weirpoison); in this
// build it does nothing.
type Ledger struct{}

// Poisoned says whether returned frames are mangled.
const Poisoned = false

// NewLedger returns nil, on which every method works.
func NewLedger([]byte, int) *Ledger { return nil }

// Take does nothing in this build.
func (l *Ledger) Take(uint64) {}

// Return does nothing in this build.
func (l *Ledger) Return(uint64) {}

// Submit does nothing in this build.
func (l *Ledger) Submit(uint64) {}

// Out returns -1 in this build: nobody counts.
func (l *Ledger) Out() int { return -1 }
