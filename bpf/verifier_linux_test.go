package bpf

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// withLog returns the text of an error of Load, and the verifier's whole log if it was
// the verifier that refused.
func withLog(err error) string {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err.Error()
	}
	return err.Error() + "\n\t" + strings.Join(refused.Log, "\n\t")
}

// What the verifier has against a program reaches the user.
func TestVerifierRefuses(t *testing.T) {
	load(t, Config{}, listens()).Close()
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	program := spec.Programs[weirProgWeir]
	program.Instructions = asm.Instructions{asm.Mov.Reg(asm.R0, asm.R5), asm.Return()}
	_, err = ebpf.NewProgram(program)
	if err == nil {
		t.Fatal("a program that reads what was never written is accepted")
	}
	err = loadError("bad", err)
	for _, want := range []string{"program bad", "permission denied", "r0 = r5", "R5 !read_ok"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not contain %q: %s", err, want, withLog(err))
		}
	}
	if !errors.Is(err, unix.EACCES) || !strings.Contains(withLog(err), "processed ") {
		t.Errorf("%v: want %v and the whole log", withLog(err), unix.EACCES)
	}
}

func TestRefusedTakesTheLastLines(t *testing.T) {
	const want = "the verifier refuses program p: permission denied: 1: (0f) r0 += r7 | R7 unbounded | math is not allowed"
	log := []string{"0: first", "; source", "1: (0f) r0 += r7", "; more source", "R7 unbounded", "math is not allowed", ""}
	for name, end := range map[string][]string{
		"6.1": {"processed 3 insns"},
		"7.3": {"Verification failed: Pointer Safety", "", "Suggestion:", "  Bound R7.", "", "processed 3 insns"},
	} {
		r := &Refused{Program: "p", err: unix.EACCES, Log: slices.Concat(log, end)}
		if got := r.Error(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
