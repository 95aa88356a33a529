package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer"
)

// folder is a spool's directory in a test that damages it.
type folder struct {
	t       *testing.T
	dir     string
	rng     *rand.Rand
	foreign uint64 // records of another log's segments that were put there
	theirs  []string
	did     []string
}

func (d *folder) note(format string, args ...any) {
	d.did = append(d.did, fmt.Sprintf(format, args...))
}

// pick returns the path of a segment, empty if there is none. The other log's are
// left whole.
func (d *folder) pick() string {
	names := slices.DeleteFunc(files(d.t, d.dir, segmentSuffix), func(path string) bool { return slices.Contains(d.theirs, path) })
	if len(names) == 0 {
		return ""
	}
	return names[d.rng.IntN(len(names))]
}

func (d *folder) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("after %v: %v", d.did, err)
	}
}

// freeName returns a name of a segment that no file has.
func (d *folder) freeName() string {
	for {
		path := filepath.Join(d.dir, segmentName(d.rng.Uint64N(200)))
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return path
		}
	}
}

// damages is what may happen to the files of a spool. All of it leaves what a reader
// knows about other files true.
var damages = map[string]func(d *folder, seg string){
	"remove": func(d *folder, seg string) { d.must(os.Remove(seg)) },
	"rename": func(d *folder, seg string) { d.must(os.Rename(seg, d.freeName())) },
	"swap": func(d *folder, seg string) {
		other, aside := d.pick(), filepath.Join(d.dir, "aside")
		d.must(os.Rename(seg, aside))
		if other != seg {
			d.must(os.Rename(other, seg))
		}
		d.must(os.Rename(aside, other))
	},
	"copy": func(d *folder, seg string) {
		data, err := os.ReadFile(seg)
		d.must(err)
		d.must(os.WriteFile(d.freeName(), data, 0o640))
	},
	"copy of a part": func(d *folder, seg string) {
		data, err := os.ReadFile(seg)
		d.must(err)
		d.must(os.WriteFile(d.freeName(), data[:d.rng.IntN(len(data)+1)], 0o640))
	},
	"truncate": func(d *folder, seg string) {
		info, err := os.Stat(seg)
		d.must(err)
		d.must(os.Truncate(seg, d.rng.Int64N(info.Size()+1)))
	},
	"empty": func(d *folder, seg string) { d.must(os.Truncate(seg, 0)) },
	"bytes": func(d *folder, seg string) {
		info, err := os.Stat(seg)
		d.must(err)
		d.must(overwrite(seg, d.rng.Int64N(info.Size()+1), 1+d.rng.IntN(200)))
	},
	"header": func(d *folder, seg string) { d.must(overwrite(seg, 0, segmentHeader+entryHeader)) },
	"more": func(d *folder, seg string) {
		info, err := os.Stat(seg)
		d.must(err)
		d.must(overwrite(seg, info.Size(), 1+d.rng.IntN(500)))
	},
	"garbage": func(d *folder, _ string) {
		d.must(os.WriteFile(d.freeName(), fmt.Appendf(nil, "%01000d", d.rng.Uint64()), 0o640))
	},
	"nothing": func(d *folder, _ string) { d.must(os.WriteFile(d.freeName(), nil, 0o640)) },
	"folder":  func(d *folder, _ string) { d.must(os.Mkdir(d.freeName(), 0o750)) },
	"foreign": func(d *folder, _ string) {
		cfg := Config{Dir: fastDir(d.t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
		l := mustOpen(d.t, cfg)
		n := uint64(1 + d.rng.IntN(20))
		mustAppend(d.t, l, batch(1_000_000, int(n), damagePad))
		d.must(l.Close())
		data, err := os.ReadFile(files(d.t, cfg.Dir, segmentSuffix)[0])
		d.must(err)
		path := d.freeName()
		d.must(os.WriteFile(path, data, 0o640))
		d.foreign, d.theirs = d.foreign+n, append(d.theirs, path)
	},
}

// tail are the damages that take something of the end of a log.
var tail = []string{"remove", "truncate", "empty", "bytes", "header"}

// renames are those after which a file's name does not say where in the log it was.
var renames = []string{"rename", "swap", "copy", "copy of a part"}

// TestFolder damages the files of a spool in every way, one after another and several
// at a time. What can be read is delivered once, in order, and what cannot is counted:
// both together are what was spooled. The next start loses nothing more. Where a log
// that was not closed has lost its end, both together are no more than was spooled.
func TestFolder(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(damages))
	for seed := range uint64(300) {
		rng := newRand(seed)
		d := &folder{t: t, dir: fastDir(t), rng: rng}
		cfg := Config{Dir: d.dir, MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
		clean := rng.IntN(2) == 0
		_, want := makeSmall(t, cfg, clean)
		last := files(t, d.dir, segmentSuffix)
		times, exact := 1+rng.IntN(3), true
		if seed < uint64(len(kinds)) {
			times = 1
		}
		for n := range times {
			kind := kinds[rng.IntN(len(kinds))]
			if n == 0 {
				kind = kinds[seed%uint64(len(kinds))] // each at least once alone
			}
			seg := d.pick()
			if seg == "" {
				break
			}
			// After a crash nobody knows how much there was at the end, nor, where names
			// have changed, in which file that was.
			if !clean && (seg == last[len(last)-1] && slices.Contains(tail, kind) || times > 1 && slices.Contains(renames, kind)) {
				exact = false
			}
			d.note("%s %s", kind, filepath.Base(seg))
			damages[kind](d, seg)
		}
		d.check(cfg, want, exact)
		if t.Failed() {
			t.Fatalf("seed %d, closed %v: %v", seed, clean, d.did)
		}
		_ = os.RemoveAll(d.dir)
	}
}

// check opens the spool and compares what comes of it with what was spooled. Unless it
// is to be exact, some of that may be missing and not counted.
func (d *folder) check(cfg Config, want []uint64, exact bool) {
	d.t.Helper()
	l, err := Open(cfg)
	d.must(err)
	recovered, lost := l.Waiting(), l.TakeLosses().Corrupt
	got := drain(d.t, l, damagePad, true)
	late := l.TakeLosses().Corrupt
	if !slices.IsSorted(got) || !subsequence(got, want) {
		d.t.Errorf("delivered %v of %v", got, want)
	}
	if recovered != uint64(len(got))+late {
		d.t.Errorf("%d recovered, %d delivered and %d lost later", recovered, len(got), late)
	}
	if sum, all := uint64(len(got))+lost+late, uint64(len(want))+d.foreign; sum > all || exact && sum != all {
		d.t.Errorf("%d delivered + %d lost at the start + %d later, %d were spooled and %d put there", len(got), lost, late, len(want), d.foreign)
	}
	if n := l.Stats().Corrupt; n != lost+late {
		d.t.Errorf("%d counted as corrupt, %d told", n, lost+late)
	}
	// It works on, whatever names are taken.
	for id := uint64(2_000_000); id < 2_000_600; id += 20 {
		mustAppend(d.t, l, batch(id, 20, damagePad))
	}
	if err := l.Close(); err != nil {
		d.t.Error(err)
	}
	again, err := Open(cfg)
	d.must(err)
	defer again.Close()
	if losses := again.TakeLosses(); losses.Corrupt != 0 {
		d.t.Errorf("%d more are lost at the next start", losses.Corrupt)
	}
	if n := len(drain(d.t, again, damagePad, true)); n != 600 {
		d.t.Errorf("%d new records at the next start, want 600", n)
	}
}

// TestSwappedNames: two segments whose names were swapped lose nothing.
func TestSwappedNames(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	_, want := makeSmall(t, cfg, true)
	d := &folder{t: t, dir: cfg.Dir, rng: newRand(1)}
	segs := files(t, cfg.Dir, segmentSuffix)
	a, b := segs[0], segs[len(segs)-1]
	d.must(os.Rename(a, a+".x"))
	d.must(os.Rename(b, a))
	d.must(os.Rename(a+".x", b))
	l := mustOpen(t, cfg)
	if got := drain(t, l, damagePad, true); !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
	if losses := l.TakeLosses(); losses.Corrupt != 0 {
		t.Errorf("losses %+v", losses)
	}
	if names := files(t, cfg.Dir, asideSuffix); len(names) != 0 {
		t.Errorf("set aside: %v", names)
	}
}

// TestOlderFormat: a spool of a version without ids and counts of what is resolved is
// read, also where segments are missing.
func TestOlderFormat(t *testing.T) {
	for _, missing := range []bool{false, true} {
		cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
		_, want := makeSmall(t, cfg, true)
		segs := files(t, cfg.Dir, segmentSuffix)
		for _, path := range segs {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			head, _ := parseSegHead(data)
			head.log = 0
			head.put((*[segmentHeader]byte)(data))
			if err := os.WriteFile(path, data, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		olderAcks(t, filepath.Join(cfg.Dir, acksName))
		if missing {
			if err := os.Remove(segs[1]); err != nil {
				t.Fatal(err)
			}
		}
		l := mustOpen(t, cfg)
		lost := int(l.TakeLosses().Corrupt)
		got := drain(t, l, damagePad, true)
		if !subsequence(got, want) || !missing && (len(got) != len(want) || lost != 0) {
			t.Errorf("missing %v: delivered %v, want %v; %d lost", missing, got, want, lost)
		}
		if missing && (len(got)+lost < len(want) || lost > len(want)-len(got)+ackedSmall) {
			t.Errorf("%d delivered + %d lost of %d", len(got), lost, len(want))
		}
		mustAppend(t, l, batch(5000, 3, damagePad))
		l.Close()
	}
}

// olderAcks rewrites a list of acknowledgements as an older version would have.
func olderAcks(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := parseAcks(data)
	p := appendEnd(appendAck(nil, ackCursor, s.cursor, nil), s.next, s.count)
	for seq := range s.done {
		p = appendAck(p, ackDone, seq, nil)
	}
	for seq, left := range s.partial {
		p = appendAck(p, ackPart, seq, func(p []byte) []byte {
			for _, i := range left {
				p = le.AppendUint32(p, i)
			}
			return p
		})
	}
	if err := os.WriteFile(path, p, 0o640); err != nil {
		t.Fatal(err)
	}
}

// TestUnreadable: a segment that this process may not read is counted, and the others
// are delivered.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file; run this test as another user")
	}
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	_, want := makeSmall(t, cfg, true)
	if err := os.Chmod(files(t, cfg.Dir, segmentSuffix)[1], 0); err != nil {
		t.Fatal(err)
	}
	(&folder{t: t, dir: cfg.Dir}).check(cfg, want, true)
}

// TestAcksOfCrash: acknowledgements that were noted before a crash count, those after
// a list that is torn do not, and nothing looks lost by that.
func TestAcksOfCrash(t *testing.T) {
	cfg := Config{Dir: fastDir(t), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	l := mustOpen(t, cfg)
	for id := uint64(1); id <= 200; id += 10 {
		mustAppend(t, l, batch(id, 10, damagePad))
	}
	b := producer.NewBatch(0, 0)
	for range 12 {
		e, err := l.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		l.Resolve(e.Seq, b.Records(), nil)
	}
	crash(t, l)
	path := filepath.Join(cfg.Dir, acksName)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, cfg)
	if losses := l.TakeLosses(); losses.Corrupt != 0 {
		t.Errorf("losses %+v", losses)
	}
	if got := drain(t, l, damagePad, true); len(got) < 80 || len(got) > 100 {
		t.Errorf("%d records delivered again, want 80 and at most those of two entries more", len(got))
	}
}

// TestForeignKept: segments of another spool are kept whatever becomes of damaged ones,
// and each start says so.
func TestForeignKept(t *testing.T) {
	small := func() Config {
		return Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	}
	cfg := small()
	makeSmall(t, cfg, true)
	n := 0
	for range 2 {
		other := small()
		makeSmall(t, other, true)
		for _, path := range files(t, other.Dir, segmentSuffix) {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(cfg.Dir, segmentName(uint64(1000+n))), text, 0o640)
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	overwrite(files(t, cfg.Dir, segmentSuffix)[0], 200, 50)
	for range 2 {
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		l := mustOpen(t, cfg)
		if len(l.segs) > 0 {
			l.dropFront()
		}
		l.Close()
		if kept := len(files(t, cfg.Dir, foreignSuffix)); n == 0 || kept != n || !strings.Contains(log.String(), "of another spool are kept") {
			t.Errorf("%d segments of %d are kept; log:\n%s", kept, n, log.String())
		}
	}
}

// TestPlantedFiles: a file of another user in a folder that all may write to does not
// keep the spool from opening, and is not read.
func TestPlantedFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test needs root, to make files of another user; try again with sudo")
	}
	for _, name := range []string{segmentName(77), acksName} {
		cfg := Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
		_, want := makeSmall(t, cfg, true)
		if err := os.Chmod(cfg.Dir, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(cfg.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(path, append(text, 'x'), 0o640), os.Chown(path, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, cfg)
		if got := drain(t, l, damagePad, true); len(got) < len(want) {
			t.Errorf("%s: %d records can be read, want %d at least", name, len(got), len(want))
		}
		if _, err := os.Lstat(strings.TrimSuffix(path, segmentSuffix) + asideSuffix); err != nil {
			t.Errorf("%s is not set aside: %v", name, err)
		}
	}
}

// TestReplacedSegment: a segment that another user replaced while it waited is not read.
func TestReplacedSegment(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test needs root, to make files of another user; try again with sudo")
	}
	cfg := Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 4096, Reserve: -1, SyncEvery: -1}
	makeSmall(t, cfg, true)
	l := mustOpen(t, cfg)
	if err := errors.Join(os.Chmod(cfg.Dir, 0o777|os.ModeSticky), os.Chown(l.segs[0].path, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	waiting := l.segs[0].waiting
	drain(t, l, damagePad, true)
	if lost := l.TakeLosses(); waiting == 0 || lost.Corrupt != waiting {
		t.Errorf("%d records lost, want the %d of the segment", lost.Corrupt, waiting)
	}
}
