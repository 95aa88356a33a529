package vmtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Result is what became of a step.
type Result string

const (
	// OK means that all the step checks was as expected.
	OK Result = "ok"
	// Refused means that the kernel or the driver does not do what the step asks
	// for. The text has the reason. weir has worked on, which was checked.
	Refused Result = "refused"
	// Failed means that a check of the step failed, or that it was not reached.
	Failed Result = "FAIL"
)

// Report is one line from the guest.
type Report struct {
	Step   string `json:"step"` // empty at the end of all steps
	Result Result `json:"result"`
	Text   string `json:"text"`           // for the cell of the table: the mode, a count, the reason
	Log    string `json:"log,omitempty"`  // what explains a failure
	Note   string `json:"note,omitempty"` // what is to be told though nothing has failed
}

// Steps of the scenario, in their order. Each is a column of the table.
const (
	StepVerify    = "verify"     // the kernel's verifier takes the object
	StepCheck     = "check"      // weir check -xdp.interface
	StepAttach    = "attach"     // the mode that weir captures in
	StepReceive   = "receive"    // an exact count, small and full-size frames
	StepFragments = "fragments"  // datagrams in several IP packets
	StepVLAN      = "vlan"       // one tag
	StepDownUp    = "down/up"    // the link
	StepMTU       = "mtu"        // 1500 to 1400 and back
	StepChannels  = "ethtool -L" // fewer queues and back
	StepRings     = "ethtool -G" // another ring size and back
	StepSecond    = "second"     // another weir on the same interface
	StepKill      = "kill -9"    // and a new start
	StepJumbo     = "jumbo"      // frames of 8,000 bytes at an MTU of 9000
	StepDetach    = "detach"     // a stop leaves the interface as it was
	StepLedger    = "ledger"     // the sums of every life of weir
	StepDmesg     = "dmesg"      // nothing of the kernel's that should not be
)

// Scenario lists the steps with the real weir binary.
var Scenario = []string{
	StepVerify, StepCheck, StepAttach, StepReceive, StepFragments, StepVLAN, StepDownUp, StepMTU, StepChannels,
	StepRings, StepSecond, StepKill, StepJumbo, StepDetach, StepLedger, StepDmesg,
}

// Systemd lists the steps with the shipped files on a Debian with systemd.
var Systemd = []string{"system", "unit", "rights", "receive", "reload", "restart", "kill -9", "stop", "ledger", "dmesg"}

// MayRefuse lists the steps that a kernel or driver may refuse.
var MayRefuse = []string{StepMTU, StepChannels, StepRings, StepJumbo}

// Packages lists the packages whose tests run in the guest; each is a step.
var Packages = []string{"ringbuf", "bpf", "xdp"}

// Console is the prefix of the guest's own words on the kernel's console.
const Console = "weir-guest: "

// Write writes the report as one line.
func (r Report) Write(w io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Read reads all reports and adds what is missing: the result has exactly one
// report of each step, in the order of steps. A step that was not reported, was
// reported twice, or without a reason where one is due, has failed. ended reports
// whether the guest came to its end. Lines that are not reports are an error in the
// step that they stand before.
func Read(r io.Reader, steps []string) (reports []Report, ended bool) {
	seen := map[string]Report{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	junk := ""
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var one Report
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			junk = fmt.Sprintf("unreadable report: %v", err)
			continue
		}
		if one.Step == "" {
			ended = junk == ""
			continue
		}
		switch _, twice := seen[one.Step]; {
		case twice:
			one = Report{one.Step, Failed, "reported twice", one.Log, one.Note}
		case junk != "":
			one = Report{one.Step, Failed, junk, one.Log, one.Note}
		case one.Result != OK && one.Result != Failed && one.Result != Refused:
			one = Report{one.Step, Failed, fmt.Sprintf("unknown result %q", one.Result), one.Log, one.Note}
		case one.Result == Refused && !slices.Contains(MayRefuse, one.Step):
			one = Report{one.Step, Failed, "refused: " + one.Text, one.Log, one.Note}
		case one.Text == "":
			one = Report{one.Step, Failed, "no text: " + string(one.Result), one.Log, one.Note}
		}
		junk = ""
		seen[one.Step] = one
	}
	for _, step := range steps {
		one, ok := seen[step]
		if !ok {
			one = Report{Step: step, Result: Failed, Text: "not run"}
		}
		reports = append(reports, one)
	}
	return reports, ended && lines.Err() == nil
}
