//go:build !linux

package wake

import (
	"errors"
	"time"
)

// A Bell wakes up the one goroutine that waits for it. Anyone may ring it at any time.
type Bell struct{ slot chan struct{} }

// NewBell returns a bell.
func NewBell() *Bell { return &Bell{slot: make(chan struct{}, 1)} }

// Ring ends the wait, or the next one. It never blocks.
func (b *Bell) Ring() {
	select {
	case b.slot <- struct{}{}:
	default:
	}
}

// Wait returns when the bell has been rung since the last Wait returned.
func (b *Bell) Wait() { <-b.slot }

// Close does nothing.
func (b *Bell) Close() {}

// An Alarm is there on Linux only.
type Alarm struct{}

// NewAlarm returns an error.
func NewAlarm(func() bool, []int) (*Alarm, error) {
	return nil, errors.New("create timer: only on linux")
}

// Sleep reports false: it cannot.
func (*Alarm) Sleep(time.Duration) bool { return false }

// Close does nothing.
func (*Alarm) Close() {}
