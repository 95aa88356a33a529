//go:build unix

package file

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/sink/output"
)

const (
	// lookEvery is how often the free space of the disk is looked at, and listEvery
	// how often the age of files.
	lookEvery = time.Second
	listEvery = time.Minute
	// lookBytes is how many bytes are written between two looks at the free space, if
	// a second is longer.
	lookBytes = 8 << 20
	// settleTime is what a file system gets to free what was deleted, where it does
	// not do so at once.
	settleTime = 5 * time.Second
)

// Keep says how many rotated files stay. The oldest are deleted first. Only files with
// exactly the name that rotation gives, compressed or not, are counted and deleted, and
// of these only regular files. The file that is written is never one of them.
type Keep struct {
	retain.Limits
	Free option.Space // what is to be free on the disk; the zero value is no limit
}

// Any reports whether anything is ever deleted.
func (k Keep) Any() bool { return k.Limits.Any() || k.Free != option.Space{} }

// String returns the limits in words.
func (k Keep) String() string {
	var parts []string
	if k.Count > 0 {
		parts = append(parts, fmt.Sprintf("%d files", k.Count))
	}
	if k.Bytes > 0 {
		parts = append(parts, option.FormatSize(k.Bytes))
	}
	if k.Age > 0 {
		parts = append(parts, option.FormatDuration(k.Age))
	}
	if k.Free != (option.Space{}) {
		parts = append(parts, k.Free.String()+" of the disk free")
	}
	return strings.Join(parts, ", ")
}

// Kept counts what became of rotated files. Files and Bytes are those that are there, as
// far as weir looked: 0 where nothing is ever deleted.
type Kept struct {
	Rotations    uint64
	Files, Bytes int64
	Deleted      [retain.NumReasons]uint64 // files
	DeletedBytes [retain.NumReasons]uint64
	Failures     uint64 // files that could not be deleted, and folders that could not be read
}

// trimmer is the state of the goroutine that deletes rotated files.
type trimmer struct {
	bell   chan struct{} // one slot
	wanted atomic.Bool   // the bell rings for more than a look at the free space

	files, bytes          atomic.Int64
	deleted, deletedBytes [retain.NumReasons]atomic.Uint64
	failures              atomic.Uint64

	mu        sync.Mutex // held by trim, for what follows
	listed    time.Time  // when the folder was last read
	settled   time.Time  // not before this is free space made again
	said      time.Time  // when a failure was last logged
	short     bool       // too little is free, and nothing is left to delete
	announced Keep       // limits that were logged
}

func (t *trimmer) init() { t.bell = make(chan struct{}, 1) }

// Kept returns the counts. Anyone may call it at any time.
func (f *File) Kept() (k Kept) {
	k.Rotations = f.rotations.Load()
	a := f.keptBy.Load()
	if a == nil {
		return k
	}
	t := &a.trimmer
	k.Files, k.Bytes, k.Failures = t.files.Load(), t.bytes.Load(), t.failures.Load()
	for i := range k.Deleted {
		k.Deleted[i], k.DeletedBytes[i] = t.deleted[i].Load(), t.deletedBytes[i].Load()
	}
	return k
}

// lookAtDisk has the archive look at the free space once enough was written.
func (f *File) lookAtDisk(written int) {
	if f.archive == nil {
		return
	}
	if f.unlooked += int64(written); f.unlooked >= lookBytes {
		f.unlooked = 0
		ringBell(f.archive.trimmer.bell)
	}
}

// deleted returns how many rotated files were deleted.
func (f *File) deleted() (n uint64) {
	if f.archive != nil {
		for i := range f.archive.trimmer.deleted {
			n += f.archive.trimmer.deleted[i].Load()
		}
	}
	return n
}

// madeRoom deletes on a full disk what is over the limits, and reports whether more was
// deleted by now than before.
func (f *File) madeRoom(before uint64) bool {
	if f.archive == nil {
		return false
	}
	f.archive.trimmer.wanted.Store(true)
	f.archive.trim(true)
	return f.deleted() > before
}

// trimAlways deletes rotated files until the archive is closed.
func (a *archive) trimAlways() {
	for {
		var timer <-chan time.Time
		switch keep := a.caring().Keep; {
		case keep.Free != option.Space{}:
			timer = time.After(lookEvery)
		case keep.Any():
			timer = time.After(listEvery)
		}
		select {
		case <-a.trimmer.bell:
		case <-timer:
		case <-a.closing:
			return
		}
		a.trim(false)
	}
}

// trim looks at the disk and the rotated files, where it is time to, and deletes what is
// over the limits. full says that the disk is full, whatever was deleted just now. Any
// goroutine may call it that does not hold mu.
func (a *archive) trim(full bool) {
	a.trimmer.mu.Lock()
	defer a.trimmer.mu.Unlock()
	t, keep, now := &a.trimmer, a.caring().Keep, a.now()
	if !keep.Any() {
		t.files.Store(0)
		t.bytes.Store(0)
		t.announced = keep
		return
	}
	free, missing := a.missing(keep.Free)
	if missing == 0 && t.short {
		t.short = false
		a.log.Info("the disk has the free space of -transport.file.keep.free again", "folder", a.folder(), "free", free)
	}
	if missing > 0 && now.Before(t.settled) && !full {
		missing = 0
	}
	if !t.wanted.Swap(false) && missing == 0 && now.Sub(t.listed) < listEvery {
		return
	}
	t.listed = now
	n, files, err := a.rotated()
	if err != nil {
		a.failed("reading the folder of rotated files failed", "folder", n.dir, "error", err)
		return
	}
	sum := sumOf(files)
	if keep != t.announced {
		t.announced = keep
		a.log.Info("rotated files are deleted beyond a limit, oldest first", "keep", keep.String(), "folder", n.dir, "files", len(files), "bytes", sum)
	}
	var gone deletions
	if len(files) > 0 {
		dir, err := create.OpenDir(n.dir)
		if err != nil {
			a.failed("opening the folder of rotated files failed", "folder", n.dir, "error", err)
			return
		}
		keep.Trim(files, now, missing, func(f retain.File, why retain.Reason) bool {
			if !a.remove(dir, f) {
				return false
			}
			gone.add(f, why)
			t.deleted[why].Add(1)
			t.deletedBytes[why].Add(uint64(f.Bytes))
			return true
		})
		_ = dir.Close() // it was only read
	}
	t.files.Store(int64(len(files)) - int64(gone.files))
	t.bytes.Store(sum - gone.bytes)
	gone.log(a.log)
	a.afterFreeing(keep, free, missing, gone.byReason[retain.Free] > 0, now)
}

// afterFreeing looks at what was freed, and says when nothing is left to delete.
func (a *archive) afterFreeing(keep Keep, before uint64, missing int64, deleted bool, now time.Time) {
	if keep.Free == (option.Space{}) {
		return
	}
	t := &a.trimmer
	free, still := a.missing(keep.Free)
	switch {
	case deleted && free < before+uint64(missing)/2:
		t.settled = now.Add(settleTime)
	case !deleted && missing > 0 && still > 0 && !t.short:
		t.short = true
		a.log.Warn("the disk has less free space than -transport.file.keep.free, and no rotated file is left to delete: make room, or give weir a larger disk",
			"folder", a.folder(), "free", free, "missing", still)
	}
}

// folder returns the folder of the rotated files.
func (a *archive) folder() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dir
}

// missing returns the free space of the disk, and how many bytes of it are missing.
func (a *archive) missing(want option.Space) (free uint64, missing int64) {
	if want == (option.Space{}) {
		return 0, 0
	}
	free, total, err := output.DiskSpace(a.folder())
	if err != nil {
		a.failed("asking for the free space of the disk failed", "folder", a.folder(), "error", err)
		return 0, 0
	}
	return free, max(int64(want.Of(total))-int64(free), 0)
}

// rotated returns the rotated files, oldest first, but for the file that is written. A
// file and its compressed form are one.
func (a *archive) rotated() (names, []retain.File, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dir, err := create.OpenDir(a.dir)
	if err != nil {
		return a.names, nil, err
	}
	defer dir.Close()
	entries, err := dir.Regular()
	if err != nil {
		return a.names, nil, err
	}
	type numbered struct {
		retain.File
		seq int
	}
	var found []numbered
	byName := map[string]int{}
	for _, entry := range entries {
		name := entry
		at, seq, ok := a.parse(name)
		if !ok {
			name = strings.TrimSuffix(entry, zstSuffix)
			at, seq, ok = a.parse(name)
		}
		if !ok || name == a.writing {
			continue
		}
		info, err := dir.Lstat(entry)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return a.names, nil, err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || (fileID{uint64(st.Dev), uint64(st.Ino)}) == a.output {
			continue
		}
		if name == a.compressing && entry != name {
			continue // the original counts until it is gone
		}
		i, have := byName[name]
		if !have {
			i = len(found)
			byName[name] = i
			found = append(found, numbered{retain.File{Name: name, Time: at}, seq})
		}
		found[i].Bytes += info.Size()
		if st.Nlink == 1 {
			found[i].Frees += int64(st.Blocks) * 512
		}
	}
	slices.SortFunc(found, func(x, y numbered) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.seq, y.seq))
	})
	files := make([]retain.File, len(found))
	for i := range found {
		files[i] = found[i].File
	}
	return a.names, files, nil
}

func sumOf(files []retain.File) (sum int64) {
	for _, f := range files {
		sum += f.Bytes
	}
	return sum
}

// remove deletes a rotated file in both forms and reports whether it is gone.
func (a *archive) remove(dir *create.Dir, f retain.File) bool {
	a.setRemoving(f.Name)
	defer a.setRemoving("")
	for _, name := range []string{f.Name, f.Name + zstSuffix} {
		if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.failed("deleting a rotated file failed", "error", err)
			return false
		}
	}
	return true
}

// setRemoving notes which file is deleted, "" for none. If it is compressed, or begins to
// be, that is given up.
func (a *archive) setRemoving(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removing = name
	if name != "" && name == a.compressing {
		a.doomed.Store(true)
	}
}

// failed counts a failure and logs it, once a minute at most.
func (a *archive) failed(what string, attrs ...any) {
	a.trimmer.failures.Add(1)
	if now := a.now(); now.Sub(a.trimmer.said) >= listEvery {
		a.trimmer.said = now
		a.log.Error(what, attrs...)
	}
}

// deletions are the files that were deleted together.
type deletions struct {
	files       int
	bytes       int64
	first, last string
	byReason    [retain.NumReasons]int
}

func (d *deletions) add(f retain.File, why retain.Reason) {
	if d.files == 0 {
		d.first = f.Name
	}
	d.last = f.Name
	d.files++
	d.bytes += f.Bytes
	d.byReason[why]++
}

// log says what was deleted, in one line.
func (d *deletions) log(log interface{ Info(string, ...any) }) {
	if d.files == 0 {
		return
	}
	var why []string
	for r, n := range d.byReason {
		if n > 0 {
			why = append(why, fmt.Sprintf("keep.%v", retain.Reason(r)))
		}
	}
	attrs := []any{"files", d.files, "bytes", d.bytes, "why", strings.Join(why, ","), "file", d.first}
	if d.files > 1 {
		attrs = append(attrs, "to", d.last)
	}
	log.Info("rotated files deleted", attrs...)
}
