package reload

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAsk(t *testing.T) {
	pid, calls := os.Getpid(), 0
	if _, _, err := Ask(pid); err == nil || !strings.Contains(err.Error(), "no weir of this network namespace listens") {
		t.Errorf("nobody: %v", err)
	}
	var text string
	var refused error
	s, err := Serve(pid, func() (string, error) { calls++; return text, refused })
	if err != nil {
		t.Fatal(err)
	}
	text = "reloaded\nchanged: sampling\n"
	for _, ask := range []int{pid, 0} {
		if got, ok, err := Ask(ask); err != nil || !ok || got != text {
			if ask == 0 && err != nil && strings.Contains(err.Error(), "several weirs") {
				continue // tests of others run here
			}
			t.Errorf("%d: %q, %v, %v", ask, got, ok, err)
		}
	}
	refused = errors.New("weir.yaml:3: wrong\nweir.yaml:4: wrong too")
	if got, ok, err := Ask(pid); err != nil || ok || got != refused.Error()+"\n" {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
	if calls < 2 {
		t.Errorf("%d calls", calls)
	}
	s.Close()
	if _, _, err := Ask(pid); err == nil {
		t.Error("asked a server that is closed")
	}
	if !strings.HasPrefix(State(), "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("state %q", State())
	}
}

// TestCloseWaitsForNobody: a client that connects and sends nothing does not hold up a stop.
func TestCloseWaitsForNobody(t *testing.T) {
	pid := os.Getpid()
	s, err := Serve(pid, func() (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: prefix + strconv.Itoa(pid), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for reading := false; !reading; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		reading = s.reading != nil
		s.mu.Unlock()
	}
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > asking/2 {
		t.Errorf("closing took %v", took)
	}
}
