package app

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/sink/output"
)

// A stuckHub is one whose output does not take anything.
type stuckHub struct {
	output.Hub
	asked chan struct{}
}

func (h *stuckHub) Closed() <-chan struct{} { return nil }

func (h *stuckHub) Reopen(ctx context.Context) error {
	h.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// TestStopDuringReload: a stop does not wait for a reload that waits for the output, and
// none begins after it.
func TestStopDuringReload(t *testing.T) {
	hub := &stuckHub{asked: make(chan struct{}, 1)}
	c := &collection{keeper: &keeper{}, log: slog.New(slog.DiscardHandler)}
	c.outlet.Store(&outlet{hub: hub})
	c.reloads.begin(new(slog.LevelVar), parseAgain{})
	stop, hup, ended := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan error)
	go func() {
		err := c.wait(stop, hup)
		c.reloads.end()
		ended <- err
	}()
	hup <- syscall.SIGHUP
	<-hub.asked
	stop <- syscall.SIGTERM
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(outputPatience / 2):
		t.Fatal("the stop waits for the output")
	}
	if _, err := c.reload(); err == nil || !strings.Contains(err.Error(), "starting or stopping") {
		t.Errorf("a reload after the stop: %v", err)
	}
}
