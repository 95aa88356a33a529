package bpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
)

// verifierLines is how many lines of the verifier's log are in the text of a [Refused].
const verifierLines = 3

// Refused says that the kernel's verifier refuses the program. Its text has the last
// lines of the verifier's log, which say why; Log has all of them. errors.Is finds the
// system's error in it: unix.EACCES or unix.EINVAL.
type Refused struct {
	Program string
	Log     []string
	err     error
}

func (r *Refused) Error() string {
	return fmt.Sprintf("the verifier refuses program %s: %v: %s", r.Program, r.cause(), strings.Join(r.last(), " | "))
}

func (r *Refused) Unwrap() error { return r.err }

// cause returns the system's error.
func (r *Refused) cause() error {
	var verifier *ebpf.VerifierError
	if errors.As(r.err, &verifier) {
		return verifier.Cause
	}
	return r.err
}

// last returns the end of the log: neither lines of source, which stand before each
// instruction, nor the report that newer kernels append (7.3), nor the statistics.
func (r *Refused) last() []string {
	log := r.Log
	if i := slices.IndexFunc(log, func(line string) bool {
		return strings.HasPrefix(line, "Verification failed:")
	}); i > 0 {
		log = log[:i]
	}
	var lines []string
	for i := len(log) - 1; i >= 0 && len(lines) < verifierLines; i-- {
		line := strings.TrimSpace(log[i])
		if line == "" || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "processed ") {
			continue
		}
		lines = append([]string{line}, lines...)
	}
	return lines
}

// loadError turns what the library reports of a program's load into an error that users
// can read: a [Refused] if it was the verifier.
func loadError(program string, err error) error {
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) && len(verifier.Log) > 0 {
		return &Refused{Program: program, Log: verifier.Log, err: err}
	}
	return err
}
