package collector

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	pcap "github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/producer"
)

// TestErrorSamples: the first datagrams of a reason are kept, with their addresses,
// and after a restart no more than that.
func TestErrorSamples(t *testing.T) {
	dir := t.TempDir()
	store := producer.NewStore(template.DefaultLimits())
	local := netip.MustParseAddrPort("192.0.2.99:2055")
	for run := range 2 {
		s := NewErrorSamples(dir, 3, retain.Limits{}, store, slog.New(slog.DiscardHandler))
		for i := range 10 {
			var r producer.Reasons
			r.Add(producer.ReasonUnknownVersion)
			if i == 5 {
				r.Add(producer.ReasonDatagramTruncated)
			}
			src := netip.MustParseAddrPort("192.0.2.1:1000")
			if i == 1 {
				src = netip.MustParseAddrPort("[2001:db8::1]:1001")
			}
			s.keep(&r, producer.Meta{Source: src, ReceivedNs: 1e18 + int64(i), Truncated: i == 5}, local, []byte{byte(run), byte(i), 3})
		}
		s.Close()
		// The one that was cut is of a reason that has room left in both runs.
		if st, want := s.Stats(), (ErrorSampleStats{Written: []uint64{4, 1}[run]}); st != want {
			t.Errorf("run %d: %+v, want %+v", run, st, want)
		}
	}
	list, _, err := pcap.Load(filepath.Join(dir, "unknown_version.pcap"))
	if err != nil || len(list) != 3 {
		t.Fatalf("%d datagrams, %v", len(list), err)
	}
	for i, d := range list {
		if !bytes.Equal(d.Payload, []byte{0, byte(i), 3}) || d.TimeNs != 1e18+int64(i) || d.Cut {
			t.Errorf("datagram %d: %+v", i, d)
		}
	}
	if list[0].Src.String() != "192.0.2.1:1000" || list[0].Dst != local || list[1].Src.String() != "[2001:db8::1]:1001" || list[1].Dst.Port() != 2055 {
		t.Errorf("addresses: %v > %v, %v > %v", list[0].Src, list[0].Dst, list[1].Src, list[1].Dst)
	}
	list, _, err = pcap.Load(filepath.Join(dir, "datagram_truncated.pcap"))
	if err != nil || len(list) != 2 || !list[0].Cut {
		t.Errorf("what was cut is not: %+v, %v", list, err)
	}
}

// TestErrorSamplesFail: a folder that cannot be used, and a queue that is full,
// cost samples, are counted, and logged once.
func TestErrorSamplesFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := NewErrorSamples(filepath.Join(file, "below"), 1000, retain.Limits{}, producer.NewStore(template.DefaultLimits()), slog.New(slog.NewTextHandler(&out, nil)))
	var r producer.Reasons
	r.Add(producer.ReasonUnknownVersion)
	for range 1000 {
		s.keep(&r, producer.Meta{Source: netip.MustParseAddrPort("192.0.2.1:1")}, netip.AddrPort{}, []byte("x"))
	}
	s.Close()
	if st := s.Stats(); st.Written != 0 || st.Failed == 0 || st.Failed+st.Dropped != 1000 {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines: %s", n, out.String())
	}

	// Nobody writes: the queue fills up.
	idle := &ErrorSamples{queue: make(chan errorSample, 2)}
	idle.left[producer.ReasonUnknownVersion].Store(10)
	for range 5 {
		idle.keep(&r, producer.Meta{}, netip.AddrPort{}, nil)
	}
	if st := idle.Stats(); st.Dropped != 3 || idle.left[producer.ReasonUnknownVersion].Load() != 8 {
		t.Errorf("%+v, %d left", st, idle.left[producer.ReasonUnknownVersion].Load())
	}
}

// TestErrorSamplesDoNotFollow: nothing is written through what somebody put under the
// name of a capture, in a folder that all may write to.
func TestErrorSamplesDoNotFollow(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "unknown_version.pcap")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(victim, filepath.Join(dir, "datagram_truncated.pcap")); err != nil {
		t.Fatal(err)
	}
	s := NewErrorSamples(dir, 3, retain.Limits{}, producer.NewStore(template.DefaultLimits()), slog.New(slog.DiscardHandler))
	var r producer.Reasons
	r.Add(producer.ReasonUnknownVersion)
	r.Add(producer.ReasonDatagramTruncated)
	src := netip.MustParseAddrPort("192.0.2.1:1000")
	s.keep(&r, producer.Meta{Source: src, ReceivedNs: 1e18}, netip.AddrPort{}, []byte{1, 2, 3})
	s.Close()
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the victim has %q, %v", text, err)
	}
	if st := s.Stats(); st.Failed != 2 {
		t.Errorf("%+v, want 2 that failed", st)
	}
}

// TestErrorSamplesKeep: captures over the limits are deleted, the oldest first, and nothing
// else is. A reason whose capture became too old is sampled again.
func TestErrorSamplesKeep(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string, age time.Duration, size int) {
		t.Helper()
		if err := os.WriteFile(at(name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at(name), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	put("unknown_version.pcap", 3*time.Hour, 100)
	put("datagram_truncated.pcap", 50*time.Minute, 600)
	put("set_empty.pcap", 40*time.Minute, 700)
	put("set_overrun.pcap", 30*time.Minute, 300)
	put("mine.pcap", 300*time.Hour, 10_000)
	put("set_length.pcap.old", 300*time.Hour, 10_000)
	if err := os.Symlink(at("mine.pcap"), at("short_header.pcap")); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := NewErrorSamples(dir, 3, retain.Limits{Bytes: 1000, Age: time.Hour}, producer.NewStore(template.DefaultLimits()), slog.New(slog.NewTextHandler(&log, nil)))
	s.left[producer.ReasonUnknownVersion].Store(0)
	s.left[producer.ReasonDatagramTruncated].Store(0)
	s.Close()
	s.trim(now)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"mine.pcap", "set_empty.pcap", "set_length.pcap.old", "set_overrun.pcap", "short_header.pcap"}; !slices.Equal(names, want) {
		t.Errorf("the folder has %q, want %q", names, want)
	}
	st := s.Stats()
	if st.Deleted[retain.Age]+st.Deleted[retain.Bytes] != 2 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
	put("unknown_version.pcap", 2*time.Hour, 1)
	s.left[producer.ReasonUnknownVersion].Store(0)
	s.trim(now)
	if _, err := os.Lstat(at("unknown_version.pcap")); err == nil || s.left[producer.ReasonUnknownVersion].Load() != 3 {
		t.Error("a capture that is too old is not begun again")
	}
	if s.left[producer.ReasonDatagramTruncated].Load() == 3 {
		t.Error("a capture that was deleted for its bytes is begun again")
	}
	// Limits that a reload takes away are not announced as limits.
	s.SetLimits(retain.Limits{})
	s.trim(now)
	if n := strings.Count(log.String(), "beyond a limit"); n != 1 {
		t.Errorf("limits are announced %d times:\n%s", n, &log)
	}
}
