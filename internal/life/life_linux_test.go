package life

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPrevious reads what a process left that was killed, and one that stopped.
func TestPrevious(t *testing.T) {
	path := filepath.Join(t.TempDir(), "life")
	if os.Getenv("WEIR_LIFE") != "" {
		liveAndDie(os.Getenv("WEIR_LIFE"))
	}
	first, page, err := Open(path)
	if err != nil || first.Found {
		t.Fatalf("%+v, %v", first, err)
	}
	page.Close()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestPrevious$")
	cmd.Env = append(os.Environ(), "WEIR_LIFE="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has counted
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	killed, page, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	if !killed.Found || killed.Stopped || !killed.SameBoot || killed.Received != 12 || killed.Produced != 70 || killed.InMemory != 70-5-40 || killed.Held != 3 || killed.Rings != 2048 {
		t.Errorf("%+v", killed)
	}
	if n, ok := killed.Drops(99); !ok || n != 7 {
		t.Errorf("drops %d, %v", n, ok)
	}
	if _, ok := killed.Drops(0); ok {
		t.Error("drops of no socket")
	}
	page.Stop()
	stopped, again, err := Open(path)
	if err != nil || !stopped.Stopped || stopped.InMemory != 0 {
		t.Errorf("%+v, %v", stopped, err)
	}
	defer again.Close()
	// What the old process still writes is its own.
	page.Worker(0).Received.Store(1000)
	if now, third, err := Open(path); err != nil || now.Received != 0 {
		t.Errorf("%+v, %v", now, err)
	} else {
		third.Close()
	}
}

// liveAndDie counts and waits to be killed.
func liveAndDie(path string) {
	_, page, err := Open(path)
	if err != nil {
		os.Exit(1)
	}
	page.Worker(0).Received.Store(10)
	page.Worker(1).Received.Store(2)
	page.Worker(MaxWorkers).Received.Store(5) // has no room
	page.Worker(1).Produced.Store(70)
	page.Worker(1).Dropped.Store(5)
	page.Worker(0).Held.Store(3)
	page.Worker(1).Rings.Store(2048)
	page.Output().Ended.Store(40)
	page.SetDrops(1, 99, 7)
	page.SetDrops(MaxSockets, 98, 7)
	os.Stdout.WriteString("x")
	time.Sleep(time.Minute)
	os.Exit(1)
}

// TestForeign: a file of another kind, size or version says nothing, and is replaced.
func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "life")
	for _, content := range [][]byte{{}, []byte("something"), make([]byte, pageBytes), make([]byte, pageBytes+1)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p, page, err := Open(path)
		if err != nil || p.Found {
			t.Errorf("%d bytes: %+v, %v", len(content), p, err)
		}
		page.Close()
	}
	if _, _, err := Open(filepath.Join(path, "below-a-file")); err == nil {
		t.Error("no error")
	}
}

// TestNil keeps nothing.
func TestNil(t *testing.T) {
	var p *Page
	p.Worker(0).Received.Store(1)
	p.Output().Ended.Store(1)
	p.SetDrops(0, 1, 1)
	p.Stop()
	p.Close()
}
