package bpf

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// verifiedMost is how many instructions the verifier may look at: a tenth of what kernels
// allow (BPF_COMPLEXITY_LIMIT_INSNS), since their ways to count differ.
const verifiedMost = 100_000

// TestInstructionCounts bounds the verifier's work for each form of the program, and logs it
// with the sizes: go test -v -run TestInstructionCounts ./bpf.
func TestInstructionCounts(t *testing.T) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	full := Config{
		Workers: 4, Queues: 4, RatePPS: 1000, Host: host,
		Allow: prefixes("192.0.2.0/24", "2001:db8::/32"), Deny: prefixes("192.0.2.128/25"),
	}
	frags, short := full, full
	frags.Frags, short.MaxFrame = true, 3520
	service := []uint{unix.CAP_BPF, unix.CAP_NET_ADMIN}
	load(t, full, listens()).Close() // or skip
	for _, c := range []struct {
		form, entry string
		cfg         Config
		caps        []uint // nil: all
	}{
		{"small", weirProgWeir, Config{Workers: 1, Queues: 1}, nil},
		{"full", weirProgWeir, full, nil},
		{"full, frags", weirProgWeir, frags, nil},
		{"full, frags, no CAP_PERFMON", weirProgWeir, frags, service},
		{"full, no CAP_PERFMON", weirProgWeir, full, service},
		{"full, max frame, no CAP_PERFMON", weirProgWeir, short, service},
		{"full, before 5.18", weirProgWeirBefore518, full, nil},
	} {
		if !slices.Contains(entries(c.cfg), c.entry) {
			t.Logf("%s: this kernel lacks what it needs", c.form)
			continue
		}
		measure := func() {
			p, err := loadEntry(c.cfg, listens(), c.entry)
			if err != nil {
				t.Errorf("%s: %s", c.form, withLog(err))
				return
			}
			defer p.Close()
			info, err := p.XDP().Info()
			if err != nil {
				t.Errorf("%s: %v", c.form, err)
				return
			}
			verified, known := info.VerifiedInstructions()
			if !known {
				t.Logf("%s: this kernel does not say", c.form)
				return
			}
			translated, _ := info.TranslatedSize()
			jited, _ := info.JitedSize()
			t.Logf("%s | %-32s | %6d verified | %5d instructions | %5d bytes of machine code",
				unix.ByteSliceToString(name.Release[:]), c.form, verified, translated/8, jited)
			if verified > verifiedMost {
				t.Errorf("%s: the verifier looked at %d instructions, more than %d", c.form, verified, verifiedMost)
			}
		}
		if c.caps == nil {
			measure()
		} else {
			withCapabilities(t, c.caps, measure)
		}
	}
}
