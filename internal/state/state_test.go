package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// words returns 16-bit numbers in network byte order.
func words(list ...uint16) []byte {
	var b []byte
	for _, v := range list {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// put announces a template to a domain.
func put(d *producer.TemplateDomain, version uint16, options bool, record []byte) {
	var defs template.Definitions
	defs.Init(record, version, options)
	if more, ok := defs.Next(); !more || !ok {
		panic("test's template is none")
	}
	d.Put(&defs.Def, 2055, 12345)
}

// filled returns a store with something of everything.
func filled(exporters int) *producer.TemplateStore {
	s := producer.NewStore(template.DefaultLimits())
	for i := range exporters {
		k := template.Key{Version: template.V9, Domain: uint32(i)}
		copy(k.Exporter[10:], []byte{0xff, 0xff, 192, 0, byte(i >> 8), byte(i)})
		if i%2 == 1 {
			k.Version = template.IPFIX
			k.Exporter = [16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}
		}
		d := s.Domain(&k, 1)
		put(d, k.Version, false, words(256, 2, 8, 4, 12, 4))
		if k.Version == template.V9 {
			put(d, k.Version, true, words(300, 4, 8, 1, 4, 48, 2, 34, 4))
		} else {
			put(d, k.Version, true, words(300, 3, 0, 302, 8, 34, 4, 160, 8))
		}
		if i%3 == 0 {
			d.Used(d.Template(256), 10, 100_000)
			d.Used(d.Template(256), 10, 300_000_000_000)
			d.Sampling().Set(1000)
			d.Sampling().SetBoot(77)
			d.Sampling().SetSampler(5, 500)
			d.Sampling().SetSampler(6, 1<<63)
		}
	}
	return s
}

// saved returns what a store holds.
func saved(s *producer.TemplateStore) []template.Saved {
	var all []template.Saved
	for _, d := range s.Domains() {
		var v template.Saved
		d.Save(&v)
		all = append(all, v)
	}
	return all
}

// section is one of a text, for tests.
type section struct {
	name    string
	mu      sync.Mutex
	text    string
	changes atomic.Uint64
	fails   error
}

func (s *section) set(text string) {
	s.mu.Lock()
	s.text = text
	s.mu.Unlock()
	s.changes.Add(1)
}

func (s *section) section() Section {
	return Section{
		Name: s.name,
		Save: func(w io.Writer) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.fails != nil {
				return s.fails
			}
			return json.NewEncoder(w).Encode(s.text)
		},
		Load:    func(dec *json.Decoder) error { return dec.Decode(&s.text) },
		Changes: s.changes.Load,
	}
}

// log is what a File logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

func encode(t testing.TB, sections ...Section) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, sections, time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte, sections ...Section) error {
	return Read(bytes.NewReader(data), int64(len(data)), sections)
}

func TestRoundTrip(t *testing.T) {
	discard := slog.New(slog.DiscardHandler)
	store := filled(50)
	other := &section{name: "other", text: "a\n\"}"}
	data := encode(t, other.section(), Templates(store, discard))
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, data)
	}
	again := producer.NewStore(template.DefaultLimits())
	text := &section{name: "other"}
	// In another order, and with one that is not in the file.
	if err := read(data, Templates(again, discard), (&section{name: "new"}).section(), text.section()); err != nil {
		t.Fatal(err)
	}
	if text.text != other.text || !reflect.DeepEqual(saved(again), saved(store)) {
		t.Errorf("got %q and %+v\nwant %+v", text.text, saved(again), saved(store))
	}
	// A section that is not known is skipped.
	if err := read(data, text.section()); err != nil {
		t.Error(err)
	}
	empty := producer.NewStore(template.DefaultLimits())
	if err := read(encode(t, Templates(empty, discard)), Templates(again, discard)); err != nil {
		t.Error(err)
	}
}

// TestDamage cuts a file at every byte, and changes every byte.
func TestDamage(t *testing.T) {
	discard := slog.New(slog.DiscardHandler)
	data := encode(t, Templates(filled(3), discard))
	load := func(data []byte) error {
		return read(data, Templates(producer.NewStore(template.DefaultLimits()), discard))
	}
	if err := load(data); err != nil {
		t.Fatal(err)
	}
	named := func(err error) bool {
		return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer)
	}
	for n := range data {
		if err := load(data[:n]); !named(err) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(data), err)
		}
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(data)
			bad[n] ^= flip
			if err := load(bad); !named(err) {
				t.Fatalf("byte %d: %v", n, err)
			}
		}
	}
	for _, more := range []string{"\n", "x", "{}"} {
		if err := load(append(bytes.Clone(data), more...)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q behind: %v", more, err)
		}
	}
}

// resum returns data with the checksum that belongs to it.
func resum(data []byte) []byte {
	body := data[:max(len(data)-tailLen, 0)]
	return append(bytes.Clone(body), tail(crc32.Checksum(body, table()))...)
}

func TestSetAside(t *testing.T) {
	discard := slog.New(slog.DiscardHandler)
	good := encode(t, Templates(filled(3), discard))
	for name, tc := range map[string]struct {
		data []byte
		kind string
	}{
		"empty":          {nil, "foreign"},
		"zeros":          {make([]byte, 4096), "foreign"},
		"text":           {[]byte("hello\n"), "foreign"},
		"goflow2":        {[]byte(`{"192.0.2.1:2055":{"2533274790395904":{"template-id":256}}}`), "foreign"},
		"number":         {[]byte("12"), "foreign"},
		"cut":            {good[:len(good)/2], "damaged"},
		"cut in head":    {good[:12], "foreign"},
		"newer":          {resum(bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1)), "newer"},
		"older":          {resum(bytes.Replace(good, []byte(`"version":1`), []byte(`"version":0`), 1)), "foreign"},
		"bad template":   {resum(bytes.Replace(good, []byte(`"record":"0100`), []byte(`"record":"0000`), 1)), "damaged"},
		"bad digits":     {resum(bytes.Replace(good, []byte(`"record":"0100`), []byte(`"record":"01xx`), 1)), "damaged"},
		"bad exporter":   {resum(bytes.Replace(good, []byte(`192.0.0.0`), []byte(`192.0.0.x`), 1)), "damaged"},
		"not an array":   {resum(bytes.Replace(good, []byte(`"templates":[`), []byte(`"templates":7,"x":[`), 1)), "damaged"},
		"sections gone":  {resum(bytes.Replace(good, []byte(`"sections":{`), []byte(`"sections":7,"x":{`), 1)), "damaged"},
		"checksum wrong": {append(bytes.Clone(good[:len(good)-4]), "0\"}\n"...), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "templates.json")
			for range 2 { // twice in a second: the name is taken
				if err := os.WriteFile(path, tc.data, 0o600); err != nil {
					t.Fatal(err)
				}
				var l log
				store := producer.NewStore(template.DefaultLimits())
				f := New(Config{Path: path, Logger: slog.New(slog.NewTextHandler(&l, nil))})
				f.Register(Templates(store, discard))
				f.Load()
				if f.Stats().SetAside != 1 || l.count("set aside") != 1 || l.count(path+"."+tc.kind+"-") != 1 {
					t.Errorf("%+v, logged: %s", f.Stats(), l.buf.String())
				}
			}
			names, _ := filepath.Glob(path + "*")
			if len(names) != 2 {
				t.Errorf("files: %v", names)
			}
			kept, err := os.ReadFile(names[0])
			if err != nil || !bytes.Equal(kept, tc.data) {
				t.Errorf("not kept as it was: %v", err)
			}
		})
	}
}

// start runs a File until the test ends.
func start(t *testing.T, f *File) {
	go f.Run()
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestSaver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".state.json.123.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &section{name: "s"}
	var activity atomic.Uint64
	f := New(Config{Path: path, Pause: 200 * time.Millisecond, Interval: time.Second, Activity: activity.Load, Logger: slog.New(slog.DiscardHandler)})
	f.Register(s.section())
	f.Load()
	start(t, f)
	time.Sleep(3 * poll)
	if f.Stats().Saves != 0 {
		t.Error("saved without a change")
	}
	began := time.Now()
	for i := range 100 {
		s.set(fmt.Sprint(i))
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, "the last change is saved", func() bool {
		var got section
		data, err := os.ReadFile(path)
		got.name = "s"
		return err == nil && read(data, got.section()) == nil && got.text == "99"
	})
	if n, most := f.Stats().Saves, 2+uint64(time.Since(began)/(200*time.Millisecond)); n < 2 || n > most {
		t.Errorf("%d saves, want at most %d", n, most)
	}
	before := f.Stats().Saves
	activity.Add(1)
	eventually(t, "activity is saved", func() bool { return f.Stats().Saves > before })
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	s.set("last")
	if err := f.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); !bytes.Contains(data, []byte(`"last"`)) {
		t.Error("the stop did not save")
	}
}

// TestTrouble: what cannot be written is said once, tried again, and said to be
// over once.
func TestTrouble(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	var l log
	s := &section{name: "s"}
	f := New(Config{Path: filepath.Join(dir, "state.json"), Pause: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&l, nil))})
	f.Register(s.section())
	f.Load()
	start(t, f)
	s.set("a")
	eventually(t, "it is tried again", func() bool { return f.Stats().Failures > 3 })
	if l.count("state not saved") != 1 {
		t.Error("not logged once")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is saved", func() bool { return f.Stats().Saves == 1 })
	s.mu.Lock()
	s.fails = errors.New("no such luck")
	s.mu.Unlock()
	before := f.Stats().Failures
	s.set("b")
	// The line follows the count.
	eventually(t, "it fails again, and says so", func() bool { return f.Stats().Failures > before && l.count("no such luck") > 0 })
	if l.count("saved again") != 1 || l.count("state not saved") != 2 || l.count("no such luck") != 1 {
		t.Errorf("logged: %s", l.buf.String())
	}
	if data, _ := os.ReadFile(f.Path()); !bytes.Contains(data, []byte(`"a"`)) {
		t.Error("the file of before is gone")
	}
	if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 1 {
		t.Errorf("left behind: %v", names)
	}
}

// TestUnreadable: what is no file is left alone.
func TestUnreadable(t *testing.T) {
	var l log
	f := New(Config{Path: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&l, nil))})
	f.Load()
	if l.count("saved state not read") != 1 || f.Stats().Failures != 1 || f.Stats().SetAside != 0 {
		t.Errorf("%+v, logged: %s", f.Stats(), l.buf.String())
	}
}

// FuzzRead loads any bytes, as they are and with the right checksum. What is
// loaded can be saved, and loads again to the same.
func FuzzRead(f *testing.F) {
	discard := slog.New(slog.DiscardHandler)
	for _, n := range []int{0, 1, 5} {
		data := encode(f, Templates(filled(n), discard))
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte(`{"format":"weir-state","version":1,"sections":{"templates":[{"exporter":"::","version":10,"templates":[{"record":"0100000100080004"}]}],"x":[]},"y":{}` + tail(0)))
	limits := template.Limits{Domains: 4, TemplatesPerDomain: 4, FieldsPerTemplate: 16, Bytes: 64 << 10, Samplers: 4}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, resum(data)} {
			for _, ports := range []template.Ports{template.PortsOff, template.PortsOn, template.PortsAuto} {
				store := producer.NewStore(limits)
				store.UsePorts(ports)
				if read(data, Templates(store, discard)) != nil {
					continue
				}
				if got := store.Totals(); got.Domains > limits.Domains || got.Bytes > limits.Bytes || got.Samplers > limits.Samplers {
					t.Fatalf("over the limits: %+v", got)
				}
				again := producer.NewStore(limits)
				again.UsePorts(ports)
				if err := read(encode(t, Templates(store, discard)), Templates(again, discard)); err != nil {
					t.Fatalf("what was loaded does not load again: %v", err)
				}
				if a, b := store.Totals(), again.Totals(); a.Templates != b.Templates || a.Domains != b.Domains {
					t.Fatalf("loaded %+v, again %+v", a, b)
				}
			}
		}
	})
}
