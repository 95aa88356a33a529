package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDecodeJudges: weir decode says what it could not read, and ends with 1 where a capture
// is damaged or has no flows.
func TestDecodeJudges(t *testing.T) {
	whole, err := os.ReadFile("../corpus/testdata/softflowd-v5.pcap")
	if err != nil {
		t.Fatal(err)
	}
	tcp := bytes.Clone(whole)
	at := bytes.Index(tcp, []byte{0x08, 0x00, 0x45}) + 2 + 9 // the protocol of the first packet
	if tcp[at] != 17 {
		t.Fatalf("protocol %d", tcp[at])
	}
	tcp[at] = 6
	for _, c := range []struct {
		name string
		data []byte
		args []string
		code int
		want []string
	}{
		{"whole", whole, nil, ExitOK, nil},
		{"cut", whole[:len(whole)-20], nil, ExitError, []string{"capture not read to its end"}},
		{"empty", whole[:24], nil, ExitError, []string{"no datagram of NetFlow, IPFIX or sFlow", "packets=0"}},
		{"other port", whole, []string{"-port", "9"}, ExitError, []string{"no datagram of NetFlow, IPFIX or sFlow", "other_ports="}},
		{"TCP", tcp, nil, ExitError, []string{"TCP packets were not read", "packets=1", "no datagram"}},
		{"no capture", []byte("no"), nil, ExitError, []string{"not a capture"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "capture.pcap")
			if err := os.WriteFile(name, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			args := append(append([]string{"decode", "-transport.file", filepath.Join(dir, "flows")}, c.args...), name)
			if code := Main(Env{Args: args, Stdout: &out, Stderr: &errs}); code != c.code {
				t.Errorf("code %d, want %d\n%s", code, c.code, &errs)
			}
			for _, want := range c.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("no %q in\n%s", want, &errs)
				}
			}
			if c.want == nil && errs.Len() > 0 {
				t.Errorf("stderr:\n%s", &errs)
			}
		})
	}
}
