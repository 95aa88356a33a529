package reload

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/config"
)

func parse(t *testing.T, args ...string) *config.Config {
	t.Helper()
	c, err := config.Parse(args, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryOption has each option of weir: whether a reload changes it, or weir has to be
// started again. A new option is added here.
func TestEveryOption(t *testing.T) {
	live := strings.Fields(`
		exporters.allow exporters.deny exporters.rate exporters.silent-after sampling
		errors.sample.keep.bytes errors.sample.keep.age metrics.exporters loglevel mapping
		listen xdp.interface xdp.mode xdp.zerocopy xdp.queues xdp.ring xdp.busy-poll
		produce samplingrate.default options.join sflow.discards format format.hash compat
		transport transport.file transport.file.sep transport.file.fifo
		transport.kafka.brokers transport.kafka.srv transport.kafka.topic transport.kafka.version transport.kafka.tls
		transport.kafka.tls.ca transport.kafka.tls.client transport.kafka.tls.key transport.kafka.tls.insecure
		transport.kafka.sasl transport.kafka.sasl.file transport.kafka.maxmsgbytes transport.kafka.flushbytes
		transport.kafka.linger transport.kafka.hashing transport.kafka.compression transport.kafka.compression.level
		transport.kafka.acks transport.kafka.idempotent transport.kafka.message
		spool.dir spool.max-bytes spool.mode batch.size batch.linger sink.depth
		transport.file.rotate.size transport.file.rotate.interval transport.file.compress
		transport.file.keep.count transport.file.keep.bytes transport.file.keep.age transport.file.keep.free`)
	restart := strings.Fields(`
		receive.buffer cpu.pin latency handover config xdp.workers xdp.require
		exporters.max errors.sample errors.sample.count
		enrich.asn enrich.country
		templates.ttl templates.ttl.extend-on-access templates.sweep-interval templates.key-port templates.max-domains
		templates.max-per-domain templates.max-fields templates.max-bytes templates.max-samplers templates.pending
		templates.json.path templates.json.interval templates.path memory.max
		addr addr.hosts addr.token-file web.config.file metrics.path metrics.goflow2 logfmt pprof`)
	c := config.Default()
	var names []string
	for _, s := range c.Settings() {
		names = append(names, s.Name)
		isLive, needsRestart := slices.Contains(live, s.Name), slices.Contains(restart, s.Name)
		if isLive == needsRestart {
			t.Errorf("%s: say here whether a reload changes it, or it needs a restart", s.Name)
		}
		if c.Live(s.Name) != isLive {
			t.Errorf("%s: a reload changes it: %v, want %v", s.Name, c.Live(s.Name), isLive)
		}
	}
	for _, name := range slices.Concat(live, restart) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no option", name)
		}
	}
}

func TestPlan(t *testing.T) {
	was := []string{"-transport.file=x", "-transport.file.rotate.size=1MB", "-listen=netflow://localhost:2055"}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{was, "reloaded\n"},
		{append(was, "-sampling=192.0.2.1=10", "-exporters.rate=5"), "reloaded\nchanged: exporters.rate, sampling\n"},
		{append(was, "-receive.buffer=1MiB", "-loglevel=debug"), "reloaded\nchanged: loglevel\nchanged at the next start of weir: receive.buffer\n"},
		{append(was, "-transport.file=y", "-transport.file.keep.count=3"), "reloaded\nchanged: transport.file, transport.file.keep.count\n"},
	} {
		p, err := NewPlan(parse(t, was...), parse(t, tc.args...))
		if err != nil || p.String() != tc.want {
			t.Errorf("%q: %v\n%s", tc.args, err, p)
		}
	}
	// What this process cannot change waits, and what does not fit without it waits too.
	p, err := NewPlan(parse(t), parse(t, was...), "transport.file")
	if err != nil || len(p.Changed) != 0 || !slices.Equal(p.Restart, []string{"listen", "transport.file.rotate.size", "transport.file"}) {
		t.Errorf("%v %v: %v", p.Changed, p.Restart, err)
	}
	if got := p.Config.Changed(parse(t)); got != nil {
		t.Errorf("in force afterwards: %q differ", got)
	}
	// What waits keeps its value, and says so.
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte("receive.buffer: 1MiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = NewPlan(parse(t, "-config", path, "-receive.buffer=64KiB"), parse(t, "-config", path))
	if err != nil || p.Config.ReceiveBuffer != 64<<10 || p.Config.Sources["receive.buffer"] != "-receive.buffer (changed: restart weir)" {
		t.Errorf("receive.buffer %d of %q, %v", p.Config.ReceiveBuffer, p.Config.Sources["receive.buffer"], err)
	}
	if p.Config.Asked("batch.linger") || !p.Config.Asked("receive.buffer") {
		t.Error("asked for are other options than receive.buffer")
	}
	// A default that waits stays a default.
	p, err = NewPlan(parse(t), parse(t, "-memory.max=1GiB"))
	if err != nil || p.Config.Asked("memory.max") {
		t.Errorf("memory.max of %q, %v", p.Config.Sources["memory.max"], err)
	}
}

// TestPlanAgain: an option that waits for a restart says so after each reload.
func TestPlanAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte("receive.buffer: 1MiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(parse(t, "-config", path, "-receive.buffer=64KiB"), parse(t, "-config", path))
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewPlan(p.Config, parse(t, "-config", path))
	if err != nil || again.Config.Sources["receive.buffer"] != "-receive.buffer (changed: restart weir)" || again.String() != p.String() {
		t.Errorf("%q, %v\n%s", again.Config.Sources["receive.buffer"], err, again)
	}
}
