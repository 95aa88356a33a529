package app

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestStopShares: a step of a stop that does not end leaves the later ones their time.
func TestStopShares(t *testing.T) {
	if capturesTimeout >= workersTimeout || workersTimeout >= stopTimeout || drainTimeout >= capturesTimeout {
		t.Errorf("drain %v, captures %v, workers %v, stop %v: want rising times", drainTimeout, capturesTimeout, workersTimeout, stopTimeout)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	block := make(chan struct{})
	defer close(block)
	if err := waitUntil(ctx, time.Now(), func() { <-block }); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("%v, and for the next step %v", err, ctx.Err())
	}
	if err := waitUntil(ctx, time.Now().Add(time.Hour), func() {}); err != nil {
		t.Error(err)
	}
}
