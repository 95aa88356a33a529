package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// A toy is an output that keeps what it was given. It has what an output may have: options
// with a heading of their own, one that needs another, a note, a secret, a finding of weir
// check, memory and a metric. The rest of weir knows about it by one row.
type toy struct {
	output.Base
	prefix, secret string
	twice          bool
	written        []string
}

var toyMessages = output.NewMetric("toy_messages_total", "Messages that the toy was given.", "twice")

func toyKind(t *toy) output.Kind {
	return output.Kind{Name: "toy", Help: "a toy of the tests", New: func() output.Settings { return t }, Metrics: []*output.Metric{toyMessages}}
}

func (t *toy) Options() []option.Option {
	return []option.Option{
		{Name: "transport.toy.prefix", Group: "Toy", Default: "> ", Shape: "text", Value: option.TextValue(&t.prefix), Help: "What comes before each message."},
		{Name: "transport.toy.twice", Group: "Toy", Default: "false", Shape: "true|false", Value: option.SwitchValue(&t.twice), Help: "Write each message twice."},
	}
}

func (t *toy) Secrets(environ []string) []output.Fault {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "TOY_SECRET="); ok {
			t.secret = v
		}
	}
	return nil
}

func (t *toy) Validate(g *output.Given) []output.Fault {
	if g.Chosen && t.twice && t.prefix == "" {
		return []output.Fault{{Option: "transport.toy.twice", Err: &option.Problem{Text: "twice without a prefix", Allowed: "this option together with -transport.toy.prefix"}}}
	}
	return nil
}

func (t *toy) Notes(g *output.Given) []string {
	if g.Chosen && g.Source("transport.toy.prefix") == "default" {
		return []string{"toy with its own prefix"}
	}
	return nil
}

func (t *toy) Open(string, *slog.Logger) (*output.Output, error) {
	return &output.Output{Sink: t, Separator: "\n", Collect: func(e output.Emitter, _, _ uint64) {
		e.Count(toyMessages, uint64(len(t.written)), fmt.Sprint(t.twice))
	}}, nil
}

func (t *toy) Check(format string, r output.Report) { r.OK("output", "toy of "+format) }
func (t *toy) Memory(batch int64) int64             { return 7 * batch }

func (t *toy) Name() string { return "toy" }
func (t *toy) Write(_ context.Context, b *producer.Batch) (int, error) {
	for i := range b.Records() {
		t.written = append(t.written, t.prefix+string(b.Message(i)))
	}
	return b.Records(), nil
}
func (t *toy) Flush() error  { return nil }
func (t *toy) Reopen() error { return nil }
func (t *toy) Close() error  { return nil }

// TestToyOutput holds the registry to its word: one row, and flags, environment, file, help,
// check, memory and metrics know about an output.
func TestToyOutput(t *testing.T) {
	run := func(args ...string) (string, int) {
		var text bytes.Buffer
		code := Main(Env{Args: args, Stdout: &text, Stderr: &text, Outputs: []output.Kind{toyKind(&toy{})}})
		return strings.Join(strings.Fields(text.String()), " "), code
	}
	help, _ := run("help", "run")
	for _, want := range []string{"-transport file|kafka|toy", "toy is a toy of the tests", "Toy -transport.toy.prefix text", "WEIR_TRANSPORT_TOY_TWICE"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not have %q", want)
		}
	}
	args := []string{"check", "-defaults", "-transport", "toy", "-listen", "flow://127.0.0.1:0", "-addr", ""}
	page, code := run(args...)
	for _, want := range []string{"ok output toy of json", "transport.toy.prefix \"> \" default", "toy with its own prefix"} {
		if code != ExitOK || !strings.Contains(page, want) {
			t.Errorf("check: code %d, no %q in %s", code, want, page)
		}
	}
	if page, code := run(append(args, "-transport.toy.twice", "-transport.toy.prefix=")...); code != ExitUsage || !strings.Contains(page, "twice without a prefix") {
		t.Errorf("check of options that do not fit: code %d, %s", code, page)
	}
	if page, code := run("check", "-transport", "kafka", "-listen", "flow://127.0.0.1:0", "-addr", ""); strings.Contains(page, "toy of json") {
		t.Errorf("check of another output asks the toy: code %d, %s", code, page)
	}

	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte("transport:\n  type: toy\n  toy: {prefix: '* '}\nlisten: flow://127.0.0.1:0\naddr: \"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := &toy{}
	cfg, err := config.Parse([]string{"-config", path}, []string{"WEIR_TRANSPORT_TOY_TWICE=true", "TOY_SECRET=x"}, io.Discard, toyKind(own))
	if err != nil {
		t.Fatal(err)
	}
	if !own.twice || own.prefix != "* " || own.secret != "x" || cfg.Output() != output.Settings(own) {
		t.Errorf("options did not reach the toy: %+v", own)
	}
	caps := memoryCaps(cfg, 1)
	if !slices.ContainsFunc(caps, func(c metrics.Cap) bool { return c.Part == "toy" && c.Bytes > 7<<18 }) {
		t.Errorf("no memory of the toy in %+v", caps)
	}

	log := slog.New(slog.DiscardHandler)
	out, err := cfg.Output().Open(cfg.Format, log)
	if err != nil {
		t.Fatal(err)
	}
	lane := sink.NewLane(0, 2, 4096)
	hub := out.NewHub([]*sink.Lane{lane}, nil, false, log)
	b, _ := lane.Empty.Pop()
	b.Buf = append(b.Buf, "flow\n"...)
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	lane.Full.Push(b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	for hub.Counters().Batches() == 0 && ctx.Err() == nil {
		runtime.Gosched()
	}
	if err := hub.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !slices.Equal(own.written, []string{"* flow\n"}) {
		t.Fatalf("the toy was given %q, %v", own.written, err)
	}
	k := newKeeper(cfg, log)
	defer k.close()
	c, err := newCollection(cfg, nil, log, k, new(slog.LevelVar), parseAgain{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeSockets()
	families, err := metrics.NewRegistry(c.source).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "weir_toy_messages_total" {
			if m := f.GetMetric()[0]; m.GetCounter().GetValue() != 1 || m.GetLabel()[0].GetValue() != "true" {
				t.Errorf("metric of the toy: %v", m)
			}
			return
		}
	}
	t.Error("no metric of the toy")
}
